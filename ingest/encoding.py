"""Bodies as they travel: what `Content-Encoding` says, undone within a limit."""

import zlib

import pyarrow as pa

from ingest.errors import BodyTooLargeError, MalformedBodyError, UnsupportedProtocolError

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's: 15 = a window of 32 kB, + 16 = with gzip's head."""

MAX_MEMBERS = 1_000
"""Of gzip, in one body: a writer makes one at each flush. Each costs a copy of what comes after."""


def decompress(body: bytes, encoding: str | None, limit: int) -> bytes:
    """The plain body; never more than `limit` bytes of it are made.

    >>> import gzip
    >>> decompress(gzip.compress(b"[]"), "gzip", 100)
    b'[]'

    Args:
        body: as it came.
        encoding: `Content-Encoding`; none, `identity`, `gzip`, `deflate` or `zstd`.
        limit: bytes that it may unpack to.

    Raises:
        UnsupportedProtocolError: another encoding.
        MalformedBodyError: it is not what the header says.
        BodyTooLargeError: it would unpack to more.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name == "zstd":
        return _zstd(body, limit)
    if name not in _WINDOW_BITS:
        raise UnsupportedProtocolError("Content-Encoding", name, "gzip, deflate, zstd or identity")
    return _deflated(body, name, limit)


def _deflated(body: bytes, name: str, limit: int) -> bytes:
    """Of gzip also several members, one after the other, as RFC 1952 has it."""
    plain, rest = bytearray(), body
    for _ in range(MAX_MEMBERS):
        stream = zlib.decompressobj(_WINDOW_BITS[name])
        try:
            plain += stream.decompress(rest, limit + 1 - len(plain))
        except zlib.error as error:
            raise MalformedBodyError(f"body is not {name}: {error}") from error
        if len(plain) > limit:
            raise BodyTooLargeError(len(plain), limit, "unpacked body")
        if not stream.eof:
            raise MalformedBodyError(f"body ends within its {name} stream")
        rest = stream.unused_data
        if not rest:
            return bytes(plain)
        if name == "deflate":
            raise MalformedBodyError("body goes on after its deflate stream")
    raise MalformedBodyError(f"body has more than {MAX_MEMBERS} {name} members")


def _zstd(body: bytes, limit: int) -> bytes:
    if not body:
        raise MalformedBodyError("body is no zstd: it is empty")
    try:
        # As a stream: what is beyond the limit is never unpacked, whatever the frame announces.
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            plain = stream.read(limit + 1)
    except OSError as error:
        raise MalformedBodyError(f"body is no zstd: {error}") from error
    if len(plain) > limit:
        raise BodyTooLargeError(len(plain), limit, "unpacked body")
    return bytes(plain)
