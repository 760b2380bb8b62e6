"""Reading protobuf's wire format in compiled code: varints, lengths, what may be skipped.

Bounds are checked here, because numba does not: every read stays within `end`. An offset of -1 says
that the bytes are no protobuf. https://protobuf.dev/programming-guides/encoding/
"""

import numpy as np

from ingest.compiled import compiled

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""

_MAX_SHIFT = 63


@compiled
def varint(data, at, end):
    """The unsigned number at an offset, and the offset after it."""
    value = np.uint64(0)
    shift = 0
    while at < end and shift <= _MAX_SHIFT:
        byte = data[at]
        at += 1
        value |= np.uint64(byte & 0x7F) << np.uint64(shift)
        if byte < 0x80:
            return value, at
        shift += 7
    return value, -1


@compiled
def field(data, at, end):
    """A field: its number, its wire type, where its content begins, and where it ends.

    The content of a varint or fixed number is its bytes; of bytes it is them, without the length.
    """
    tag, at = varint(data, at, end)
    number, kind = np.int64(tag >> np.uint64(3)), np.int64(tag & np.uint64(7))
    if at < 0 or number <= 0 or number > 0x1FFFFFFF:
        return 0, 0, 0, -1
    if kind == BYTES:
        size, at = varint(data, at, end)
        if at < 0 or size > np.uint64(end - at):
            return 0, 0, 0, -1
        return number, kind, at, at + np.int64(size)
    if kind == VARINT:
        _, after = varint(data, at, end)
        return number, kind, at, after
    after = at + (8 if kind == FIXED64 else 4)
    if kind not in (FIXED64, FIXED32) or after > end:
        # Groups (3 and 4) have been out of use since proto3.
        return 0, 0, 0, -1
    return number, kind, at, after


@compiled
def fixed64(data, at):
    """The eight bytes at an offset as a little-endian number; the caller has checked the end."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + 1]) << np.uint64(8)
        | np.uint64(data[at + 2]) << np.uint64(16)
        | np.uint64(data[at + 3]) << np.uint64(24)
        | np.uint64(data[at + 4]) << np.uint64(32)
        | np.uint64(data[at + 5]) << np.uint64(40)
        | np.uint64(data[at + 6]) << np.uint64(48)
        | np.uint64(data[at + 7]) << np.uint64(56)
    )
