"""What stands between the watch and the receiver outlives faults, and never holds up a stop."""

import threading
import time

import pytest

from ingest.errors import ClusterMissingError, MalformedBodyError
from ingest.kubernetes import outbox
from ingest.kubernetes.delivery import Delivery
from ingest.kubernetes.outbox import QUEUE, Item, Outbox
from ingest.kubernetes.position import Position
from ingest.kubernetes.statistics import KubernetesStatistics
from tests.patience import PATIENCE, SOON


class Taking:
    """A delivery."""

    def __init__(self):
        self.batches = []

    def deliver(self, events):
        self.batches.append(list(events))
        return True


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "FAULT_SECONDS", 0.01)
    monkeypatch.setattr(outbox, "BATCH_SECONDS", 0.05)

    def one(delivery):
        position, stop, told = Position(tmp_path / "events-.json"), threading.Event(), []
        made = Outbox(delivery, position, KubernetesStatistics(), stop, told.append)
        return made, stop, told

    return one


def event(uid):
    return {"metadata": {"uid": uid}, "reason": "x"}


def test_a_fault_is_told_and_the_next_item_is_taken(build, monkeypatch, until):
    taking = Taking()
    one, _, told = build(taking)
    take = one._take

    def fail(item):
        if item.event["metadata"]["uid"] == "bad":
            raise KeyError("bug")
        take(item)

    monkeypatch.setattr(one, "_take", fail)
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    for uid in ("bad", "good"):
        one.put(Item(event=event(uid)))
    until(lambda: taking.batches)
    assert "good" in taking.batches[0][0]
    assert [str(error) for error in told if error is not None] == ["'bug'"]
    assert told[-1] is None
    one.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_full_queue_holds_up_neither_a_stop_nor_the_close(build):
    """Nobody runs it: what is put once it is stopped is left out, and all that follows too."""
    one, stop, _ = build(Taking())
    for number in range(QUEUE):
        one.put(Item(event=event(str(number))))
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    one.put(Item(event=event("late")))
    one.close()
    assert time.monotonic() - began < SOON
    one._queue.get()
    one.put(Item(event=event("later")))
    assert one._queue.qsize() == QUEUE - 1


def test_closed_while_full_it_still_sends_what_it_has(build):
    taking = Taking()
    one, _, _ = build(taking)
    for number in range(QUEUE):
        one.put(Item(event=event(str(number))))
    one.close()
    one.run()
    assert sum(map(len, taking.batches)) == QUEUE


class Receiver:
    def __init__(self, error):
        self.error = error
        self.bodies = []

    def write_events(self, body, sender):
        self.bodies.append(body)
        raise self.error


@pytest.mark.parametrize(
    ("error", "bodies"), [(ClusterMissingError("event"), 1), (MalformedBodyError("too deep"), 7)]
)
def test_only_what_cannot_be_taken_apart_is_halved(error, bodies):
    receiver, statistics = Receiver(error), KubernetesStatistics()
    delivery = Delivery(receiver, "eu", threading.Event(), statistics, lambda error: None)
    assert delivery.deliver(["1", "2", "3", "4"])
    assert statistics.refused_events == 4
    assert len(receiver.bodies) == bodies
