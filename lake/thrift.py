"""Thrift's compact protocol, as far as Parquet's footers and page headers use it.

Generic: a struct is a dict of numbered fields, each with its wire type, so that what a newer
Parquet adds is carried along unread. Written for footers of kilobytes, not for speed.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lake.errors import FooterError

BOOL: Final = 2
BYTE: Final = 3
I16: Final = 4
I32: Final = 5
I64: Final = 6
DOUBLE: Final = 7
BINARY: Final = 8
LIST: Final = 9
STRUCT: Final = 12

_TRUE, _FALSE, _STOP = 1, 2, 0
_INTEGERS = (I16, I32, I64)
_BITS = {I16: 16, I32: 32, I64: 64}

_LONG = 15
"""A list of so many elements, or a field so far from the one before, spells the number out."""

_DEEPEST = 32
"""Parquet nests seven deep; a damaged footer must not exhaust the stack."""


class Field(NamedTuple):
    """The value of a field and its wire type, one of the constants above."""

    type: int
    value: Any


Struct = dict[int, Field]


@dataclass(frozen=True, slots=True)
class List:
    """A list and the wire type of its elements."""

    type: int
    items: list[Any]


def encode(fields: Struct) -> bytes:
    r"""A struct as bytes.

    >>> encode({1: Field(I32, 3), 5: Field(BINARY, b"up"), 6: Field(BOOL, True)}).hex(" ")
    '15 06 48 02 75 70 11 00'
    """
    out = bytearray()
    _put_struct(out, fields)
    return bytes(out)


def decode(data: bytes | memoryview, start: int = 0) -> tuple[Struct, int]:
    r"""The struct that begins at `start`, and where it ends.

    >>> decode(bytes.fromhex("15 06 48 02 75 70 11 00"))
    ({1: Field(type=5, value=3), 5: Field(type=8, value=b'up'), 6: Field(type=2, value=True)}, 8)

    Raises:
        FooterError: the bytes are cut off, or are no such struct.
    """
    reader = _Reader(memoryview(data), start)
    return reader.struct(0), reader.at


def varint(value: int) -> bytes:
    """A number of any size, seven bits a byte, the lowest first.

    >>> varint(300).hex(" ")
    'ac 02'
    """
    out = bytearray()
    _put_varint(out, value)
    return bytes(out)


def _put_struct(out: bytearray, fields: Struct) -> None:
    last = 0
    for number in sorted(fields):
        kind, value = fields[number]
        code = (_TRUE if value else _FALSE) if kind == BOOL else kind
        step = number - last
        if 0 < step <= _LONG:
            out.append(step << 4 | code)
        else:
            out.append(code)
            _put_varint(out, _zigzag(number))
        last = number
        if kind != BOOL:
            _put(out, kind, value)
    out.append(_STOP)


def _put(out: bytearray, kind: int, value: Any) -> None:
    if kind in _INTEGERS:
        _put_varint(out, _zigzag(value))
    elif kind == BINARY:
        _put_varint(out, len(value))
        out += value
    elif kind == STRUCT:
        _put_struct(out, value)
    elif kind == LIST:
        size = len(value.items)
        out.append(min(size, _LONG) << 4 | value.type)
        if size >= _LONG:
            _put_varint(out, size)
        for item in value.items:
            _put(out, value.type, item)
    elif kind == BOOL:
        out.append(_TRUE if value else _FALSE)
    elif kind == BYTE:
        out += struct.pack("b", value)
    elif kind == DOUBLE:
        out += struct.pack("<d", value)
    else:
        raise AssertionError(f"bug: no wire type {kind}")


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (~value << 1) | 1


def _put_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


class _Reader:
    """A place in the bytes, which moves on as they are read."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self.at = at

    def struct(self, depth: int) -> Struct:
        if depth > _DEEPEST:
            raise FooterError(self.at, f"structs are nested over {_DEEPEST} deep")
        fields: Struct = {}
        number = 0
        while (head := self._byte()) != _STOP:
            code, step = head & 0x0F, head >> 4
            number = number + step if step else self._integer(I16)
            if code in (_TRUE, _FALSE):
                fields[number] = Field(BOOL, code == _TRUE)
            else:
                fields[number] = Field(code, self._value(code, depth))
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self._integer(kind)
        if kind == BINARY:
            return bytes(self._take(self._varint(32)))
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind == LIST:
            return self._list(depth)
        if kind == BYTE:
            return struct.unpack("b", self._take(1))[0]
        if kind == DOUBLE:
            return struct.unpack("<d", self._take(8))[0]
        raise FooterError(self.at, f"wire type {kind} is none of Parquet's")

    def _list(self, depth: int) -> List:
        head = self._byte()
        kind, size = head & 0x0F, head >> 4
        if size == _LONG:
            size = self._varint(32)
        if size > len(self._data) - self.at:  # each element takes at least a byte
            raise FooterError(self.at, f"a list of {size} elements is longer than what follows")
        if depth > _DEEPEST:
            raise FooterError(self.at, f"lists are nested over {_DEEPEST} deep")
        if kind in (_TRUE, _FALSE):
            return List(BOOL, [self._byte() == _TRUE for _ in range(size)])
        return List(kind, [self._value(kind, depth + 1) for _ in range(size)])

    def _integer(self, kind: int) -> int:
        value = self._varint(_BITS[kind])
        return value >> 1 ^ -(value & 1)

    def _varint(self, bits: int) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if value >> bits:
                raise FooterError(self.at, f"a number has more than {bits} bits")
            if byte <= 0x7F:
                return value
            shift += 7

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, size: int) -> memoryview:
        end = self.at + size
        if not 0 <= self.at <= end <= len(self._data):
            raise FooterError(self.at, f"is cut off: {size} bytes are missing")
        found = self._data[self.at : end]
        self.at = end
        return found
