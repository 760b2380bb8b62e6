"""Packed bodies: what they unpack to is bounded and counted, and no wire waits for another's."""

import gzip
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api import receiving
from api.body import read_body
from ingest import opa
from tests.patience import PATIENCE

PACKED = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
ROUTES = ["/v1/logs", "/v1/metrics", "/api/v1/events", "/logs", "/api/v2/alerts"]


def spaces(size):
    """A document of nothing that unpacks to so many bytes."""
    return gzip.compress(b"[" + b" " * (size - 2) + b"]")


@pytest.mark.parametrize("route", ROUTES)
def test_what_would_not_fit_unpacked_gets_503(start, route):
    with start(ingest={"max_buffered_samples": 100_000}) as running:
        reply = running.http.post(route, content=spaces(20 << 20), headers=PACKED)
        assert reply.status_code == 503
        assert int(reply.headers["retry-after"]) > 0
        assert running.service.receiver.queued.samples() == 0
        small = running.http.post(route, content=spaces(100_000), headers=PACKED)
        assert small.status_code != 503


def peak_bytes(since_now=False):
    """The most memory that this process has had."""
    if since_now:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if "VmHWM" in line)


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES)
def test_many_at_once_take_the_memory_of_two(start, route):
    body = spaces(30 << 20)
    with start() as running, ThreadPoolExecutor(24) as senders:
        before = peak_bytes(since_now=True)
        post = partial(running.http.post, content=body, headers=PACKED)
        replies = list(senders.map(lambda _: post(route), range(24)))
        assert peak_bytes() - before < 400 << 20
        assert {reply.status_code for reply in replies} <= {200, 202, 400, 503}
        assert running.service.receiver.queued.samples() == 0


def test_remote_write_does_not_wait_for_heavy_bodies_of_other_wires(start, samples, monkeypatch):
    gate, busy, translate = threading.Event(), threading.Semaphore(0), opa.translate

    def heavy(*arguments):
        busy.release()
        assert gate.wait(PATIENCE)
        return translate(*arguments)

    monkeypatch.setattr(opa, "translate", heavy)
    with start() as running, ThreadPoolExecutor(8) as senders:
        post = partial(running.http.post, "/logs", content=spaces(10_000), headers=PACKED)
        waiting = [senders.submit(post) for _ in range(8)]
        try:
            for _ in range(2):
                assert busy.acquire(timeout=PATIENCE)
            assert running.write(samples(500, cluster="c1")).status_code == 204
            assert not any(one.done() for one in waiting)
        finally:
            gate.set()
        assert {one.result(PATIENCE).status_code for one in waiting} == {200}


@pytest.mark.parametrize("route", ["/api/v1/write", "/v1/logs", "/api/v1/events"])
def test_a_body_that_comes_too_slowly_is_to_be_sent_again(start, monkeypatch, route):
    """A 408 would be final for a sender of remote write: it drops what gets a 4xx."""
    monkeypatch.setattr(receiving, "read_body", partial(read_body, seconds=0.2))
    with start() as running:
        url = urlsplit(str(running.http.base_url))
        remote_write = route == "/api/v1/write"
        media = "application/x-protobuf" if remote_write else "application/json"
        head = (
            f"POST {route} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: {media}\r\n"
        )
        head += "Content-Encoding: snappy\r\n" if remote_write else ""
        with socket.create_connection((url.hostname, url.port)) as slow:
            slow.settimeout(PATIENCE)
            slow.sendall(f"{head}Connection: close\r\n\r\nx".encode())
            reply = b"".join(iter(partial(slow.recv, 4096), b"")).decode().lower()
        assert reply.startswith("http/1.1 503")
        assert "\r\nretry-after: " in reply
        assert "body took longer than 0.2 s" in reply
        assert ("x-prometheus-remote-write-samples-written: 0" in reply) == remote_write
