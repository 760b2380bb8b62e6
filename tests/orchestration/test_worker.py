"""The resident worker over a real receiver: when it flushes, and that no failure ends it."""

import json
import shutil
import threading
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from ingest.receiver import Receiver
from ingest.sender import Sender
from ingest.settings import IngestSettings
from orchestration import rounds
from orchestration import worker as worker_module
from orchestration.failures import Failure
from orchestration.service import Service
from orchestration.settings import Settings
from orchestration.steps.tick import Ticker
from orchestration.worker import Worker

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PATIENCE = 20.0


class Clock:
    """A time that stands still until it is moved; what only grows is moved apart from it."""

    def __init__(self):
        self.now, self.seconds = NOW, 0.0

    def __call__(self):
        return self.now

    def monotonic(self):
        return self.seconds


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
        worker = Worker(receiver, Ticker(lake, detection), clock, clock.monotonic)
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
    clock.seconds += 9.9
    looked(worker, clock)
    assert count(lake) == 0
    clock.seconds += 0.2
    eventually(lambda: count(lake) == 1)


def test_a_clock_that_is_set_back_holds_no_flush_up(running, send, lake, clock):
    _, receiver = running(flush_every=timedelta(seconds=10), max_future=timedelta(days=1))
    clock.now -= timedelta(hours=1)
    send(receiver)
    clock.seconds += 10
    eventually(lambda: count(lake) == 1)


def test_events_are_flushed_before_their_time_too(running, lake):
    _, receiver = running(flush_samples=10_000, flush_every=timedelta(hours=1))
    event = {"source": "log", "reason": "r", "cluster": "c1", "time": NOW.isoformat()}
    for batch in range(20):
        many = [event | {"uid": f"{batch}-{i}", "message": "m" * 1000} for i in range(20)]
        receiver.write_events(json.dumps(many).encode()).result(PATIENCE)
    eventually(lambda: receiver.statistics.flushed_events > 0)


def test_a_panic_of_native_code_ends_no_loop(running, send, lake, clock, monkeypatch):
    """It is no `Exception`; the thread's end would be seen by nobody."""
    worker, receiver = running(ticks=True, flush_samples=1)
    append, panics = lake.samples.append, []

    def panic(*args, **kwargs):
        panics.append(threading.current_thread().name)
        raise pl.exceptions.PanicException("index out of bounds")

    monkeypatch.setattr(lake.samples, "append", panic)
    send(receiver)
    eventually(lambda: {"flush", "tick"} <= set(panics))
    eventually(lambda: {"flush", "tick"} <= set(worker.problems()))
    assert "index out of bounds" in worker.problems()["flush"].text
    monkeypatch.setattr(lake.samples, "append", append)
    eventually(lambda: not worker.problems())
    assert count(lake) == 1


def test_a_flush_that_hangs_is_told(running, send, lake, clock, monkeypatch):
    worker, receiver = running(flush_every=timedelta(seconds=8))
    gate, entered, append = threading.Event(), threading.Event(), lake.samples.append

    def stuck(*args, **kwargs):
        entered.set()
        assert gate.wait(PATIENCE)
        return append(*args, **kwargs)

    monkeypatch.setattr(lake.samples, "append", stuck)
    send(receiver)
    clock.seconds += 8
    assert entered.wait(PATIENCE)
    clock.seconds += 31
    assert worker.problems() == {}, "slow is not stuck"
    clock.seconds += 2
    assert worker.problems() == {"flush": Failure("none has succeeded for 41 s")}
    gate.set()
    eventually(lambda: not worker.problems())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_has_ended_is_told(running, monkeypatch):
    worker, _ = running()

    def bug(*_):
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(worker, "_flush_if_due", bug)
        worker._threads[0] = thread = threading.Thread(target=worker._loop, args=(bug, 0), name="x")
        thread.start()
        thread.join()
    assert worker.problems() == {"x": rounds.ENDED}


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
