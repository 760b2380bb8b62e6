"""A remote-write 1.0 message, as senders write it in one pass: its labels' places, its samples.

Compiled, and without the interpreter: the only work per sample that steady state needs. A series is
recognised by the bytes of its labels (`ingest.keys`), which are parsed only if they are new.

Nothing is allocated that a limit forbids: series are counted first, which skips what is in them,
and room is made for a sample of each, as senders write. Where that is too little, all is counted;
where labels of a series stand apart, they are put together first.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.bounds import Bounds
from ingest.compiled import compiled
from ingest.errors import MalformedBodyError
from ingest.protobuf import BYTES, FIXED64, VARINT, field, fixed64, varint

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

# Field numbers of prometheus.WriteRequest and below.
_SERIES, _METADATA = 1, 3
_LABELS, _SAMPLES, _EXEMPLARS, _HISTOGRAMS = 1, 2, 3, 4
_VALUE, _TIMESTAMP = 1, 2

_MALFORMED = -1
_INTERLEAVED = -2
"""Labels stand before and after something else: allowed by protobuf, written by nobody."""

_FULL = -3
"""There are more samples or histograms than room was made for."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A request as flat arrays, in its own order.

    Attributes:
        data: the bytes that labels are slices of, one serialised `Label` field after the other.
        label_starts: int64[n_series].
        label_ends: int64[n_series].
        counts: int64[n_series], samples of each.
        time_ms: int64[n_samples], by series.
        values: float64[n_samples].
        start_ms: int64[n_samples], when a counter began, 0 = not said; None = nowhere said.
        histograms: int64[n, 3]: series, and the slice of `body` that is the message.
        metadata: int64[n, 2]: slices of `body` (remote write 1.0); for 2.0 see `families`.
        families: int64[n_series, 3]: type, and the slices' numbers of help and unit (2.0).
        exemplars: how many there are.
        body: the message.
        symbols: int64[n, 2]: slices of `body` (2.0).
    """

    data: Bytes
    label_starts: Ints
    label_ends: Ints
    counts: Ints
    time_ms: Ints
    values: npt.NDArray[np.float64]
    start_ms: Ints | None
    histograms: Ints
    metadata: Ints
    families: Ints | None
    exemplars: int
    body: Bytes
    symbols: Ints | None = None

    def __len__(self) -> int:
        return len(self.counts)


@compiled
def _count_fields(data):
    """Numbers of series and metadata; -1 series = malformed."""
    series = metadata = 0
    at, end = 0, len(data)
    while at < end:
        number, kind, _, at = field(data, at, end)
        if at < 0 or (number in (_SERIES, _METADATA) and kind != BYTES):
            return -1, 0
        series += number == _SERIES
        metadata += number == _METADATA
    return series, metadata


@compiled
def _count_samples(data):
    """Numbers of samples and histograms of a request whose series are counted; -1 = malformed."""
    samples = histograms = 0
    at, end = 0, len(data)
    while at < end:
        number, _, inner, at = field(data, at, end)
        while number == _SERIES and inner < at:
            sub, _, _, inner = field(data, inner, at)
            if inner < 0:
                return -1, 0
            samples += sub == _SAMPLES
            histograms += sub == _HISTOGRAMS
    return samples, histograms


@compiled
def _fill(data, label_starts, label_ends, counts, time_ms, bits, histograms, metadata):  # noqa: C901, PLR0912
    """Fill the arrays: 0 or what is wrong; numbers of samples, histograms and exemplars."""
    series = samples = n_histograms = n_exemplars = n_metadata = 0
    at, end = 0, len(data)
    while at < end:
        number, _, start, at = field(data, at, end)
        if number == _METADATA:
            metadata[n_metadata, 0], metadata[n_metadata, 1] = start, at
            n_metadata += 1
        if number != _SERIES:
            continue
        first, last, before, inner = -1, -1, samples, start
        while inner < at:
            tag_at = inner
            sub, kind, content, inner = field(data, inner, at)
            if inner < 0 or (_LABELS <= sub <= _HISTOGRAMS and kind != BYTES):
                return _MALFORMED, 0, 0, 0
            if sub == _LABELS:
                if first < 0:
                    first = tag_at
                elif last != tag_at:
                    return _INTERLEAVED, 0, 0, 0
                last = inner
            elif sub == _SAMPLES:
                if samples == len(time_ms):
                    return _FULL, 0, 0, 0
                time_ms[samples], bits[samples], sound = _sample(data, content, inner)
                if not sound:
                    return _MALFORMED, 0, 0, 0
                samples += 1
            elif sub == _HISTOGRAMS:
                if n_histograms == len(histograms):
                    return _FULL, 0, 0, 0
                histograms[n_histograms, 0] = series
                histograms[n_histograms, 1], histograms[n_histograms, 2] = content, inner
                n_histograms += 1
            elif sub == _EXEMPLARS:
                n_exemplars += 1
        label_starts[series], label_ends[series] = max(first, 0), max(last, 0)
        counts[series] = samples - before
        series += 1
    return 0, samples, n_histograms, n_exemplars


@compiled
def _sample(data, at, end):
    """A sample's time, the bits of its value, and whether it is one."""
    time, bits = np.int64(0), np.uint64(0)
    while at < end:
        number, kind, start, at = field(data, at, end)
        if at < 0:
            return time, bits, False
        if number == _VALUE:
            if kind != FIXED64:
                return time, bits, False
            bits = fixed64(data, start)
        elif number == _TIMESTAMP:
            if kind != VARINT:
                return time, bits, False
            time = np.int64(varint(data, start, at)[0])
    return time, bits, True


@compiled
def _put_labels_first(data, out):
    """Copy a request, in each series its labels before all else; whether it is sound so far."""
    at, end, written = 0, len(data), 0
    while at < end:
        tag_at = at
        number, _, start, at = field(data, at, end)
        if at < 0:
            return False
        if number != _SERIES:
            start = at
        out[written : written + start - tag_at] = data[tag_at:start]
        written += start - tag_at
        for labels in (True, False):
            inner = start
            while inner < at:
                tag_at = inner
                sub, _, _, inner = field(data, inner, at)
                if inner < 0:
                    return False
                if (sub == _LABELS) == labels:
                    out[written : written + inner - tag_at] = data[tag_at:inner]
                    written += inner - tag_at
    return True


def scan(data: Bytes, bounds: Bounds) -> Scan:
    """Find everything in an uncompressed `prometheus.WriteRequest`.

    Raises:
        MalformedBodyError: it is no such message.
        TooManyEntriesError: it holds more than it may.
    """
    n_series, n_metadata = _count_fields(data)
    if n_series < 0:
        raise MalformedBodyError("body is no prometheus.WriteRequest")
    bounds.check(n_series, 0, n_metadata)
    problem, found = _filled(data, n_series, n_series, 0, n_metadata)
    if problem == _FULL:
        n_samples, n_histograms = _count_samples(data)
        if n_samples < 0:
            raise MalformedBodyError("body is no prometheus.WriteRequest")
        bounds.check(n_series, n_samples + n_histograms, n_metadata)
        problem, found = _filled(data, n_series, n_samples, n_histograms, n_metadata)
    if problem == _INTERLEAVED:
        ordered = np.empty_like(data)
        if _put_labels_first(data, ordered):
            ordered.flags.writeable = False  # as `data` is: else all would be compiled once more
            return scan(ordered, bounds)
    if problem:
        raise MalformedBodyError("body is no prometheus.WriteRequest: a series or sample is none")
    bounds.check(n_series, len(found.time_ms) + len(found.histograms), n_metadata)
    return found


def _filled(
    data: Bytes, n_series: int, n_samples: int, n_histograms: int, n_metadata: int
) -> tuple[int, Scan]:
    """What is wrong (0 = nothing), and what was found, with room for so much."""
    label_starts, label_ends, counts = np.empty((3, n_series), np.int64)
    time_ms, values = np.empty(n_samples, np.int64), np.empty(n_samples, np.float64)
    histograms = np.empty((n_histograms, 3), np.int64)
    metadata = np.empty((n_metadata, 2), np.int64)
    room = n_samples
    problem, n_samples, n_histograms, n_exemplars = _fill(
        data,
        label_starts,
        label_ends,
        counts,
        time_ms,
        values.view(np.uint64),
        histograms,
        metadata,
    )
    time_ms, values = time_ms[:n_samples], values[:n_samples]
    if 2 * n_samples < room:
        # Counted by samples while they wait for the lake, they must not hold the room of more.
        time_ms, values = time_ms.copy(), values.copy()
    return problem, Scan(
        data=data,
        label_starts=label_starts,
        label_ends=label_ends,
        counts=counts,
        time_ms=time_ms,
        values=values,
        start_ms=None,
        histograms=histograms[:n_histograms],
        metadata=metadata,
        families=None,
        exemplars=n_exemplars,
        body=data,
    )
