"""The samples of one data point, by the kind of its metric."""

import math
import struct
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    DataPointFlags,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
    SummaryDataPoint,
)

from ingest.errors import UnsupportedSampleError
from ingest.otlp.accumulator import Amount
from ingest.otlp.body import Sample
from ingest.otlp.distribution import Distribution, check_quantiles, explicit, exponential
from ingest.otlp.values import bound_text
from ingest.remote_write.decode import STALE_NAN_BITS

Point: TypeAlias = (
    NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint
)

STALE: float = struct.unpack("<d", struct.pack("<Q", STALE_NAN_BITS))[0]
"""Says that a series has ended."""

NS_PER_MS = 1_000_000


def time_ms(point: Point) -> int:
    """When it was measured.

    Raises:
        UnsupportedSampleError: it does not say.
    """
    if not point.time_unix_nano:
        raise UnsupportedSampleError("it has no time")
    return int(point.time_unix_nano) // NS_PER_MS


def is_stale(point: Point) -> bool:
    """Whether it says that there was nothing to measure."""
    return bool(point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK)


def amount_of(point: Point) -> Amount | None:
    """What a point of a number or histogram measured; None for a summary, which nothing adds up.

    Raises:
        UnsupportedSampleError: it holds no value, or its buckets are wrong.
    """
    if isinstance(point, NumberDataPoint):
        kind = point.WhichOneof("value")
        if kind is None:
            raise UnsupportedSampleError("it has no value")
        return float(point.as_int if kind == "as_int" else point.as_double)
    if isinstance(point, HistogramDataPoint):
        return explicit(point)
    if isinstance(point, ExponentialHistogramDataPoint):
        return exponential(point)
    check_quantiles(point)
    return None


def check_delta(delta: Amount) -> None:
    """Whether it can be added to a count.

    Raises:
        UnsupportedSampleError: it is not a number, infinite, or below 0.
    """
    number = delta.sum if isinstance(delta, Distribution) else delta
    if number is not None and not math.isfinite(number):
        raise UnsupportedSampleError(f"its delta is {number}, which cannot be added")
    if isinstance(delta, float) and delta < 0:
        raise UnsupportedSampleError(f"its delta is {number}, but it only grows")


def samples(family: str, point: Point, amount: Amount | None) -> Iterator[Sample]:
    """The series of a point and their values; `amount` in the place of its own for a delta."""
    if isinstance(point, SummaryDataPoint):
        yield from _of_summary(family, point)
    elif isinstance(amount, Distribution):
        for suffix, bound, value in amount.parts():
            yield family + suffix, {} if bound is None else {"le": bound}, value
    elif amount is not None:
        yield family, {}, amount


def stale(of: Iterable[Sample]) -> Iterator[Sample]:
    """The same series, ended."""
    return ((metric, more, STALE) for metric, more, _ in of)


def _of_summary(family: str, point: SummaryDataPoint) -> Iterator[Sample]:
    for one in point.quantile_values:
        yield family, {"quantile": bound_text(one.quantile)}, one.value
    yield family + "_sum", {}, point.sum
    yield family + "_count", {}, float(point.count)
