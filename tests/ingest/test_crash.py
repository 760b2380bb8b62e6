"""Kill -9 at any instant: what is sent until it is acknowledged is in the lake exactly once.

Senders repeat what they got no answer to, as Prometheus does. A seeded run sends, flushes and
restarts while storage calls fail or the process "dies", before or after the call took effect, or
with half a record on disk. It dies of appends to the log, of appends to the lake and between their
file and their commit, of the files beside the log, of its cuts, and in the middle of a start; it is
away for seconds or for an hour; the next process may begin while it ends. Requests are of both
versions, some are stored in part, some come from a replica that is not elected, and now and then
the elected one falls silent and the other takes over for good; series that are idle are forgotten.
fsync does nothing here: a process that dies leaves to the system what it has written.
"""

import json
import os
import threading
import time
from collections import Counter
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from ingest import receiver_state
from ingest.errors import LogError, LogLockedError
from ingest.receiver import Receiver
from ingest.replicas import HaSettings
from ingest.settings import IngestSettings
from ingest.wal import WriteAheadLog
from lake import Lake
from lake.commit import Commit
from tests.remote_write_2 import Series

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
TABLES = ("samples", "series", "events")
STEPS = 8
AWAY = [0, 20, 400, 3600]
"""Seconds until the next process begins: within, and far beyond, what repeats are known for."""
SILENCE = timedelta(seconds=200)
"""Of the elected replica before the other takes over: longer than all steps of a run, so that
only a failover that is meant happens."""
REFUSED = 1e9
"""From here on values are of samples that must not be stored."""


class Death(BaseException):
    """The process is no more."""


class World:
    """One folder, its successive processes, and what their senders know."""

    def __init__(self, folder: Path, seed: int, body, body_2, abandon, patch) -> None:
        self.folder, self.seed, self.abandon = folder, seed, abandon
        self.body, self.body_2 = body, body_2
        self.rng = np.random.default_rng(seed)
        self.number = count(1)
        self.acknowledged, self.sent, self.repeated = set(), set(), 0
        self.unanswered: list[tuple[str, set[float], bytes, dict]] = []
        self.elected, self.taken_over, self.maybe = "a", True, set()
        self.failovers = 0
        self.forgotten = self.partial = self.second = self.late = self.overlaps = 0
        self.deaths = Counter()
        self.now, self.labels = NOON, {}
        Lake.open(folder / "lake")
        self.receiver = None
        for owner, name in (
            (Commit, "attempt"),
            (WriteAheadLog, "truncate"),
            (receiver_state, "replace_file"),
        ):
            patch.setattr(owner, name, self.perilous(getattr(owner, name), name))
        self.start()

    def start(self) -> None:
        """A new process, which may die before it has begun to take anything."""
        for _ in range(20):
            self.calls_left = 0
            try:
                lake = Lake.open(self.folder / "lake", create=False)
                self.begin()
                self.receiver = self.open(lake)
            except (Death, OSError):
                self.dead.set()
                self.deaths["start"] += 1
                continue
            break
        self.real_write = self.receiver._log._write
        self.receiver._log._write = self.write
        for name in TABLES:
            table = lake.tables[name]
            table.append = self.perilous(table.append, name, self.busy)

    def begin(self) -> None:
        """New objects on the same folder, with a fault ahead of them."""
        self.dead = threading.Event()
        self.calls_left = int(self.rng.integers(1, 14))
        self.fault = str(self.rng.choice(["die before", "die after", "fail before", "fail after"]))
        self.settings = IngestSettings(
            log_segment_bytes=int(self.rng.integers(1, 400)),
            forget_after=timedelta(seconds=float(self.rng.choice([1, 2, 10_000]))),
            ha=HaSettings(failover_timeout=SILENCE),
        )

    def open(self, lake: Lake) -> Receiver:
        return Receiver(lake, self.folder / "receiver", self.settings, lambda: self.now)

    def due(self) -> bool:
        self.calls_left -= 1
        return self.calls_left == 0

    def perilous(self, real, name, beforehand=lambda: None):
        """A call that the process may die of, or that may fail, before or after it took effect."""

        def call(*args, **kwargs):
            if self.dead.is_set():
                raise Death  # nothing is done after it
            beforehand()
            if not self.due():
                return real(*args, **kwargs)
            if self.fault.endswith("after"):
                real(*args, **kwargs)
            self.deaths[name] += 1
            if self.fault.startswith("fail"):
                raise OSError(5, "Input/output error")
            self.dead.set()
            raise Death

        return call

    def busy(self) -> None:
        """Senders do not wait for a flush."""
        if self.calls_left > 0 and self.rng.random() < 0.3:
            self.samples()

    def write(self, group) -> None:
        """The log's group write, in the log's own thread."""
        if self.dead.is_set():
            return
        if not self.due():
            self.real_write(group)
            return
        self.deaths["log"] += 1
        if self.fault.startswith("fail"):
            for item in group:
                item.done.set_exception(LogError("refused"))
        else:
            if self.fault == "die after":
                self.write_unheard(group)
            self.dead.set()

    def write_unheard(self, group) -> None:
        """The records are on disk, perhaps but for their end; nobody is told."""
        for item in group:
            item.done, item.stored = Future(), lambda position: None
        self.real_write(group)
        segments = sorted(self.receiver._log.folder.glob("*.log"))
        if self.rng.random() < 0.5:
            os.truncate(segments[-1], segments[-1].stat().st_size - int(self.rng.integers(1, 20)))

    def step(self) -> None:
        """Something happens; the process may die of it."""
        self.now += timedelta(seconds=float(self.rng.choice([0, 3, 9])))
        actions = ["samples", "pair", "failover", "events", "flush", "close", "repeat"]
        action = str(self.rng.choice(actions, p=[0.2, 0.15, 0.1, 0.1, 0.2, 0.1, 0.15]))
        try:
            getattr(self, action)()
        except (Death, OSError, LogError) as problem:
            if isinstance(problem, Death):
                self.dead.set()
        if self.dead.is_set():
            self.forgotten += self.receiver.statistics.series_forgotten
            self.abandon(self.receiver)
            away = int(self.rng.choice(AWAY))
            self.late += away > 300
            self.now += timedelta(seconds=away)
            self.start()

    def value(self, x: str) -> float:
        """A value of its own, which has to be stored under this label."""
        value = float(next(self.number))
        self.labels[value] = x
        return value

    def request(self, series, values) -> tuple[str, set[float], bytes, dict]:
        self.sent |= values
        if self.rng.random() < 0.5:
            return "write_samples", values, self.body(*series), {}
        self.second += 1
        raw = self.body_2(*(Series(labels, points) for labels, points in series))
        return "write_samples", values, raw, {"version": 2}

    def samples(self) -> None:
        """Requests in either version; in some a part has no name, and is refused."""
        pending = []
        for _ in range(int(self.rng.integers(1, 4))):
            values, series = set(), []
            for _ in range(int(self.rng.integers(1, 4))):
                x = str(self.rng.integers(6))
                labels = [("__name__", "up"), ("cluster", "eu"), ("x", x)]
                at = NOON_MS - int(self.rng.integers(0, 2)) * 86_400_000
                value = self.value(x)
                series.append((labels, [(at, value)]))
                values.add(value)
            if self.rng.random() < 0.3:
                series.append(([("cluster", "eu")], [(NOON_MS, REFUSED)]))
                self.partial += 1
            pending.append(self.request(series, values))
        self.send(pending)

    def pair(self) -> None:
        """Two replicas send the same; the second one's request has a part of another cluster."""
        if not self.taken_over:
            self.take_over()
            if not self.taken_over:
                return
        x = str(self.rng.integers(6))
        pairs = self.of_replica(self.elected, x)
        theirs = self.of_replica(self.other(), x)
        other = [("__name__", "up"), ("cluster", "us"), ("x", x)]
        first, second = self.value(x), self.value(x)
        copy = [(theirs, [(NOON_MS, REFUSED + next(self.number))])]
        self.send([
            self.request([(pairs, [(NOON_MS, first)])], {first}),
            self.request([*copy, (other, [(NOON_MS, second)])], {second}),
        ])  # fmt: skip

    def failover(self) -> None:
        """From now on the other replica is the one that is stored, whatever dies meanwhile."""
        if self.taken_over:
            self.elected, self.taken_over = self.other(), False
        self.take_over()

    def take_over(self) -> None:
        """The one falls silent, all it sent being answered; what the other sends is taken.

        Where it is not answered, it may be stored or not: it is not sent again.
        """
        self.repeat()
        if self.unanswered:
            return
        self.now += SILENCE
        x = str(self.rng.integers(6))
        value = self.value(x)
        self.maybe.add(value)
        self.send([self.request([(self.of_replica(self.elected, x), [(NOON_MS, value)])], {value})])
        if self.unanswered:
            self.unanswered.clear()
            self.sent.remove(value)
            return
        self.taken_over = True
        self.failovers += 1

    def of_replica(self, replica: str, x: str) -> list[tuple[str, str]]:
        return [("__name__", "up"), ("__replica__", replica), ("cluster", "ha"), ("x", x)]

    def other(self) -> str:
        return "b" if self.elected == "a" else "a"

    def events(self) -> None:
        number = -float(next(self.number))
        event = {"source": "log", "reason": "r", "uid": str(number), "time": NOON.isoformat()}
        self.sent.add(number)
        body = json.dumps(event | {"cluster": "eu"}).encode()
        self.send([("write_events", {number}, body, {})])

    def repeat(self) -> None:
        """What was not answered is sent again, perhaps to another process."""
        again, self.unanswered = self.unanswered, []
        self.repeated += len(again)
        self.send(again)

    def send(self, requests) -> None:
        done = [getattr(self.receiver, wire)(body, **how) for wire, _, body, how in requests]
        for (wire, values, body, how), outcome in zip(requests, done, strict=True):
            while not outcome.done() and not self.dead.is_set():
                time.sleep(0.0002)
            if outcome.done() and outcome.exception() is None:
                self.acknowledged |= values
            else:
                self.unanswered.append((wire, values, body, how))

    def flush(self) -> None:
        self.receiver.flush()

    def close(self) -> None:
        """An orderly end; often the next process is tried already before it, or within it."""
        lake = Lake.open(self.folder / "lake", create=False)
        if self.rng.random() < 0.5:
            with pytest.raises(LogLockedError):
                self.open(lake)
            self.overlaps += 1
            self.samples()
        try:
            self.receiver.close()
        finally:
            if not self.dead.is_set():
                self.forgotten += self.receiver.statistics.series_forgotten
                self.start()

    def check(self) -> None:
        """The last process lives long enough to flush."""
        self.calls_left = -1
        if self.rng.random() < 0.5:
            self.receiver.flush()
        self.repeat()
        self.pair()
        self.events()
        self.receiver.flush()
        self.forgotten += self.receiver.statistics.series_forgotten
        assert self.receiver.log_bytes() == 0, "a log that only grows"
        self.abandon(self.receiver)
        with Lake.open(self.folder / "lake", create=False).snapshot().connect() as lake:
            found = lake.execute(
                "SELECT value FROM samples UNION ALL SELECT CAST(uid AS DOUBLE) FROM stored.events"
            ).fetchall()
            named = lake.execute(
                "SELECT value, labels['x'] FROM samples JOIN series USING (series_id)"
            ).fetchall()
            unnamed = lake.execute("SELECT value FROM samples ANTI JOIN series USING (series_id)")
            assert unnamed.fetchall() == [], "samples without their series"
        stored = Counter(value for (value,) in found)
        assert not self.unanswered
        assert self.acknowledged == self.sent
        assert not self.sent - set(stored), ("lost", self.seed)
        assert not [value for value, times in stored.items() if times > 1], ("doubled", self.seed)
        assert not set(stored) - self.sent - self.maybe, ("from nowhere", self.seed)
        wrong = [one for one in named if self.labels[one[0]] != one[1]]
        assert not wrong, ("under other labels", self.seed)


@pytest.fixture
def live(tmp_path, body, body_2, abandon, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)

    def run(seed):
        with monkeypatch.context() as patch:
            return simulate(World(tmp_path / str(seed), seed, body, body_2, abandon, patch))

    return run


def simulate(world):
    for _ in range(STEPS):
        world.step()
    world.check()
    return world


def test_crashes(live):
    worlds = [live(seed) for seed in range(50)]
    for what in ("repeated", "partial", "second", "forgotten", "late", "overlaps", "failovers"):
        assert sum(getattr(world, what) for world in worlds) > 0, what
    died = sum((world.deaths for world in worlds), Counter())
    where = {"log", *TABLES, "attempt", "truncate", "replace_file", "start"}
    assert set(died) == where
    assert sum(len(world.acknowledged) for world in worlds) > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seeds", [range(n, n + 100) for n in range(1000, 2000, 100)], ids=str)
def test_many_crashes(live, seeds):
    for seed in seeds:
        live(seed)
