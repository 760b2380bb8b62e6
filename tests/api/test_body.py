"""Bodies that come slowly: they count while they come, and they do not come for ever."""

import asyncio
import socket
from urllib.parse import urlsplit

import pytest
from fastapi import Request

from api.body import read_body
from api.errors import SlowBodyError
from ingest.errors import BodyTooLargeError


def request(*parts, delay=0.0):
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]

    async def receive():
        await asyncio.sleep(delay)
        return waiting.pop(0) if waiting else {"type": "http.request", "body": b""}

    return Request({"type": "http", "headers": []}, receive)


def test_what_has_come_is_held_until_it_is_whole():
    held = []
    assert asyncio.run(read_body(request(b"ab", b"c"), 10, held.append)) == b"abc"
    assert [size for size in held if size] == [2, 1, -3]


def test_what_is_too_large_is_let_go():
    held = []
    with pytest.raises(BodyTooLargeError):
        asyncio.run(read_body(request(b"ab", b"c"), 2, held.append))
    assert sum(held) == 0


def test_a_body_that_drips_is_given_up():
    held = []
    with pytest.raises(SlowBodyError, match=r"longer than 0\.3 s"):
        asyncio.run(read_body(request(*[b"x"] * 50, delay=0.05), 100, held.append, 0.3))
    assert held[0] == 1
    assert sum(held) == 0


def test_half_read_bodies_count_towards_the_ceiling(start, samples):
    with start(ingest={"max_buffered_samples": 50_000}) as running:
        url = urlsplit(str(running.http.base_url))
        with socket.create_connection((url.hostname, url.port)) as slow:
            head = "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n"
            head += "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\r\n"
            slow.sendall(head.encode() + bytes(1_500_000))
            slow.settimeout(10)
            assert slow.recv(100).startswith(b"HTTP/1.1 503")
        # Its memory is free again.
        assert running.write(samples(1, cluster="c1")).status_code == 204
