"""Histograms of both sorts as counts by upper bound, and their classic Prometheus form."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    SummaryDataPoint,
)

from ingest.errors import UnsupportedSampleError
from ingest.otlp.values import bound_text

LEAST_SCALE, MOST_SCALE = -10, 20
"""What OpenTelemetry's exponential histograms use; beyond it powers of two leave this world."""

STORED_SCALE = 3
"""Finer scales are coarsened to this: eight buckets from 1 to 2, so a quantile is at most 4.5 %
off. A histogram's scale falls as its range grows, from 20 on; each scale has bounds, so series, of
its own, thousands before it rests. Coarse bounds are among the fine ones and stay."""

MAX_BUCKETS = 2_048
"""In one data point; senders use 160 on each side, or some twenty bounds."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Counts of measurements by upper bound, each bucket on its own.

    Attributes:
        count: all of them.
        sum: of all of them; None where it is not known.
        buckets: measurements in the bucket that ends at a bound (included).
        bounds: the bounds, where they are fixed; None where buckets come as they are filled.
    """

    count: int
    sum: float | None
    buckets: dict[float, int]
    bounds: tuple[float, ...] | None = None

    def __add__(self, other: "Distribution") -> "Distribution":
        """Both together; their bounds are the same, or not fixed."""
        both = dict(self.buckets)
        for bound, count in other.buckets.items():
            both[bound] = both.get(bound, 0) + count
        total = None if self.sum is None or other.sum is None else self.sum + other.sum
        return Distribution(self.count + other.count, total, both, self.bounds)

    def parts(self) -> Iterator[tuple[str, str | None, float]]:
        """The classic form: (suffix, `le`, value), each bucket with all those below it."""
        below = 0
        for bound in sorted(self.buckets):
            below += self.buckets[bound]
            yield "_bucket", bound_text(bound), float(below)
        yield "_bucket", "+Inf", float(self.count)
        if self.sum is not None:
            yield "_sum", None, self.sum
        yield "_count", None, float(self.count)


def explicit(point: HistogramDataPoint) -> Distribution:
    """A histogram with bounds of its own.

    Raises:
        UnsupportedSampleError: bounds and counts do not fit together.
    """
    _check_size(len(point.explicit_bounds) + 1)
    bounds, counts = tuple(point.explicit_bounds), point.bucket_counts
    if counts and len(counts) != len(bounds) + 1:
        raise UnsupportedSampleError(
            f"{len(counts)} bucket counts for {len(bounds)} bounds, which make one more"
        )
    if not all(map(math.isfinite, bounds)):
        raise UnsupportedSampleError("a bucket's bound is not finite")
    if any(low >= high for low, high in pairwise(bounds)):
        raise UnsupportedSampleError("bucket bounds do not rise")
    if counts and sum(counts) != point.count:
        raise UnsupportedSampleError(
            f"its buckets hold {sum(counts)} measurements, but it counts {point.count}"
        )
    # Without counts it is only a count and a sum; the last count is what `count` has beyond.
    buckets = dict(zip(bounds, counts, strict=False))
    return Distribution(point.count, point.sum if point.HasField("sum") else None, buckets, bounds)


def exponential(point: ExponentialHistogramDataPoint) -> Distribution:
    """An exponential histogram: a bucket where something was measured, at its upper bound.

    Bucket `i` holds what lies between `base ** i` and `base ** (i + 1)`, where `base` is
    `2 ** 2 ** -scale`; a negative bucket is its mirror image, and so ends at `-base ** i`.

    Raises:
        UnsupportedSampleError: a scale that no sender uses, or far too many buckets.
    """
    scale = point.scale
    if not LEAST_SCALE <= scale <= MOST_SCALE:
        raise UnsupportedSampleError(f"scale {scale} is not between {LEAST_SCALE} and {MOST_SCALE}")
    _check_size(len(point.positive.bucket_counts) + len(point.negative.bucket_counts))
    shift = max(0, scale - STORED_SCALE)
    stored = scale - shift
    buckets: dict[float, int] = {}

    def put(bound: float, count: int) -> None:
        if math.isfinite(bound):
            buckets[bound] = buckets.get(bound, 0) + count

    for index, count in _filled(point.negative.offset, point.negative.bucket_counts):
        put(-_power(index >> shift, stored), count)
    if point.zero_count:
        put(abs(point.zero_threshold), point.zero_count)
    for index, count in _filled(point.positive.offset, point.positive.bucket_counts):
        put(_power((index >> shift) + 1, stored), count)
    return Distribution(point.count, point.sum if point.HasField("sum") else None, buckets)


def _filled(offset: int, counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((offset + i, count) for i, count in enumerate(counts) if count)


def _power(index: int, scale: int) -> float:
    """`2 ** (index / 2 ** scale)`: no larger than infinity, no smaller than 0."""
    try:
        return math.pow(2.0, math.ldexp(index, -scale))
    except OverflowError:
        return math.inf


def check_quantiles(point: SummaryDataPoint) -> None:
    """Whether a summary may have so many quantiles.

    Raises:
        UnsupportedSampleError: it may not.
    """
    _check_size(len(point.quantile_values))


def _check_size(buckets: int) -> None:
    if buckets > MAX_BUCKETS:
        raise UnsupportedSampleError(f"{buckets} buckets, at most {MAX_BUCKETS} are accepted")
