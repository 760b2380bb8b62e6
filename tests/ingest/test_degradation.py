"""Disk full, a stuck flush, a lake that fails: 503 with Retry-After, and back without help."""

import resource
import threading

import httpx
import pytest

from api.app import create_app
from api.server import bind, serving
from orchestration.service import Service
from orchestration.settings import Settings
from tests.patience import PATIENCE

WRITE = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


@pytest.fixture
def service(tmp_path, noon):
    settings = Settings(data_dir=tmp_path / "data", ingest={"max_buffered_samples": 400})
    return Service.build(settings, lambda: noon)


@pytest.fixture
def http(service):
    with (
        serving(create_app(service, run_worker=False), bind("127.0.0.1", 0)) as url,
        httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client,
    ):
        yield client


@pytest.fixture
def post(http, body, now_ms):
    """Sends so many samples, other ones each time; gives the values, if they are stored."""
    sent = []

    def send(n=100):
        values = [float(len(sent) + i) for i in range(n)]
        sent.extend(values)
        points = [(now_ms + i, value) for i, value in enumerate(values)]
        raw = body(([("__name__", "up"), ("cluster", "eu")], points))
        reply = http.post("/api/v1/write", content=raw, headers=WRITE)
        if reply.status_code != 204:
            assert reply.status_code == 503
            assert int(reply.headers["retry-after"]) > 0
            assert reply.headers["X-Prometheus-Remote-Write-Samples-Written"] == "0"
            return []
        return values

    return send


def held(service):
    return sorted(service.lake.sql("SELECT value FROM samples").column("value").to_pylist())


def test_a_full_disk(service, post):
    """The kernel itself refuses to let a file grow."""
    stored = post()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (service.receiver.log_bytes() + 50, hard))
    try:
        assert [post(), post()] == [[], []]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    stored += post()
    assert len(stored) == 200
    service.receiver.flush()
    assert held(service) == sorted(stored)
    assert service.receiver._load.samples() == 0


def test_a_stuck_flush(service, post, monkeypatch):
    """What waits is bounded; what was acknowledged is in the lake once it goes on."""
    gate, entered = threading.Event(), threading.Event()
    append = service.lake.samples.append

    def stuck(*args, **kwargs):
        entered.set()
        assert gate.wait(PATIENCE)
        return append(*args, **kwargs)

    monkeypatch.setattr(service.lake.samples, "append", stuck)
    stored = post()
    flushing = threading.Thread(target=service.receiver.flush)
    flushing.start()
    assert entered.wait(PATIENCE)
    accepted = [post() for _ in range(8)]
    assert any(accepted), "a flush under way holds nobody up"
    assert accepted[-1] == []
    assert service.receiver.waiting_samples() <= 500
    stored += [value for values in accepted for value in values]
    gate.set()
    flushing.join()
    service.receiver.flush()
    stored += post()
    service.receiver.flush()
    assert held(service) == sorted(stored)


def test_a_lake_that_fails(service, post, monkeypatch):
    """Each flush repeats its cut, under one position; nothing is stored twice."""
    append, calls = service.lake.samples.append, []

    def failing(table, key, **kwargs):
        calls.append((key, table.num_rows))
        if len(calls) in {1, 3}:
            append(table, key, **kwargs)  # it did happen; who asked never heard of it
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(service.lake.samples, "append", failing)
    stored = post()
    for _ in range(4):
        with pytest.raises(OSError, match="Input/output"):
            service.receiver.flush()
        stored += post()
    assert len({key for key, _ in calls}) == 1
    assert {rows for _, rows in calls} == {100}
    assert post() == []
    monkeypatch.setattr(service.lake.samples, "append", append)
    service.receiver.flush()
    stored += post()
    service.receiver.flush()
    assert held(service) == sorted(stored)
    assert service.receiver.log_bytes() == 0
    assert service.receiver.statistics.flush_failures == 4
