"""Quantiles and shares of counts are those of the values, to a bin's width."""

import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.rightsizing import GROWTH, NOTHING, Usage, bins_of

N = 40


@pytest.fixture(scope="module")
def values():
    random = np.random.default_rng(3)
    scale = 10 ** random.uniform(-3.0, 2.0, N)
    return [size * random.gamma(2.0, size=int(random.integers(1, 3000))) for size in scale]


@pytest.fixture(scope="module")
def usage(values):
    who = np.repeat(np.arange(N), [len(one) for one in values])
    mixed = np.random.default_rng(4).permutation(len(who))
    told = np.concatenate(values)[mixed]
    # One container more, of which there is nothing.
    return Usage.of(who[mixed], bins_of(told), np.ones(len(told)), N + 1)


def test_quantiles(usage, values):
    shares = [0.0, 0.5, 0.95, 1.0]
    found = usage.quantiles(shares)
    for row, own in zip(found, values, strict=False):
        expected = np.quantile(own, shares, method="inverted_cdf")
        assert np.all(row <= expected * GROWTH * 1.0001)
        assert np.all(row >= expected / GROWTH / 1.0001)
    assert np.isnan(found[N]).all()


def test_above(usage, values):
    random = np.random.default_rng(5)
    levels = np.array([*(np.quantile(own, random.uniform()) for own in values), 1.0])
    found = usage.above(levels)
    for share, level, own in zip(found, levels, values, strict=False):
        wide = np.mean(own > level / GROWTH), np.mean(own > level * GROWTH)
        assert wide[1] <= share <= wide[0]
    assert np.isnan(found[N])


def test_above_what_was_never_reached_and_below_all(usage, values):
    top = np.array([*(own.max() * GROWTH for own in values), 1.0])
    low = np.array([*(own.min() / GROWTH for own in values), 1.0])
    assert np.all(usage.above(top)[:N] == 0.0)
    assert np.all(usage.above(low)[:N] == 1.0)
    assert np.isnan(usage.above(np.full(N + 1, np.nan))).all()


def test_no_use_at_all_counts(usage):
    idle = Usage.of([0, 0], [NOTHING, 0], [95, 5], 1)
    assert idle.quantiles([0.5, 0.99])[0].tolist() == [0.0, pytest.approx(GROWTH**0.8)]
    assert idle.above([0.0]).tolist() == [0.05]
    assert idle.above([0.5]).tolist() == [0.05]


def test_nothing_at_all():
    empty = Usage.of([], [], [], 2)
    assert np.isnan(empty.quantiles([0.5])).all()
    assert np.isnan(empty.above([1.0, 2.0])).all()


@pytest.mark.parametrize(
    ("container", "count", "name"),
    [([2], [1], "container"), ([0], [-1], "count"), ([0], [], "count")],
)
def test_what_is_out_of_range_is_refused(container, count, name):
    with pytest.raises(InvalidParameterError, match=name):
        Usage.of(container, [0], count, 2)
