"""Bodies as they travel: what `Content-Encoding` says, undone within a limit."""

import zlib
from collections.abc import Callable
from functools import partial

import pyarrow as pa

from ingest.errors import BodyTooLargeError, MalformedBodyError, UnsupportedProtocolError

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's: 15 = a window of 32 kB, + 16 = with gzip's head."""

MAX_MEMBERS = 1_000
"""Of gzip, in one body: a writer makes one at each flush. Each costs a copy of what comes after."""


PART = 1 << 18
"""Bytes that are unpacked at a time, and counted before."""

Hold = Callable[[int], None]


def _hold_nothing(_: int) -> None:
    """Where nobody counts."""


def decompress(body: bytes, encoding: str | None, limit: int, hold: Hold = _hold_nothing) -> bytes:
    """The plain body; never more than `limit` bytes of it are made.

    >>> import gzip
    >>> decompress(gzip.compress(b"[]"), "gzip", 100)
    b'[]'

    Args:
        body: as it came.
        encoding: `Content-Encoding`; none, `identity`, `gzip`, `deflate` or `zstd`.
        limit: bytes that it may unpack to.
        hold: told of bytes before they are made, and with a negative number of those that were not
            needed; it may refuse by raising.

    Raises:
        UnsupportedProtocolError: another encoding.
        MalformedBodyError: it is not what the header says.
        BodyTooLargeError: it would unpack to more.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name == "zstd":
        return _zstd(body, limit, hold)
    if name not in _WINDOW_BITS:
        raise UnsupportedProtocolError("Content-Encoding", name, "gzip, deflate, zstd or identity")
    return _deflated(body, name, limit, hold)


class _Parts:
    """An unpacked body as it grows within its limit, counted before it does."""

    def __init__(self, limit: int, hold: Hold) -> None:
        self._limit, self._hold = limit, hold
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, unpack: Callable[[int], bytes]) -> bool:
        """Add what `unpack` makes of so many bytes at most; whether there may be more."""
        room = min(PART, self._limit + 1 - self._size)
        self._hold(room)
        part = unpack(room)
        self._hold(len(part) - room)
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._limit:
            raise BodyTooLargeError(self._size, self._limit, "unpacked body")
        return len(part) == room

    def joined(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


def _deflated(body: bytes, name: str, limit: int, hold: Hold) -> bytes:
    """Of gzip also several members, one after the other, as RFC 1952 has it."""
    plain, rest = _Parts(limit, hold), body
    for _ in range(MAX_MEMBERS):
        stream = zlib.decompressobj(_WINDOW_BITS[name])
        try:
            while plain.add(partial(stream.decompress, rest)) and not stream.eof:
                rest = stream.unconsumed_tail
        except zlib.error as error:
            raise MalformedBodyError(f"body is not {name}: {error}") from error
        if not stream.eof:
            raise MalformedBodyError(f"body ends within its {name} stream")
        rest = stream.unused_data
        if not rest:
            return plain.joined()
        if name == "deflate":
            raise MalformedBodyError("body goes on after its deflate stream")
    raise MalformedBodyError(f"body has more than {MAX_MEMBERS} {name} members")


def _zstd(body: bytes, limit: int, hold: Hold) -> bytes:
    if not body:
        raise MalformedBodyError("body is no zstd: it is empty")
    plain = _Parts(limit, hold)
    try:
        # As a stream: what is beyond the limit is never unpacked, whatever the frame announces.
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while plain.add(stream.read):
                pass
    except OSError as error:
        raise MalformedBodyError(f"body is no zstd: {error}") from error
    return plain.joined()
