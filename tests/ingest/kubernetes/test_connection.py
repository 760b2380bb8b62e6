"""A way in that hangs: it is told of, and nobody waits for it."""

import re
import threading
import time

import pytest

from ingest.errors import ApiServerError, SourceError
from ingest.kubernetes import connection
from ingest.kubernetes.connection import Connection
from ingest.kubernetes.runner import KubernetesRunner
from ingest.kubernetes.settings import KubernetesSource
from tests.patience import MINUTES, PATIENCE, SOON, wait_until

SOURCE = KubernetesSource(cluster="eu")


class Server:
    """Answers, or says that it does not know us."""

    def __init__(self, status=None):
        self.status = status
        self.interrupted = False

    def get(self, path, query, *, accept="application/json"):
        if self.status:
            raise ApiServerError(path, self.status, "no")
        return {"path": path}

    def interrupt(self):
        self.interrupted = True


class Door:
    """Opens when it is told to."""

    def __init__(self, server=None):
        self.opened = threading.Event()
        self.knocks = 0
        self.server = server or Server()

    def __call__(self, source):
        self.knocks += 1
        self.opened.wait(MINUTES)
        return self.server


@pytest.fixture
def door():
    one = Door()
    yield one
    one.opened.set()


def test_who_waits_too_long_is_told_since_when(door, monkeypatch, noon):
    monkeypatch.setattr(connection, "TELL_SECONDS", 0.05)
    one = Connection(SOURCE, door, lambda: noon)
    for _ in range(3):
        with pytest.raises(SourceError, match=re.escape(f"connecting since {noon.isoformat()}")):
            one.get("/api", {})
    assert door.knocks == 1
    door.opened.set()
    monkeypatch.setattr(connection, "TELL_SECONDS", PATIENCE)
    assert one.get("/api", {}) == {"path": "/api"}
    assert door.knocks == 1


def test_an_attempt_that_hangs_is_left_alone_and_few_are_made(door, monkeypatch, noon):
    monkeypatch.setattr(connection, "TELL_SECONDS", 0.01)
    monkeypatch.setattr(connection, "ABANDON_SECONDS", 0.0)
    one = Connection(SOURCE, door, lambda: noon)
    for _ in range(10):
        with pytest.raises(SourceError, match="connecting since"):
            one.get("/api", {})
    assert door.knocks == connection.MOST_ATTEMPTS


def test_an_interrupt_does_not_wait_for_a_connection(door, noon, monkeypatch):
    monkeypatch.setattr(connection, "TELL_SECONDS", MINUTES)
    one, errors = Connection(SOURCE, door, lambda: noon), []

    def ask():
        try:
            one.get("/api", {})
        except SourceError as error:
            errors.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: door.knocks)
    one.interrupt()
    asking.join(SOON)
    assert not asking.is_alive()
    assert errors == ["source cluster eu: interrupted"]
    door.opened.set()
    wait_until(lambda: door.server.interrupted)
    with pytest.raises(SourceError, match="interrupted"):
        one.get("/api", {})


def test_what_fails_is_tried_again_and_a_401_connects_anew(noon):
    answers = [OSError("no such file"), Server(401), Server()]

    def connect(source):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    one = Connection(SOURCE, connect, lambda: noon)
    with pytest.raises(OSError, match="no such file"):
        one.get("/a", {})
    with pytest.raises(ApiServerError):
        one.get("/b", {})
    assert one.get("/c", {}) == {"path": "/c"}


def test_a_runner_whose_way_in_hangs_stops_at_once(
    door, monkeypatch, noon, open_receiver, tmp_path, until
):
    monkeypatch.setattr(connection, "TELL_SECONDS", 0.05)
    monkeypatch.setattr("ingest.kubernetes.runner.STOP_SECONDS", MINUTES)
    runner = KubernetesRunner(SOURCE, open_receiver(), tmp_path / "k", door, lambda: noon)
    runner.start()
    until(lambda: len(runner.errors) == 2)
    assert all("connecting since" in text for text in runner.errors.values())
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < SOON


def test_readers_that_hang_do_not_hold_up_a_stop(monkeypatch, noon, open_receiver, tmp_path, until):
    """One whose token comes of a plugin may hang in the middle of a request.

    All together are waited for as long as one: one after the other they would take minutes.
    """
    monkeypatch.setattr("ingest.kubernetes.runner.STOP_SECONDS", 1.0)
    hang = threading.Event()

    class Hanging(Server):
        asked = 0

        def get(self, path, query, *, accept="application/json"):
            self.asked += 1
            hang.wait(MINUTES)
            raise SourceError(path, "late")

    server = Hanging()
    source = KubernetesSource(cluster="eu", namespaces=tuple(f"n{i}" for i in range(100)))
    runner = KubernetesRunner(
        source, open_receiver(), tmp_path / "k", lambda source: server, lambda: noon
    )
    runner.start()
    until(lambda: server.asked == 101)
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < SOON
    hang.set()
