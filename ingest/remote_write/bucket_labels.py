"""Labels of the classic series of native histograms, in compiled code.

The labels of a histogram with a suffix on the metric's name, and `le` in its place among them. Two
passes: the first tells how many bytes the second writes.
"""

import numpy as np

from ingest.compiled import compiled
from ingest.protobuf import varint
from ingest.protobuf_out import copy, field_size, put_varint, varint_size
from ingest.remote_write.scan import Bytes, Ints

_LABEL_TAG = 0x0A
_NAME_TAG, _TEXT_TAG = 0x0A, 0x12

METRIC, BOUND = b"__name__", b"le"

_METRIC, _BOUND = np.frombuffer(METRIC, np.uint8), np.frombuffer(BOUND, np.uint8)
_METRIC_HEAD = np.frombuffer(b"\x0a\x08" + METRIC + b"\x12", np.uint8)
_BOUND_HEAD = np.frombuffer(b"\x0a\x02" + BOUND + b"\x12", np.uint8)
"""A label's content up to the length of its value."""

START, END, METRIC_AT, TEXT_AT, METRIC_END, BOUND_AT = range(6)
"""Columns of `places_of_labels`; `METRIC_AT` is -1 for labels that are not regular."""


@compiled
def _text(data, at, end, tag):
    """Where the content of a text field begins and ends; -1 if it is empty or oddly written."""
    if at < 0 or at >= end or data[at] != tag:
        return -1, -1
    size, start = varint(data, at + 1, end)
    if start < 0 or size == np.uint64(0) or size > np.uint64(end - start):
        return -1, -1
    if start - at != 1 + varint_size(size):
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
        size += field_size(len(_METRIC_HEAD) + varint_size(text) + text)
        bound = texts[code, 3] - texts[code, 2]
        if bound > 0:
            size += field_size(len(_BOUND_HEAD) + varint_size(bound) + bound)
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
        at = copy(out, at, data, places[row, START], places[row, METRIC_AT])
        text = places[row, METRIC_END] - places[row, TEXT_AT] + texts[code, 1] - texts[code, 0]
        out[at] = _LABEL_TAG
        at = put_varint(out, at + 1, len(_METRIC_HEAD) + varint_size(text) + text)
        at = copy(out, at, _METRIC_HEAD, 0, len(_METRIC_HEAD))
        at = copy(
            out, put_varint(out, at, text), data, places[row, TEXT_AT], places[row, METRIC_END]
        )
        at = copy(out, at, letters, texts[code, 0], texts[code, 1])
        at = copy(out, at, data, places[row, METRIC_END], places[row, BOUND_AT])
        bound = texts[code, 3] - texts[code, 2]
        if bound > 0:
            out[at] = _LABEL_TAG
            at = put_varint(out, at + 1, len(_BOUND_HEAD) + varint_size(bound) + bound)
            at = copy(out, at, _BOUND_HEAD, 0, len(_BOUND_HEAD))
            at = copy(out, put_varint(out, at, bound), letters, texts[code, 2], texts[code, 3])
        at = copy(out, at, data, places[row, BOUND_AT], places[row, END])
    return at
