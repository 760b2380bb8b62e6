"""Bodies as they travel are unpacked within the limit, and no further."""

import gzip
import tracemalloc
import zlib

import cramjam
import pytest

from ingest import encoding
from ingest.encoding import PART, decompress
from ingest.errors import (
    BodyTooLargeError,
    MalformedBodyError,
    OverloadedError,
    UnsupportedProtocolError,
)


def zstd(data):
    return bytes(cramjam.zstd.compress(data))


PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd}


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_up_to_the_limit(name, size):
    assert decompress(PACK[name](b"x" * size), name.upper(), 1000) == b"x" * size


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize("size", [1001, 50_000_000])
def test_beyond_the_limit_it_is_too_large_and_never_unpacked(name, size):
    body = PACK[name](b"x" * size)
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLargeError):
            decompress(body, name, 1000)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_several_members_are_one_body(name):
    body = PACK[name](b"[1,") + PACK[name](b"") + PACK[name](b"2]")
    assert decompress(body, name, 5) == b"[1,2]"
    with pytest.raises(BodyTooLargeError):
        decompress(body, name, 4)


def test_members_without_end_are_refused(monkeypatch):
    monkeypatch.setattr(encoding, "MAX_MEMBERS", 3)
    assert decompress(gzip.compress(b"") * 3, "gzip", 9) == b""
    with pytest.raises(MalformedBodyError, match="more than 3"):
        decompress(gzip.compress(b"") * 4, "gzip", 9)


@pytest.mark.parametrize("name", PACK)
def test_what_is_not_as_announced(name):
    whole = PACK[name](bytes(range(256)))
    for body in (b"", b"[]", whole[:-3], whole + b"junkjunkjunk"):
        with pytest.raises(MalformedBodyError):
            decompress(body, name, 1000)


def test_others_are_not_understood():
    assert decompress(b"x", None, 1) == b"x"
    with pytest.raises(UnsupportedProtocolError):
        decompress(b"x", "br", 1)


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 3 * PART])
def test_bytes_are_counted_before_they_are_made(name, size):
    held = []
    assert len(decompress(PACK[name](bytes(size)), name, 4 * PART, held.append)) == size
    assert sum(held) == size
    assert held[0] == PART

    def refuse(more):
        held.append(more)
        if sum(held) > 2 * PART:
            raise OverloadedError(1, 1, 1)

    held.clear()
    if size > 2 * PART:
        with pytest.raises(OverloadedError):
            decompress(PACK[name](bytes(size)), name, 4 * PART, refuse)
