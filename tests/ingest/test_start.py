"""A start beside a process that is still ending, and positions that somebody else has committed."""

import threading

import pytest

from ingest.errors import LogLockedError, PositionTakenError
from lake import CommitKey, Lake

UP = [("__name__", "up"), ("cluster", "eu")]


@pytest.fixture
def send(body, now_ms):
    def write(receiver, *values):
        for value in values:
            raw = body((UP, [(now_ms + int(value), value)]))
            receiver.write_samples(raw).result(10)

    return write


def test_what_another_process_commits_while_it_ends_is_known(
    lake, open_receiver, send, stored, monkeypatch
):
    """The new one looks at the lake's positions; the old one flushes, and lets go of the folder."""
    old = open_receiver()
    send(old, 1.0)
    old.flush()
    send(old, 2.0, 3.0, 4.0)
    other, closed = Lake.open(lake.root, create=False), []
    position = other.events.committed_position

    def slow(app):
        found = position(app)
        if not closed:
            closed.append(old.close())
        return found

    monkeypatch.setattr(other.events, "committed_position", slow)
    try:
        new = open_receiver(to=other)
    except LogLockedError:
        # That is right: while the folder is locked, nothing is read that may change.
        old.close()
        new = open_receiver(to=other)
    send(new, 100.0)
    assert new.flush().samples == 1
    assert stored() == [1.0, 2.0, 3.0, 4.0, 100.0]


def test_starts_that_overlap_lose_nothing(lake, open_receiver, send, stored):
    """As a supervisor does it: start until it works, while the old process still takes requests."""
    old, values, started = open_receiver(), [float(n) for n in range(60)], []

    def start():
        while not started:
            try:
                started.append(open_receiver(to=Lake.open(lake.root, create=False)))
            except LogLockedError:
                continue

    starting = threading.Thread(target=start)
    starting.start()
    for value in values[:50]:
        send(old, value)
        if value % 7 == 0:
            old.flush()
    old.close()
    starting.join()
    send(started[0], *values[50:])
    started[0].flush()
    assert stored() == values


@pytest.mark.parametrize("ahead", [0, 5])
@pytest.mark.parametrize("table", ["samples", "events"])
def test_a_position_that_another_process_took_is_an_error_each_time(
    lake, open_receiver, body, now_ms, stored, table, ahead
):
    """An append under it would add nothing, and seem to have added all."""
    receiver = open_receiver(default_cluster="eu")
    event = b'{"source": "log", "reason": "r", "time": "2026-03-01T12:00:00Z"}'
    if table == "samples":
        receiver.write_samples(body((UP, [(now_ms, 1.0)]))).result(10)
    else:
        receiver.write_events(event).result(10)
    empty = lake.tables[table].spec.schema.empty_table()
    Lake.open(lake.root).tables[table].append(empty, CommitKey(receiver.app, 1 + ahead))
    for _ in range(2):
        with pytest.raises(PositionTakenError, match=f"has position {1 + ahead} of {receiver.app}"):
            receiver.flush()
    assert stored() == []
    assert receiver.waiting() > 0
    assert receiver.log_bytes() > 0


def test_a_flush_that_is_tried_again_is_no_such_error(lake, open_receiver, send, stored):
    """Its commit did happen, though its caller was told otherwise."""
    receiver, append = open_receiver(), lake.samples.append

    def once(*args, **kwargs):
        append(*args, **kwargs)
        del lake.samples.append
        raise OSError(5, "Input/output error")

    lake.samples.append = once
    send(receiver, 1.0)
    with pytest.raises(OSError, match="Input/output error"):
        receiver.flush()
    assert receiver.flush().samples == 1
    assert stored() == [1.0]
