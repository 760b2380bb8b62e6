"""Bodies as they travel: what `Content-Encoding` says, undone within a limit."""

import zlib

import cramjam

from ingest.errors import BodyTooLargeError, MalformedBodyError, UnsupportedProtocolError

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's: 15 = a window of 32 kB, + 16 = with gzip's head."""


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
    stream = zlib.decompressobj(_WINDOW_BITS[name])
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise MalformedBodyError(f"body is not {name}: {error}") from error
    if len(plain) > limit:
        raise BodyTooLargeError(len(plain), limit, "unpacked body")
    if not stream.eof:
        raise MalformedBodyError(f"body ends within its {name} stream")
    if stream.unused_data:
        raise MalformedBodyError(f"body goes on after its {name} stream")
    return plain


def _zstd(body: bytes, limit: int) -> bytes:
    # A buffer of the limit's size and one more: what does not fit is an error, not an allocation.
    room = cramjam.Buffer(bytes(limit + 1))
    try:
        size = cramjam.zstd.decompress_into(body, room)
    except (cramjam.DecompressionError, ValueError) as error:
        raise MalformedBodyError(
            f"body is no zstd, or unpacks to more than {limit} bytes: {error}"
        ) from error
    if size > limit:
        raise BodyTooLargeError(size, limit, "unpacked body")
    room.seek(0)
    return bytes(room.read(size))
