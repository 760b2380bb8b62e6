"""Native histograms become classic ones: `_bucket`, `_count` and `_sum` series.

A native histogram has its buckets in one sample, on bounds that follow from a number (its schema),
and sends only those in use. What reads the lake knows the classic form, so that is what is stored:
a series for each bound in use, with all observations up to it. `docs/native-histograms.md` has the
rules. The same message is in remote write 1.0 and 2.0.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final, TypeAlias

from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from ingest.errors import InvalidHistogramError, MalformedBodyError, UnsupportedSampleError
from ingest.remote_write import histogram_pb2
from ingest.remote_write.bounds import MAX_SCHEMA, MIN_SCHEMA, exponential_bound, le_text

CUSTOM_SCHEMA: Final = -53
"""Bounds are in the message: a classic histogram that was packed into a native one."""

MAX_BUCKETS: Final = 2_048
"""Of one histogram; each becomes a series or two. Senders keep to some 160."""

MAX_BYTES: Final = 1 << 17
"""Of one histogram; twice what that many buckets take, so spans of nothing cannot pile up."""

STALE_BITS: Final = 0x7FF0000000000002
"""This very NaN as the sum says that the histogram has ended."""

_INT32 = range(-(1 << 31), 1 << 31)
_Histogram = GetMessageClass(histogram_pb2.DESCRIPTOR.message_types_by_name["Histogram"])

Part: TypeAlias = tuple[str, str | None, float]
"""Suffix of the metric's name, `le` (None: it has none), value."""

Bucket: TypeAlias = tuple[float, float, float]
"""Lower bound, upper bound, observations; counts of integer histograms are Python integers."""


@dataclass(frozen=True, slots=True)
class ClassicHistogram:
    """A native histogram as samples of the classic series.

    Attributes:
        time_ms: of each of them.
        start_ms: since when they count; None = not said.
        parts: buckets by rising bound, `+Inf` last; then count and sum.
    """

    time_ms: int
    start_ms: int | None
    parts: list[Part]


def classic(histogram: bytes) -> ClassicHistogram:
    """Convert a serialised `Histogram`.

    Raises:
        MalformedBodyError: it is no such message.
        InvalidHistogramError: it contradicts itself, or is too large.
        UnsupportedSampleError: its schema is not known.
    """
    if len(histogram) > MAX_BYTES:
        raise InvalidHistogramError(
            None, f"has {len(histogram)} bytes, at most {MAX_BYTES} are accepted"
        )
    try:
        message = _Histogram.FromString(histogram)
    except DecodeError as error:
        raise MalformedBodyError(f"a native histogram is no such message: {error}") from error
    if struct.pack("<d", message.sum) == struct.pack("<Q", STALE_BITS):
        # Only these are known to exist, whatever buckets were in use.
        infinite, count, total = message.sum, message.sum, message.sum
        cumulative: Mapping[float, float] = {}
    else:
        cumulative, infinite = _cumulative(message)
        count, total = float(_count(message)), message.sum
    parts: list[Part] = [("_bucket", le_text(at), float(n)) for at, n in cumulative.items()]
    parts += [("_bucket", "+Inf", float(infinite)), ("_count", None, count), ("_sum", None, total)]
    return ClassicHistogram(message.timestamp, message.start_timestamp or None, parts)


def labels_of(base: Mapping[str, str], suffix: str, le: str | None) -> dict[str, str]:
    """The labels of one part, from those of the native series.

    >>> labels_of({"__name__": "latency_seconds", "job": "api"}, "_bucket", "0.5")
    {'__name__': 'latency_seconds_bucket', 'job': 'api', 'le': '0.5'}
    """
    labels = {**base, "__name__": base.get("__name__", "") + suffix}
    return labels if le is None else {**labels, "le": le}


def _cumulative(message: Any) -> tuple[dict[float, float], float]:
    """Observations up to each bound, by rising bound; and all of them."""
    _check_numbers(message)
    if message.schema == CUSTOM_SCHEMA:
        buckets = _custom(message)
    elif MIN_SCHEMA <= message.schema <= MAX_SCHEMA:
        buckets = _exponential(message)
    else:
        raise UnsupportedSampleError(
            f"native histogram of {message.timestamp} ms: schema {message.schema} is not stored, "
            f"those from {MIN_SCHEMA} to {MAX_SCHEMA} and {CUSTOM_SCHEMA} are"
        )
    below: float = 0
    last = -math.inf
    found: dict[float, float] = {}
    for lower, upper, count in buckets:
        if lower > last:
            # A gap: without its end, what is interpolated in this bucket would reach into it.
            found[lower] = below
        below += count
        last = upper
        found[last] = below
    found.pop(math.inf, None)
    _check_count(message, below)
    # Of floats the buckets may be more than the count, by rounding; a histogram never falls.
    return found, max(below, _count(message))


def _exponential(message: Any) -> Iterator[Bucket]:
    """Buckets from the lowest to the highest. The zero bucket cuts off those that reach into it."""
    if message.custom_values:
        raise _invalid(message, "has custom bounds, and a schema that needs none")
    zero, schema = message.zero_threshold, message.schema
    negative = list(_side(message, "negative"))
    for index, count in reversed(negative):
        lower, upper = -exponential_bound(index, schema), -exponential_bound(index - 1, schema)
        yield min(lower, -zero), min(upper, -zero), count
    # Without negative observations zero's bucket begins at zero, as the lowest classic one does.
    yield -zero if negative else -math.inf, zero, _either(message, "zero_count")
    for index, count in _side(message, "positive"):
        lower, upper = exponential_bound(index - 1, schema), exponential_bound(index, schema)
        yield max(lower, zero), max(upper, zero), count


def _custom(message: Any) -> Iterator[Bucket]:
    """Every bound, in use or not: they are as few as those of the classic histogram it was."""
    bounds = list(message.custom_values)
    if len(bounds) > MAX_BUCKETS:
        raise _invalid(message, f"has {len(bounds)} bounds, at most {MAX_BUCKETS} are accepted")
    if math.inf in bounds or any(map(math.isnan, bounds)):
        raise _invalid(message, "has a custom bound that is no number")
    if any(low >= high for low, high in pairwise(bounds)):
        raise _invalid(message, "has custom bounds that do not rise")
    if message.zero_threshold or _either(message, "zero_count") or any(_side(message, "negative")):
        raise _invalid(message, "has custom bounds, and zero or negative buckets beside them")
    counts = dict(_side(message, "positive"))
    for index in counts:
        if not 0 <= index <= len(bounds):
            raise _invalid(
                message, f"has a bucket {index}, of {len(bounds) + 1} with custom bounds"
            )
    for index, (lower, upper) in enumerate(pairwise([-math.inf, *bounds, math.inf])):
        yield lower, upper, counts.get(index, 0)


def _side(message: Any, side: str) -> Iterator[tuple[int, float]]:
    """The buckets of one side as (index, observations)."""
    spans: Sequence[Any] = getattr(message, f"{side}_spans")
    counts: Sequence[float] = getattr(message, f"{side}_counts")
    deltas: Sequence[int] = getattr(message, f"{side}_deltas")
    used, unused = (counts, deltas) if _is_float(message) else (deltas, counts)
    if unused:
        raise _invalid(message, "has integer and float counts")
    # Before anything is made of them: a span of four thousand million takes ten bytes.
    stated = sum(span.length for span in spans)
    if stated != len(used):
        raise _invalid(message, f"has {side} spans of {stated} buckets, and {len(used)} counts")
    numbers = iter(used if _is_float(message) else accumulate(used))
    index = 0
    for position, span in enumerate(spans):
        if position and span.offset < 0:
            raise _invalid(message, f"has a {side} span that goes back by {-span.offset}")
        index += span.offset
        for _ in range(span.length):
            count = next(numbers)
            if not 0 <= count < math.inf:
                raise _invalid(message, f"has {count} observations in {side} bucket {index}")
            if index not in _INT32:
                raise _invalid(message, f"has {side} bucket {index}, which takes over 32 bits")
            yield index, count
            index += 1


def _check_numbers(message: Any) -> None:
    used = sum(
        len(getattr(message, f"{side}_{kind}"))
        for side in ("negative", "positive")
        for kind in ("deltas", "counts")
    )
    if used > MAX_BUCKETS:
        raise _invalid(
            message,
            f"has {used} buckets, at most {MAX_BUCKETS} are accepted: have the sender limit them",
        )
    kinds = {message.WhichOneof("count"), message.WhichOneof("zero_count")}
    if kinds & {"count_float", "zero_count_float"} and kinds & {"count_int", "zero_count_int"}:
        raise _invalid(message, "has integer and float counts")
    for name, number in (
        ("observations", _count(message)),
        ("observations in the zero bucket", _either(message, "zero_count")),
        ("as the zero threshold", message.zero_threshold),
    ):
        if not 0 <= number < math.inf:
            raise _invalid(message, f"has {number} {name}")


def _check_count(message: Any, in_buckets: float) -> None:
    """Of integers buckets add up to the count, but for NaN, which is in none and makes the sum NaN.

    Of floats rounding forbids to ask.
    """
    if _is_float(message):
        return
    count = _count(message)
    if in_buckets > count or (in_buckets < count and not math.isnan(message.sum)):
        raise _invalid(message, f"has {count} observations, and {in_buckets} in its buckets")


def _is_float(message: Any) -> bool:
    return bool(message.WhichOneof("count") == "count_float")


def _count(message: Any) -> float:
    return _either(message, "count")


def _either(message: Any, oneof: str) -> float:
    """Whichever of two fields is set."""
    field = message.WhichOneof(oneof)
    return 0 if field is None else getattr(message, field)


def _invalid(message: Any, rule: str) -> InvalidHistogramError:
    return InvalidHistogramError(message.timestamp, rule)
