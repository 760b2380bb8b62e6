"""Writing protobuf's wire format in compiled code; the caller has seen to the room.

Numbers that become varints are unsigned 64 bits, as protobuf writes negative ones too.
https://protobuf.dev/programming-guides/encoding/
"""

import numpy as np

from ingest.compiled import compiled


@compiled
def varint_size(number):
    """Bytes of an unsigned number as a varint."""
    size = 1
    number = np.uint64(number)
    while number >= np.uint64(0x80):
        number >>= np.uint64(7)
        size += 1
    return size


@compiled
def put_varint(out, at, number):
    """Write an unsigned number as a varint; the offset after it."""
    number = np.uint64(number)
    while number >= np.uint64(0x80):
        out[at] = np.uint8((number & np.uint64(0x7F)) | np.uint64(0x80))
        number >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(number)
    return at + 1


@compiled
def field_size(size):
    """Bytes of a field that holds so many."""
    return 1 + varint_size(size) + size


@compiled
def copy(out, at, data, start, end):
    """Copy a slice; the offset after it."""
    for index in range(start, end):
        out[at + index - start] = data[index]
    return at + end - start


@compiled
def put_field(out, at, tag, data, start, end):
    """Write a slice as a field; the offset after it."""
    out[at] = tag
    return copy(out, put_varint(out, at + 1, end - start), data, start, end)
