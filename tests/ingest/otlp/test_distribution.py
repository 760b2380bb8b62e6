"""Exponential buckets against the measurements that they were made of."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint

from ingest.errors import UnsupportedSampleError
from ingest.otlp.distribution import MAX_BUCKETS, exponential

measured = st.floats(0.001, 1000) | st.floats(-1000, -0.001) | st.just(0.0)


def histogram(values, scale):
    """An exponential histogram by the data model's formula for the index."""
    point = ExponentialHistogramDataPoint(count=len(values), scale=scale, sum=math.fsum(values))
    point.zero_count = sum(value == 0 for value in values)
    for side, sign in ((point.positive, 1), (point.negative, -1)):
        places = [
            math.ceil(math.log2(abs(value)) * 2**scale) - 1 for value in values if value * sign > 0
        ]
        if places:
            side.offset = min(places)
            counts = [0] * (max(places) - min(places) + 1)
            for place in places:
                counts[place - min(places)] += 1
            side.bucket_counts.extend(counts)
    return point


@given(st.lists(measured, max_size=30), st.integers(-3, 5))
def test_buckets_hold_what_lies_below_their_bound(values, scale):
    found = exponential(histogram(values, scale))
    assert sum(found.buckets.values()) == len(values)
    below = 0
    for bound in sorted(found.buckets):
        below += found.buckets[bound]
        margin = abs(bound) * 1e-9
        assert sum(value < bound - margin for value in values) <= below
        assert below <= sum(value <= bound + margin for value in values)


def test_fine_scales_give_the_bounds_of_the_coarse_one():
    values = [1.0001, 1.05, 1.5, 2.0, 700.0, -3.3]
    coarse = exponential(histogram(values, 3)).buckets
    assert exponential(histogram(values[:4], 8)).buckets.keys() <= coarse.keys()
    one = ExponentialHistogramDataPoint(count=1, scale=20)
    one.positive.offset, one.positive.bucket_counts[:] = 12345, [1]
    assert exponential(one).buckets == {2 ** (1 / 8): 1}


def test_bounds_at_the_ends_of_the_world():
    point = ExponentialHistogramDataPoint(count=4, scale=-10)
    point.positive.offset, point.positive.bucket_counts[:] = -2, [1, 1, 1, 1]
    # (2^-2048, 2^-1024], (2^-1024, 1], (1, 2^1024] and beyond: the last two are below +Inf only.
    assert exponential(point).buckets == {2.0**-1024: 1, 1.0: 1}
    assert [part for part in exponential(point).parts() if part[1] == "+Inf"] == [
        ("_bucket", "+Inf", 4.0)
    ]


def test_offsets_beyond_all_numbers():
    point = ExponentialHistogramDataPoint(count=2, scale=0)
    point.positive.offset, point.positive.bucket_counts[:] = -(2**31), [1]
    point.negative.offset, point.negative.bucket_counts[:] = 2**31 - 1, [1]
    assert exponential(point).buckets == {0.0: 1}


@pytest.mark.parametrize("scale", [-11, 21, -(2**31), 2**31 - 1])
def test_scales_that_nobody_uses(scale):
    with pytest.raises(UnsupportedSampleError, match="scale"):
        exponential(ExponentialHistogramDataPoint(scale=scale))


def test_too_many_buckets():
    point = ExponentialHistogramDataPoint()
    point.positive.bucket_counts[:] = [0] * (MAX_BUCKETS + 1)
    with pytest.raises(UnsupportedSampleError, match="buckets"):
        exponential(point)
