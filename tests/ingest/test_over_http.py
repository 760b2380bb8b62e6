"""The receiver behind a real server: heavy bodies, hung-up senders, a log that fails."""

import gc
import logging
import os
import socket
import struct
import threading
import time

import httpx
import pytest

from api.app import create_app
from api.server import bind, serving
from ingest.remote_write import message
from orchestration.service import Service
from orchestration.settings import Settings
from tests.patience import PATIENCE

WRITE = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


@pytest.fixture
def service(tmp_path, noon):
    return Service.build(Settings(data_dir=tmp_path / "data"), lambda: noon)


@pytest.fixture
def http(service):
    with (
        serving(create_app(service, run_worker=False), bind("127.0.0.1", 0)) as url,
        httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client,
    ):
        yield client


def new_series(body, now_ms, n, first=0):
    pairs = [("__name__", "up"), ("cluster", "eu")]
    return body(*(([*pairs, ("x", str(first + i))], [(now_ms, 1.0)]) for i in range(n)))


def share_waited(http, act):
    """The longest that a small request had to wait while `act` ran, of the time that it took."""
    done = threading.Thread(target=act)
    waits = []
    with httpx.Client(base_url=http.base_url, timeout=PATIENCE, trust_env=False) as other:
        other.get("/healthz")
        began = time.perf_counter()
        done.start()
        while done.is_alive():
            started = time.perf_counter()
            other.get("/healthz")
            waits.append(time.perf_counter() - started)
    done.join()
    return max(waits) / (time.perf_counter() - began)


@pytest.fixture
def frozen():
    """As `api.server.serve` does: what other tests have left is not looked through meanwhile."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.alone
@pytest.mark.usefixtures("frozen")
def test_a_heavy_body_does_not_hold_up_the_others(http, body, now_ms):
    """90,000 new series take seconds. Whatever blocks the others while it works does so always."""
    shares = []
    while len(shares) < 3 and min(shares, default=1) >= 0.4:
        heavy, answers = new_series(body, now_ms, 90_000, 90_000 * len(shares)), []

        def send(heavy=heavy, answers=answers):
            answers.append(http.post("/api/v1/write", content=heavy, headers=WRITE))

        shares.append(share_waited(http, send))
        assert [answer.status_code for answer in answers] == [204]
        assert answers[0].headers["X-Prometheus-Remote-Write-Samples-Written"] == "90000"
    assert min(shares) < 0.4


def test_a_bomb_of_descriptions_is_refused(http, service):
    bomb = message.pack(b"\x1a\x00" * 2_000_000)
    assert len(bomb) < 200_000
    answer = http.post("/api/v1/write", content=bomb, headers=WRITE)
    assert answer.status_code == 413
    assert "at most 10000" in answer.json()["detail"]
    assert service.receiver.log_bytes() == 0


def test_beyond_the_known_series_it_is_an_overload(http, service, body, now_ms):
    service.receiver.catalogue.max_series = 1
    assert [
        http.post("/api/v1/write", content=new_series(body, now_ms, n), headers=WRITE).status_code
        for n in (1, 2, 1)
    ] == [204, 503, 204]


@pytest.mark.parametrize("path", ["/api/v1/write", "/api/v1/events"])
def test_a_sender_that_hangs_up_is_no_error(http, service, path, caplog):
    address = (http.base_url.host, http.base_url.port)
    with caplog.at_level(logging.WARNING), socket.create_connection(address) as sender:
        lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Length: 1000"]
        lines += [f"{name}: {value}" for name, value in WRITE.items()]
        sender.sendall("\r\n".join([*lines, "", "a part"]).encode())
        time.sleep(0.2)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sender.close()
        time.sleep(0.3)
        assert http.get("/healthz").status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert service.receiver.log_bytes() == 0


def test_a_log_that_cannot_be_written_is_not_ready(http, body, now_ms, monkeypatch):
    fsync = os.fsync

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    small = new_series(body, now_ms, 1)
    assert http.post("/api/v1/write", content=small, headers=WRITE).status_code == 503
    answer = http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    assert "No space left" in answer.json()["errors"]["log"]
    monkeypatch.setattr(os, "fsync", fsync)
    assert http.post("/api/v1/write", content=small, headers=WRITE).status_code == 204
    assert http.get("/readyz").status_code == 200


def test_bodies_that_wait_to_be_decoded_count_towards_the_ceiling(http, service, body, now_ms):
    small = new_series(body, now_ms, 1)
    with service.receiver.queued.holding(100_000_000):
        assert http.post("/api/v1/write", content=small, headers=WRITE).status_code == 503
        assert service.receiver.write_samples(small).result(PATIENCE).samples == 1
    assert http.post("/api/v1/write", content=small, headers=WRITE).status_code == 204
