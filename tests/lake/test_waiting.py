"""Readers wait for no writer, however long one hangs."""

import os
import threading

import pytest

from lake import CommitKey
from tests.patience import MINUTES, PATIENCE


class Hanging:
    """Work that waits at some point until it is let go."""

    def __init__(self):
        self.there = threading.Event()
        self.go = threading.Event()

    def wait(self):
        self.there.set()
        self.go.wait(MINUTES)


@pytest.fixture
def hanging():
    work = Hanging()
    yield work
    work.go.set()


def answered(question):
    """What it gives, of a thread of its own: one that never ends must not stop the test."""
    found = []
    thread = threading.Thread(target=lambda: found.append(question()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert found, "a reader waits for a writer"
    return found[0]


def look(lake):
    """All that reading asks of a table."""
    rows = lake.sql("SELECT value FROM samples ORDER BY value")["value"].to_pylist()
    table = lake.samples
    return rows, table.version(), len(table.files()[1]), table.seen_position("app"), table.exists()


def test_a_flush_that_hangs_in_its_fsync(lake, make_samples, monkeypatch, hanging):
    lake.samples.append(make_samples([1]), CommitKey("app", 1))
    fsync, main = os.fsync, threading.main_thread()

    def hang(descriptor):
        if threading.current_thread() is not main:
            hanging.wait()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", hang)
    write = threading.Thread(
        target=lake.samples.append, args=(make_samples([2], series_id=2), CommitKey("app", 2))
    )
    write.start()
    assert hanging.there.wait(PATIENCE)
    assert answered(lambda: look(lake)) == ([1], 1, 1, 1, True)
    assert answered(lambda: lake.snapshot({"samples": 0}).versions["samples"]) == 0
    hanging.go.set()
    write.join()
    assert look(lake) == ([1, 2], 2, 2, 2, True)


def test_a_store_that_hangs_in_a_commit(s3_lake, object_store, make_samples, hanging):
    s3_lake.samples.append(make_samples([1]), CommitKey("app", 1))

    def hang(method, path):
        if method == "PUT" and path.endswith(f"{2:020d}.json"):
            hanging.wait()
        return False

    object_store.failing = hang
    write = threading.Thread(
        target=s3_lake.samples.append, args=(make_samples([2], series_id=2), CommitKey("app", 2))
    )
    write.start()
    assert hanging.there.wait(PATIENCE)
    assert answered(lambda: look(s3_lake)) == ([1], 1, 1, 1, True)
    assert write.is_alive(), "the writer did not hang"
    hanging.go.set()
    write.join()
    assert look(s3_lake) == ([1, 2], 2, 2, 2, True)
