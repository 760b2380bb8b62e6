"""Reading protobuf's wire format in compiled code: varints, lengths, what may be skipped.

Bounds are checked here, because numba does not: every read stays within `end`. Numbers are
little-endian, as all processors that numba compiles for are. An offset of -1 says that the bytes
are no protobuf. https://protobuf.dev/programming-guides/encoding/
"""

from typing import Any

import numpy as np
from numba import config, types
from numba.extending import intrinsic

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


def _fixed64(data, at):
    """The eight bytes at an offset as a little-endian number; the caller has checked the end."""
    if not 0 <= at <= len(data) - 8:
        raise IndexError(f"bug: 8 bytes at {at} of {len(data)}")
    return np.uint64(int.from_bytes(data[at : at + 8].tobytes(), "little"))


def _load_fixed64(typing, data, at):
    """One load, where numba would make eight of it: hashing is three times as fast."""

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.gep(array.data, [arguments[1]])
        words = context.get_value_type(types.uint64).as_pointer()
        word = builder.load(builder.bitcast(address, words))
        word.align = 1
        return word

    return types.uint64(data, types.intp), generate


# Run by the interpreter (`NUMBA_DISABLE_JIT`, for fuzzing) it is plain Python, with its bounds.
fixed64: Any = _fixed64 if vars(config)["DISABLE_JIT"] else intrinsic(_load_fixed64)
