"""The resident worker over a real receiver: when it flushes, and that no failure ends it."""

import shutil
import threading
from datetime import UTC, datetime, timedelta

import pytest

from ingest.receiver import Receiver
from ingest.sender import Sender
from ingest.settings import IngestSettings
from orchestration import worker as worker_module
from orchestration.service import Service
from orchestration.settings import Settings
from orchestration.steps.tick import Ticker
from orchestration.worker import Worker

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PATIENCE = 20.0


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def running(lake, tmp_path, clock, detection, monkeypatch):
    """Starts a worker whose loops look every few milliseconds."""
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(worker_module, "TICK_EVERY", timedelta(seconds=0.05))
    started = []

    def start(ticks=False, **settings):
        if not ticks:
            monkeypatch.setattr(worker_module, "TICK_EVERY", timedelta(hours=1))
        receiver = Receiver(lake, tmp_path / "receiver", IngestSettings(**settings), clock)
        worker = Worker(receiver, Ticker(lake, detection), clock)
        worker.start()
        started.append((worker, receiver))
        return worker, receiver

    yield start
    for worker, receiver in started:
        worker.stop()
        if not receiver._log._closed:
            receiver.close()


@pytest.fixture
def send(body):
    def write(receiver, samples=1, name="up"):
        at = round(NOW.timestamp() * 1000)
        points = [(at - i, 1.0) for i in range(samples)]
        receiver.write_samples(body(([("__name__", name)], points)), Sender("c1")).result(PATIENCE)

    return write


def eventually(holds):
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if holds():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not happen in time")


def count(lake):
    return lake.sql("SELECT count(*) AS n FROM samples")["n"][0].as_py()


def looked(worker, clock):
    """Give the flusher time to look a few times."""
    threading.Event().wait(0.15)


def test_a_full_buffer_is_flushed_before_its_time(running, send, lake, clock):
    worker, receiver = running(flush_samples=3, flush_every=timedelta(hours=1))
    send(receiver, samples=2)
    looked(worker, clock)
    assert count(lake) == 0
    send(receiver)
    eventually(lambda: count(lake) == 3)
    assert receiver.waiting_samples() == 0


def test_an_old_buffer_is_flushed_however_small(running, send, lake, clock):
    worker, receiver = running(flush_every=timedelta(seconds=10))
    send(receiver)
    clock.now += timedelta(seconds=9.9)
    looked(worker, clock)
    assert count(lake) == 0
    clock.now += timedelta(seconds=0.1)
    eventually(lambda: count(lake) == 1)


def test_a_failing_lake_is_told_and_recovered_from(running, send, lake, clock):
    worker, receiver = running(flush_samples=1)
    folder, aside = lake.samples.folder, lake.samples.folder.with_name("aside")
    shutil.move(folder, aside)
    folder.write_text("no folder")
    send(receiver)
    eventually(lambda: "flush" in worker.health.errors)
    assert receiver.waiting_samples() == 1
    assert receiver.statistics.flush_failures > 0
    folder.unlink()
    shutil.move(aside, folder)
    eventually(lambda: not worker.health.errors)
    assert count(lake) == 1
    assert receiver.waiting_samples() == 0


def test_ticks_flush_first_and_count(running, send, lake, clock):
    worker, receiver = running(ticks=True, flush_every=timedelta(hours=1))
    send(receiver)
    eventually(lambda: worker.health.last_detected is not None and count(lake) == 1)
    eventually(lambda: "warming up" in worker.health.last_detected.reason)
    assert worker.health.last_tick == NOW
    assert worker.health.ticks > 0
    assert worker.health.tick_failures == 0


def test_a_failing_tick_is_told_and_recovered_from(running, send, lake, clock):
    worker, _ = running(ticks=True, flush_every=timedelta(hours=1))
    folder, aside = lake.root, lake.root.with_name("aside")
    shutil.move(folder, aside)
    eventually(lambda: "tick" in worker.health.errors)
    eventually(lambda: worker.health.tick_failures > 1)
    shutil.move(aside, folder)
    eventually(lambda: not worker.health.errors)


def test_nothing_runs_after_stop(running, send, lake, clock):
    worker, receiver = running(ticks=True, flush_samples=1)
    worker.stop()
    ticks = worker.health.ticks
    send(receiver)
    looked(worker, clock)
    assert (worker.health.ticks, count(lake)) == (ticks, 0)
    worker.stop()  # a second time does no harm


def test_a_worker_that_never_ran_can_be_stopped(lake, tmp_path, detection, clock):
    receiver = Receiver(lake, tmp_path / "receiver", IngestSettings(), clock)
    Worker(receiver, Ticker(lake, detection), clock).stop()
    receiver.close()


def test_a_stopped_service_has_flushed(tmp_path, body, clock):
    service = Service.build(Settings(data_dir=tmp_path / "data"), clock)
    service.start()
    points = [(round(NOW.timestamp() * 1000), 1.0)]
    service.receiver.write_samples(body(([("__name__", "up")], points)), Sender("c1")).result(
        PATIENCE
    )
    service.stop()
    assert count(service.lake) == 1
    again = Service.build(Settings(data_dir=tmp_path / "data"), clock)
    assert again.receiver.statistics.replayed_records == 0
    again.stop()
