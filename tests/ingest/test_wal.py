"""The write-ahead log: records in order, in groups, durable before they are told."""

import os
import threading
from concurrent.futures import wait

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import LogError, LogLockedError
from ingest.segment import Entry
from ingest.wal import WriteAheadLog
from tests.ingest.logs import BIG, EVERY_GROUP, KEY, entry


def test_records_come_back_in_order(open_log):
    assert open_log().put("a", "b") == [1, 2]
    log = open_log()
    assert log.put("c") == [3]
    assert log.held() == [(1, "a"), (2, "b"), (3, "c")]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
ENTRIES = st.builds(
    Entry,
    kind=st.integers(0, 255),
    cluster=TEXT,
    key=st.binary(min_size=16, max_size=16),
    payload=st.binary(max_size=40),
    time_us=st.integers(-(2**63), 2**63 - 1),
)


@given(st.lists(ENTRIES, max_size=5))
def test_records_come_back_whole(tmp_path_factory, entries):
    folder = tmp_path_factory.mktemp("log")
    log = WriteAheadLog(folder, BIG)
    wait([log.append(one, lambda _: None) for one in entries], 10)
    log.close()
    log = WriteAheadLog(folder, BIG)
    found = [Entry(r.kind, r.cluster, r.key, r.payload, r.time_us) for r in log.replay()]
    log.close()
    assert found == entries


def test_a_group_is_one_fsync_in_order(open_log, monkeypatch):
    log = open_log()
    log.put("first")
    fsync, calls, gate, stored = os.fsync, [], threading.Event(), []

    def slow(descriptor):
        calls.append(descriptor)
        assert gate.wait(10)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    futures = [log.append(entry(str(i).encode()), stored.append) for i in range(200)]
    assert not any(future.done() for future in futures)
    assert stored == []
    gate.set()
    assert [future.result(10) for future in futures] == list(range(2, 202))
    assert stored == list(range(2, 202))
    assert len(calls) <= 3
    assert log.held()[1:] == [(i + 2, str(i)) for i in range(200)]


def test_stored_is_called_before_the_future_resolves(open_log):
    seen = []
    done = open_log().append(entry(b"x"), seen.append)
    assert done.result(10) == 1
    assert seen == [1]


def test_many_threads(open_log):
    log, futures = open_log(2000), []

    def write(name):
        futures.extend(log.append(entry(f"{name}-{i}".encode()), lambda _: None) for i in range(50))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(future.result(10) for future in futures) == list(range(1, 201))
    assert [position for position, _ in open_log().held()] == list(range(1, 201))


@pytest.mark.parametrize("segment_bytes", [BIG, EVERY_GROUP])
def test_truncation_keeps_what_is_later(open_log, segment_bytes):
    log = open_log(segment_bytes)
    log.put(*"abcde")
    log.truncate(3)
    later = [pair for pair in log.held() if pair[0] > 3]
    assert later == [(4, "d"), (5, "e")]
    assert len(log.files()) == (1 if segment_bytes == BIG else 2)
    assert open_log(segment_bytes).held()[-2:] == later


def test_an_emptied_log_goes_on_counting(open_log):
    log = open_log()
    log.put("a", "b")
    log.truncate(2)
    assert (log.files(), log.size_bytes()) == ([], 0)
    assert log.put("c") == [3]
    log.truncate(3)
    assert open_log(committed=3).put("d") == [4]


def test_one_at_a_time(open_log, tmp_path):
    log = open_log()
    with pytest.raises(LogLockedError, match="used by another receiver"):
        WriteAheadLog(tmp_path / "log", BIG)
    log.put("still works")
    log.close()
    open_log()


def test_a_closed_log_refuses_instead_of_hanging(open_log):
    log = open_log()
    log.put("a")
    log.close()
    with pytest.raises(LogError, match="is closed"):
        log.put("b")
    log.close()
    assert open_log().held() == [(1, "a")]


def test_what_was_handed_in_before_closing_is_written(open_log):
    log = open_log()
    futures = [log.append(entry(b"x"), lambda _: None) for _ in range(50)]
    log.close()
    assert [future.result(0) for future in futures] == list(range(1, 51))


def test_records_cannot_be_cancelled(open_log, monkeypatch):
    log, gate, fsync = open_log(), threading.Event(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: gate.wait(10) and fsync(fd))
    done = log.append(entry(b"x"), lambda _: None)
    assert not done.cancel()
    gate.set()
    assert done.result(10) == 1


@pytest.mark.parametrize(
    ("kind", "cluster", "key"),
    [(256, "", KEY), (-1, "", KEY), (1, "x" * 65_536, KEY), (1, "", KEY[1:]), (1, "", KEY + b"x")],
    ids=["kind", "negative kind", "cluster", "short key", "long key"],
)
def test_what_does_not_fit_is_refused_and_the_log_lives_on(open_log, kind, cluster, key):
    log = open_log()
    with pytest.raises(ValueError, match="does not fit"):
        log.append(Entry(kind, cluster, key, b"", 0), lambda _: None)
    assert log.put("a") == [1]
