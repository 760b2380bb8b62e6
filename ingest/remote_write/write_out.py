"""Writing remote write 1.0 in compiled code: series as they are stored, labels of buckets.

Each is two passes: the first tells how many bytes the second writes. Numbers that become varints
are unsigned 64 bits, as protobuf writes negative ones too. https://protobuf.dev/programming-guides/encoding/
"""
# ruff: noqa: ANN001
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

import numpy as np
import numpy.typing as npt

from ingest.compiled import compiled
from ingest.protobuf import varint
from ingest.remote_write.scan import Bytes, Ints

Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

# Fields of prometheus.WriteRequest and below, with their wire types.
_SERIES_TAG, _METADATA_TAG = 0x0A, 0x1A
_LABEL_TAG, _SAMPLE_TAG, _HISTOGRAM_TAG = 0x0A, 0x12, 0x22
_NAME_TAG, _TEXT_TAG = 0x0A, 0x12
_VALUE_TAG, _TIME_TAG = 0x09, 0x10

METRIC, BOUND = b"__name__", b"le"

_METRIC, _BOUND = np.frombuffer(METRIC, np.uint8), np.frombuffer(BOUND, np.uint8)
_METRIC_HEAD = np.frombuffer(b"\x0a\x08" + METRIC + b"\x12", np.uint8)
_BOUND_HEAD = np.frombuffer(b"\x0a\x02" + BOUND + b"\x12", np.uint8)
"""A label's content up to the length of its value."""

START, END, METRIC_AT, TEXT_AT, METRIC_END, BOUND_AT = range(6)
"""Columns of `places_of_labels`; `METRIC_AT` is -1 for labels that are not regular."""


@compiled
def _size(number):
    """Bytes of an unsigned number as a varint."""
    size = 1
    number = np.uint64(number)
    while number >= np.uint64(0x80):
        number >>= np.uint64(7)
        size += 1
    return size


@compiled
def _put(out, at, number):
    """Write an unsigned number as a varint; the offset after it."""
    number = np.uint64(number)
    while number >= np.uint64(0x80):
        out[at] = np.uint8((number & np.uint64(0x7F)) | np.uint64(0x80))
        number >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(number)
    return at + 1


@compiled
def _field_size(size):
    """Bytes of a field that holds so many."""
    return 1 + _size(size) + size


@compiled
def _copy(out, at, data, start, end):
    """Copy a slice; the offset after it."""
    for index in range(start, end):
        out[at + index - start] = data[index]
    return at + end - start


@compiled
def _put_field(out, at, tag, data, start, end):
    """Write a slice as a field; the offset after it."""
    out[at] = tag
    return _copy(out, _put(out, at + 1, end - start), data, start, end)


@compiled
def _sample_size(time, bits):
    """Bytes of a sample's content. Zeros are left out, as protobuf does; but not -0.0."""
    zero = np.uint64(0)
    return (9 if bits != zero else 0) + (1 + _size(time) if time != zero else 0)


@compiled
def _put_sample(out, at, time, bits):
    out[at] = _SAMPLE_TAG
    at = _put(out, at + 1, _sample_size(time, bits))
    if bits != np.uint64(0):
        out[at] = _VALUE_TAG
        for place in range(8):
            out[at + 1 + place] = np.uint8((bits >> np.uint64(8 * place)) & np.uint64(0xFF))
        at += 9
    if time != np.uint64(0):
        out[at] = _TIME_TAG
        at = _put(out, at + 1, time)
    return at


@compiled
def sizes_of_kept(
    label_starts: Ints,
    label_ends: Ints,
    counts: Ints,
    time: Words,
    bits: Words,
    start: Words,
    histograms: Ints,
    samples: Mask,
    began: Mask,
    kept: Mask,
    sizes: Ints,
) -> int:
    """How many bytes each series takes, 0 where nothing of it is kept; and all of them together.

    `time`, `bits` and `start` are uint64[n_samples], `samples` and `began` bool[n_samples]: what
    is kept, and before what a 0 stands; `kept` is bool[n_histograms].
    """
    total = sample = row = 0
    for series in range(len(counts)):
        size = 0
        for index in range(sample, sample + counts[series]):
            if samples[index]:
                if began[index]:
                    size += _field_size(_sample_size(start[index], np.uint64(0)))
                size += _field_size(_sample_size(time[index], bits[index]))
        sample += counts[series]
        while row < len(histograms) and histograms[row, 0] == series:
            if kept[row]:
                size += _field_size(histograms[row, 2] - histograms[row, 1])
            row += 1
        if size > 0:
            size += label_ends[series] - label_starts[series]
            total += _field_size(size)
        sizes[series] = size
    return total


@compiled
def write_kept(
    data: Bytes,
    label_starts: Ints,
    label_ends: Ints,
    counts: Ints,
    time: Words,
    bits: Words,
    start: Words,
    body: Bytes,
    histograms: Ints,
    samples: Mask,
    began: Mask,
    kept: Mask,
    sizes: Ints,
    out: Bytes,
) -> int:
    """Write the series that `sizes_of_kept` gave sizes of; the offset after them."""
    at = sample = row = 0
    for series in range(len(counts)):
        if sizes[series] > 0:
            out[at] = _SERIES_TAG
            at = _put(out, at + 1, sizes[series])
            at = _copy(out, at, data, label_starts[series], label_ends[series])
        for index in range(sample, sample + counts[series]):
            if samples[index]:
                if began[index]:
                    at = _put_sample(out, at, start[index], np.uint64(0))
                at = _put_sample(out, at, time[index], bits[index])
        sample += counts[series]
        while row < len(histograms) and histograms[row, 0] == series:
            if kept[row]:
                at = _put_field(
                    out, at, _HISTOGRAM_TAG, body, histograms[row, 1], histograms[row, 2]
                )
            row += 1
    return at


@compiled
def size_of_metadata(metadata: Ints) -> int:
    """How many bytes descriptions take."""
    total = 0
    for row in range(len(metadata)):
        total += _field_size(metadata[row, 1] - metadata[row, 0])
    return total


@compiled
def write_metadata(body: Bytes, metadata: Ints, out: Bytes, at: int) -> int:
    """Write descriptions as they came, from an offset on; the offset after them."""
    for row in range(len(metadata)):
        at = _put_field(out, at, _METADATA_TAG, body, metadata[row, 0], metadata[row, 1])
    return at


@compiled
def _text(data, at, end, tag):
    """Where the content of a text field begins and ends; -1 if it is empty or oddly written."""
    if at < 0 or at >= end or data[at] != tag:
        return -1, -1
    size, start = varint(data, at + 1, end)
    if start < 0 or size == np.uint64(0) or size > np.uint64(end - start):
        return -1, -1
    if start - at != 1 + _size(size):
        return -1, -1
    return start, start + np.int64(size)


@compiled
def _order(data, start, end, other, other_start, other_end):
    """How two texts are sorted: below 0, 0 or above 0."""
    for place in range(min(end - start, other_end - other_start)):
        one, two = data[start + place], other[other_start + place]
        if one != two:
            return -1 if one < two else 1
    return (end - start) - (other_end - other_start)


@compiled
def _label(data, at, end):
    """Where a label's name begins and ends, its value begins, and it ends; -1 as in `_text`."""
    start, after = _text(data, at, end, _LABEL_TAG)
    name, name_end = _text(data, start, after, _NAME_TAG)
    text, text_end = _text(data, name_end, after, _TEXT_TAG)
    if start < 0 or name < 0 or text < 0 or text_end != after:
        return -1, -1, -1, -1
    return name, name_end, text, after


@compiled
def places_of_labels(data: Bytes, starts: Ints, ends: Ints, places: Ints) -> None:
    """Where the labels of native series have their metric, and where `le` would stand.

    Regular labels are sorted, none stands twice or is empty, with a metric and without `le`.
    """
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        places[row, START], places[row, END] = at, end
        places[row, METRIC_AT], places[row, BOUND_AT] = -1, end
        last = last_end = at
        while at < end:
            name, name_end, text, after = _label(data, at, end)
            if name < 0 or _order(data, last, last_end, data, name, name_end) >= 0:
                break
            order = _order(data, name, name_end, _BOUND, 0, len(_BOUND))
            if order == 0:
                break
            if order > 0 and places[row, BOUND_AT] == end:
                places[row, BOUND_AT] = at
            if _order(data, name, name_end, _METRIC, 0, len(_METRIC)) == 0:
                places[row, METRIC_AT], places[row, TEXT_AT] = at, text
                places[row, METRIC_END] = after
            last, last_end, at = name, name_end, after
        if at < end:
            places[row, METRIC_AT] = -1


@compiled
def sizes_of_parts(places: Ints, rows: Ints, codes: Ints, texts: Ints, sizes: Ints) -> int:
    """How many bytes the labels of each part take (0 if not regular), and all of them together.

    `rows` are the parts' places in `places`, `codes` in `texts`: those have the slices of suffix
    and `le`, which is empty where there is none.
    """
    total = 0
    for part in range(len(rows)):
        row, code = rows[part], codes[part]
        sizes[part] = 0
        if places[row, METRIC_AT] < 0:
            continue
        size = places[row, END] - places[row, START]
        size -= places[row, METRIC_END] - places[row, METRIC_AT]
        text = places[row, METRIC_END] - places[row, TEXT_AT] + texts[code, 1] - texts[code, 0]
        size += _field_size(len(_METRIC_HEAD) + _size(text) + text)
        bound = texts[code, 3] - texts[code, 2]
        if bound > 0:
            size += _field_size(len(_BOUND_HEAD) + _size(bound) + bound)
        sizes[part] = size
        total += size
    return total


@compiled
def write_parts(
    data: Bytes,
    places: Ints,
    rows: Ints,
    codes: Ints,
    letters: Bytes,
    texts: Ints,
    sizes: Ints,
    out: Bytes,
) -> int:
    """Write the labels of each part, one after the other; `texts` are slices of `letters`."""
    at = 0
    for part in range(len(rows)):
        if sizes[part] == 0:
            continue
        row, code = rows[part], codes[part]
        at = _copy(out, at, data, places[row, START], places[row, METRIC_AT])
        text = places[row, METRIC_END] - places[row, TEXT_AT] + texts[code, 1] - texts[code, 0]
        out[at] = _LABEL_TAG
        at = _put(out, at + 1, len(_METRIC_HEAD) + _size(text) + text)
        at = _copy(out, at, _METRIC_HEAD, 0, len(_METRIC_HEAD))
        at = _copy(out, _put(out, at, text), data, places[row, TEXT_AT], places[row, METRIC_END])
        at = _copy(out, at, letters, texts[code, 0], texts[code, 1])
        at = _copy(out, at, data, places[row, METRIC_END], places[row, BOUND_AT])
        bound = texts[code, 3] - texts[code, 2]
        if bound > 0:
            out[at] = _LABEL_TAG
            at = _put(out, at + 1, len(_BOUND_HEAD) + _size(bound) + bound)
            at = _copy(out, at, _BOUND_HEAD, 0, len(_BOUND_HEAD))
            at = _copy(out, _put(out, at, bound), letters, texts[code, 2], texts[code, 3])
        at = _copy(out, at, data, places[row, BOUND_AT], places[row, END])
    return at
