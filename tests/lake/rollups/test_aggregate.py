import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.rollups.aggregate import HOUR, LOOKBACK, SLOT, Samples, aggregate, fold
from tests.lake.rollups.reference import Bucket, Sample, buckets, same

SECOND = 1_000_000

values = st.one_of(
    st.integers(-3, 9).map(float),
    st.floats(-1e12, 1e12),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324]),
)
times = st.one_of(
    st.integers(0, 40).map(lambda n: n * 60 * SECOND),
    st.integers(0, 60).map(lambda n: n * SLOT + SLOT - 1),
    st.integers(-10 * HOUR, 10 * HOUR),
)
histories = st.lists(
    st.builds(Sample, st.just("eu"), st.just("m"), st.integers(-1, 1), times, values), max_size=60
)


def columns(written):
    ordered = sorted(written, key=lambda sample: sample[2:4])  # stable: ties in order of writing
    return Samples(
        np.array([sample.series_id for sample in ordered], np.int64),
        np.array([sample.time for sample in ordered], np.int64),
        np.array([sample.value for sample in ordered], np.float64),
    )


def rows(found):
    names = (found.series, found.time, found.min, found.max, found.sum, found.count, found.last)
    lists = [column.tolist() for column in (*names, found.increase)]
    return {("eu", "m", row[0], row[1]): Bucket(*row[2:]) for row in zip(*lists, strict=True)}


@given(histories)
def test_equals_the_definition(written):
    with np.errstate(invalid="ignore"):  # infinities of both signs have no sum
        slots = aggregate(columns(written), SLOT)
        same(rows(slots), buckets(written, SLOT))
        same(rows(fold(slots, HOUR)), buckets(written, HOUR))
        same(rows(aggregate(columns(written), 60 * SECOND)), buckets(written, 60 * SECOND))


@given(histories, st.integers(0, 12))
def test_in_two_parts_with_the_slots_before(written, cut):
    """A later part needs of the earlier one no more than its slots' last values."""
    at = cut * SLOT
    early = [sample for sample in written if sample.time < at]
    with np.errstate(invalid="ignore"):
        first = aggregate(columns(early), SLOT)
        near = first.where(first.time >= at - LOOKBACK * SLOT)
        lead = [
            Sample("eu", "m", series, time, last)
            for series, time, last in zip(
                near.series.tolist(), near.time.tolist(), near.last.tolist(), strict=True
            )
        ]
        later = [sample for sample in written if sample.time >= at]
        second = aggregate(columns([*lead, *later]), SLOT)
        second = second.where(second.time >= at)
    same({**rows(first), **rows(second)}, buckets(written, SLOT))


@pytest.mark.parametrize(
    ("points", "increase"),
    [
        pytest.param([(0, 5), (60, 7), (120, 7)], 2.0, id="rises"),
        pytest.param([(0, 5), (60, 2), (120, 3)], 3.0, id="a fall is a reset"),
        pytest.param([(0, 5), (60, 0), (120, 1)], 1.0, id="a reset to zero"),
        pytest.param([(0, 5)], 0.0, id="nothing before"),
        pytest.param([(0, 5), (60, math.nan), (120, 6)], 1.0, id="NaN is left out"),
        pytest.param([(0, 5), (60, 9), (60, 6)], 1.0, id="the last write of a time counts"),
        pytest.param([(60, 9), (60, math.nan), (120, 10)], 0.0, id="also if it is NaN"),
        pytest.param([(0, math.inf), (60, math.inf)], 0.0, id="infinity twice"),
        pytest.param([(299, 1), (3899, 3)], 2.0, id="the last slot that counts"),
        pytest.param([(299, 1), (3900, 3)], 0.0, id="after a longer silence it begins anew"),
    ],
)
def test_increase(points, increase):
    written = [Sample("eu", "m", 1, time * SECOND, value) for time, value in points]
    assert aggregate(columns(written), SLOT).increase.sum() == increase


def test_nothing():
    assert len(aggregate(columns([]), SLOT).time) == 0
    assert len(fold(aggregate(columns([]), SLOT), HOUR).time) == 0


def test_increases_of_buckets_add_up():
    rng = np.random.default_rng(0)
    n = 5000
    time = np.cumsum(rng.integers(1, 30, n)) * SECOND
    value = np.cumsum(rng.random(n))
    samples = Samples(np.zeros(n, np.int64), time, value)
    for width in (SLOT, HOUR, 7 * 60 * SECOND):
        assert aggregate(samples, width).increase.sum() == pytest.approx(value[-1] - value[0])
