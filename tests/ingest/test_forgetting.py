"""Series that end are forgotten; numbers are given anew, no sample is ever under other labels."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingest.catalogue import DROPPED, Catalogue
from ingest.flusher import Flusher
from ingest.naming import Named
from ingest.remote_write import message
from ingest.remote_write.decode import decode
from ingest.rules import Rules
from ingest.series import identify
from ingest.statistics import Statistics
from ingest.tickets import Tickets

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def series(x):
    return identify([("__name__", "up"), ("cluster", "eu"), ("x", str(x))])


def number(catalogue, *xs, now_us=0):
    return catalogue.number_all(Named.of([series(x) for x in xs]), now_us)


@pytest.fixture
def catalogue():
    return Catalogue()


def test_what_is_idle_is_forgotten_and_the_rest_is_not(catalogue):
    number(catalogue, "old", "new")
    catalogue.mark_active(np.array([1]), np.zeros(1, np.int64), 100)
    assert catalogue.forget(100, lambda: 0) == 1
    assert (len(catalogue), catalogue.active_by_cluster()) == (1, {"eu": 1})
    assert catalogue.forget(100, lambda: 0) == 0
    assert number(catalogue, "new").tolist() == [1]


def test_a_number_rests_until_what_was_under_way_is_through(catalogue):
    tickets = Tickets()
    number(catalogue, "a", "b")
    under_way = tickets.draw()
    catalogue.forget(1, tickets.next)
    later = tickets.draw()
    catalogue.release(tickets.oldest())
    assert number(catalogue, "c", now_us=9).tolist() == [2]
    assert catalogue.name(0) == str(series("a")), "a flush may still name it"
    tickets.done(later)
    catalogue.release(tickets.oldest())
    assert number(catalogue, "d", now_us=9).tolist() == [3]
    tickets.done(under_way)
    catalogue.release(tickets.oldest())
    assert sorted(number(catalogue, "e", "f", "g", now_us=9).tolist()) == [0, 1, 4]


def test_who_finds_a_series_just_before_it_is_forgotten_keeps_its_number(catalogue):
    """The ticket that forgetting goes by is drawn after nobody can find the series any more."""
    tickets, held = Tickets(), []
    number(catalogue, "a")

    with catalogue._lock:
        forgetting = threading.Thread(target=lambda: catalogue.forget(1, tickets.next))
        forgetting.start()
        forgetting.join(0.1)
        held.append((tickets.draw(), number(catalogue, "a").tolist()))
    forgetting.join()
    catalogue.release(tickets.oldest())
    assert held == [(0, [0])]
    assert number(catalogue, "b", now_us=9).tolist() == [1], "0 is in that request's hands"


def test_the_ticket_is_asked_for_once_no_key_finds_the_series(catalogue):
    """Asked earlier, a request could begin and find it between."""
    key, seen = np.array([[1, 1]], np.uint64), []
    catalogue.remember(key, number(catalogue, "a"), np.zeros(1, np.int32))

    def next_ticket():
        seen.append(catalogue.keys.find(key)[0].tolist())
        return 0

    catalogue.forget(1, next_ticket)
    assert seen == [[-1]]


def test_a_forgotten_series_is_known_by_no_key_and_written_again(catalogue):
    keys = np.array([[1, 1], [2, 2], [3, 3]], np.uint64)
    numbers = np.array([*number(catalogue, "a", "b"), DROPPED], np.int32)
    catalogue.remember(keys, numbers, np.zeros(3, np.int32))
    catalogue.mark_active(np.array([1]), np.zeros(1, np.int64), 5)
    catalogue.ledger.written(np.array([0, 1]), np.array([1, 1]), np.array([2, 2]), 0)
    catalogue.forget(5, lambda: 0)
    assert catalogue.keys.find(keys)[0].tolist() == [-1, 1, -1]
    catalogue.release(0)
    (again,) = number(catalogue, "a", now_us=9).tolist()
    assert again == 0
    assert catalogue.ledger.due(np.array([0, 1]), *[np.array([1, 1])] * 2).tolist() == [True, False]


def test_a_key_is_not_remembered_for_a_series_that_was_forgotten_meanwhile(catalogue):
    numbers = number(catalogue, "a")
    catalogue.forget(1, lambda: 1)
    key = np.array([[1, 1]], np.uint64)
    catalogue.remember(key, numbers, np.zeros(1, np.int32))
    assert catalogue.keys.find(key)[0].tolist() == [-1]


def test_a_forgotten_series_makes_room_under_every_limit():
    catalogue = Catalogue(max_series=2, max_of_cluster=2)
    number(catalogue, "a", "b")
    catalogue.forget(1, lambda: 0)
    assert number(catalogue, "c", "d", now_us=9).min() >= 0


def test_a_start_of_the_series_that_had_the_number_before_does_not_count(catalogue):
    number(catalogue, "a")
    assert catalogue.note_starts(np.array([0]), np.array([77])).tolist() == [0]
    catalogue.forget(1, lambda: 0)
    catalogue.release(0)
    assert number(catalogue, "b", now_us=9).tolist() == [0]
    assert catalogue.note_starts(np.array([0]), np.array([77])).tolist() == [0]


def test_a_newer_start_outlives_an_older_one_that_could_not_be_logged(catalogue):
    number(catalogue, "a")
    one = np.array([0])
    older = catalogue.note_starts(one, np.array([5]))
    newer = catalogue.note_starts(one, np.array([8]))
    catalogue.forget_starts(one, np.array([5]), older)
    assert catalogue.note_starts(one, np.array([7])).tolist() == [8]
    catalogue.forget_starts(one, np.array([8]), newer)
    assert catalogue.note_starts(one, np.array([7])).tolist() == [5]


class Lake:
    """What a flusher needs of one, with plain lists in it."""

    def __init__(self):
        self.samples, self.series, self.failing = self, self, False
        self.rows, self.names = [], {}

    def committed_position(self, app):
        return None

    def append(self, table, key=None, ordered=False):
        if self.failing:
            raise OSError("no")
        if key is None:
            rows = table.select(["series_id", "labels"]).to_pylist()
            self.names.update({row["series_id"]: dict(row["labels"])["x"] for row in rows})
        else:
            self.rows += zip(
                table.column("series_id").to_pylist(), table.column("value").to_pylist(),
                strict=True,
            )  # fmt: skip


class Forgetting(RuleBasedStateMachine):
    """Requests that begin, decode, and reach the buffer at any time; flushes, failures, a clock."""

    def __init__(self):
        super().__init__()
        self.now = NOON
        self.lake, self.catalogue, self.tickets = Lake(), Catalogue(), Tickets()
        self.flusher = Flusher(
            self.lake, "app", self.catalogue, Statistics(), self.tickets, lambda: self.now,
            timedelta(hours=1), lambda position: None,
        )  # fmt: skip
        self.begun, self.decoded, self.sent, self.position = [], [], {}, 0
        self.values = count()

    @rule(xs=st.lists(st.integers(0, 9), min_size=1, max_size=4))
    def begin(self, xs):
        self.begun.append((self.tickets.draw(), xs))

    @precondition(lambda self: self.begun)
    @rule(data=st.data(), foreign=st.booleans())
    def decode(self, data, foreign):
        """Of the labels as they are sent; some are such that `identify` must look."""
        ticket, xs = self.begun.pop(data.draw(st.integers(0, len(self.begun) - 1)))
        name = "é" if foreign else "x"
        labels, values = [], []
        for x in xs:
            values.append(float(next(self.values)))
            self.sent[values[-1]] = f"{name}{x}"
            pairs = [("__name__", "up"), ("cluster", "eu"), ("x", f"{name}{x}")]
            labels.append(message.encode_labels(pairs))
        ones = np.ones(len(xs), np.int64)
        built = message.build(labels, ones, ones, np.array(values))
        rules = Rules(now_us=int(self.now.timestamp()) * 1_000_000)
        done = decode(np.frombuffer(built, np.uint8), self.catalogue, rules)
        self.decoded.append((ticket, done.batch))

    @precondition(lambda self: self.decoded)
    @rule(data=st.data(), logged=st.booleans())
    def reach_the_buffer(self, data, logged):
        ticket, batch = self.decoded.pop(data.draw(st.integers(0, len(self.decoded) - 1)))
        if logged:
            self.position += 1
            self.flusher.buffer.add_samples(self.position, batch)
        else:
            for value in batch.values.tolist():
                del self.sent[value]
        self.tickets.done(ticket)

    @rule(fails=st.booleans())
    def flush(self, fails):
        self.lake.failing = fails
        try:
            self.flusher.flush()
        except OSError:
            assert fails

    @rule(minutes=st.sampled_from([1, 20, 70]))
    def wait(self, minutes):
        self.now += timedelta(minutes=minutes)

    @invariant()
    def every_stored_sample_is_under_its_labels(self):
        for series_id, value in self.lake.rows:
            assert self.lake.names[series_id] == self.sent[value]

    def teardown(self):
        while self.begun:
            self.tickets.done(self.begun.pop()[0])
        for ticket, batch in self.decoded:
            self.position += 1
            self.flusher.buffer.add_samples(self.position, batch)
            self.tickets.done(ticket)
        self.lake.failing = False
        self.flusher.flush()
        self.every_stored_sample_is_under_its_labels()
        stored = Counter(value for _, value in self.lake.rows)
        assert stored == dict.fromkeys(self.sent, 1)


TestForgetting = Forgetting.TestCase
TestForgetting.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_senders_flushes_and_forgetting_at_once():
    """Threads instead of steps: each flush forgets all that the last one did not see."""
    lake, catalogue, tickets, stop = Lake(), Catalogue(), Tickets(), threading.Event()
    clock, position, order = [NOON], [0], threading.Lock()
    flusher = Flusher(
        lake, "app", catalogue, Statistics(), tickets, lambda: clock[0], timedelta(seconds=4),
        lambda position: None,
    )  # fmt: skip

    def send(of):
        for i in range(300):
            value = of * 1000.0 + i
            ticket = tickets.draw()
            pairs = [("__name__", "up"), ("cluster", "eu"), ("x", f"{of}-{i % 13}")]
            built = message.build(
                [message.encode_labels(pairs)], np.ones(1, np.int64), np.ones(1, np.int64),
                np.array([value]),
            )  # fmt: skip
            now_us = int(clock[0].timestamp() * 1_000_000)
            batch = decode(np.frombuffer(built, np.uint8), catalogue, Rules(now_us=now_us)).batch
            with order:
                position[0] += 1
                flusher.buffer.add_samples(position[0], batch)
            tickets.done(ticket)

    def flush():
        while not stop.is_set():
            clock[0] += timedelta(seconds=5)
            flusher.flush()

    senders = [threading.Thread(target=send, args=(of,)) for of in range(3)]
    flushing = threading.Thread(target=flush)
    for thread in (*senders, flushing):
        thread.start()
    for thread in senders:
        thread.join()
    stop.set()
    flushing.join()
    flusher.flush()
    assert len(lake.rows) == 900
    assert flusher._statistics.series_forgotten > 0
    for series_id, value in lake.rows:
        of, i = divmod(int(value), 1000)
        assert lake.names[series_id] == f"{of}-{i % 13}"
