import os
import resource
import threading
from concurrent.futures import wait
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import LogCorruptError, LogError, LogLockedError
from ingest.wal import WriteAheadLog

BIG = 1 << 20
EVERY_GROUP = 1
"""Segment size at which each group of records gets a segment of its own."""


@pytest.fixture
def open_log(tmp_path):
    opened = []

    def open_one(segment_bytes=BIG, first_position=1):
        for log in opened:
            log.close()
        opened.append(WriteAheadLog(tmp_path / "log", segment_bytes, first_position))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


def put(log, *texts):
    """Append one after the other, each on disk before the next."""
    return [log.append(1, "eu", t.encode(), 7, lambda _: None).result(10) for t in texts]


def held(log):
    return [(record.position, record.payload.decode()) for record in log.replay()]


def files(log):
    return sorted(log.folder.glob("*.log"))


def test_records_come_back_in_order(open_log):
    assert put(open_log(), "a", "b") == [1, 2]
    log = open_log()
    assert put(log, "c") == [3]
    assert held(log) == [(1, "a"), (2, "b"), (3, "c")]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
            st.binary(max_size=40),
            st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=5,
    )
)
def test_records_come_back_whole(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("log")
    log = WriteAheadLog(folder, BIG)
    wait([log.append(*record, lambda _: None) for record in records], 10)
    log.close()
    log = WriteAheadLog(folder, BIG)
    found = [(r.kind, r.cluster, r.payload, r.time_us) for r in log.replay()]
    log.close()
    assert found == records


def test_a_torn_end_is_cut_at_every_byte(open_log):
    log = open_log()
    put(log, "first", "second")
    (path,) = files(log)
    sound = path.stat().st_size
    put(log, "third")
    log.close()
    data = path.read_bytes()
    for length in range(sound, len(data)):
        path.write_bytes(data[:length])
        log = open_log()
        assert held(log) == [(1, "first"), (2, "second")]
        assert path.stat().st_size == sound
        assert put(log, "again") == [3]
        log.close()
        files(log)[-1].unlink()


def test_a_torn_end_of_zeros_is_cut(open_log):
    """A file system may give the length before the bytes."""
    log = open_log()
    put(log, "first")
    log.close()
    with files(log)[0].open("ab") as segment:
        segment.write(bytes(100))
    assert held(open_log()) == [(1, "first")]


def test_a_flipped_bit_in_an_earlier_segment_is_an_error_at_every_byte(open_log):
    log = open_log(EVERY_GROUP)
    put(log, "first", "second", "third")
    log.close()
    path = files(log)[1]
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        with pytest.raises(LogCorruptError, match="is damaged at byte 0") as refusal:
            open_log()
        assert refusal.value.path == str(path)
    path.write_bytes(data)
    assert len(held(open_log())) == 3


def test_a_flipped_bit_in_the_last_segment_never_gives_a_wrong_record(open_log):
    log = open_log()
    put(log, "first", "second", "third")
    log.close()
    path = files(log)[0]
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        log = open_log()
        found = held(log)
        assert found == [(1, "first"), (2, "second"), (3, "third")][: len(found)]
        assert len(found) < 3
        log.close()


def test_a_missing_end_of_an_earlier_segment_is_an_error(open_log):
    log = open_log(EVERY_GROUP)
    put(log, "first", "second", "third")
    log.close()
    os.truncate(files(log)[1], 10)
    with pytest.raises(LogCorruptError, match=r"move the file away"):
        open_log()


def test_a_group_is_one_fsync_in_order(open_log, monkeypatch):
    log = open_log()
    put(log, "first")
    fsync, calls, gate, stored = os.fsync, [], threading.Event(), []

    def slow(descriptor):
        calls.append(descriptor)
        assert gate.wait(10)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    futures = [log.append(1, "", str(i).encode(), 0, stored.append) for i in range(200)]
    assert not any(future.done() for future in futures)
    assert stored == []
    gate.set()
    assert [future.result(10) for future in futures] == list(range(2, 202))
    assert stored == list(range(2, 202))
    assert len(calls) <= 3
    assert held(log)[1:] == [(i + 2, str(i)) for i in range(200)]


def test_stored_is_called_before_the_future_resolves(open_log):
    seen = []
    done = open_log().append(1, "", b"x", 0, lambda position: seen.append(position))
    assert done.result(10) == 1
    assert seen == [1]


def test_many_threads(open_log):
    log, futures = open_log(2000), []

    def write(name):
        futures.extend(
            log.append(1, "", f"{name}-{i}".encode(), 0, lambda _: None) for i in range(50)
        )

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(future.result(10) for future in futures) == list(range(1, 201))
    assert [position for position, _ in held(open_log())] == list(range(1, 201))


@pytest.mark.parametrize("segment_bytes", [BIG, EVERY_GROUP])
def test_truncation_keeps_what_is_later(open_log, segment_bytes):
    log = open_log(segment_bytes)
    put(log, *"abcde")
    log.truncate(3)
    later = [pair for pair in held(log) if pair[0] > 3]
    assert later == [(4, "d"), (5, "e")]
    assert len(files(log)) == (1 if segment_bytes == BIG else 2)
    assert held(open_log(segment_bytes))[-2:] == later


def test_an_emptied_log_goes_on_counting(open_log):
    log = open_log()
    put(log, "a", "b")
    log.truncate(2)
    assert (files(log), log.size_bytes()) == ([], 0)
    assert put(log, "c") == [3]
    log.truncate(3)
    assert put(open_log(first_position=4), "d") == [4]


def test_positions_do_not_repeat_after_a_torn_first_record(open_log):
    """The log was emptied, then its next record was torn: nothing but the file's name counts."""
    log = open_log()
    put(log, "a", "b")
    log.truncate(2)
    put(log, "c")
    log.close()
    os.truncate(files(log)[0], 5)
    log = open_log()
    assert (held(log), files(log)) == ([], [])
    assert put(log, "d") == [3]


def test_a_torn_segment_does_not_make_truncation_drop_records(open_log):
    """A later segment of no record must not pass for the end of an earlier one."""
    folder = open_log().folder
    (folder / f"{7:020d}.log").write_bytes(b"torn")
    log = open_log(first_position=6)
    positions = put(log, "a", "b", "c")
    log.truncate(positions[0])
    assert held(log)[-2:] == [(positions[1], "b"), (positions[2], "c")]
    assert held(open_log())[-2:] == [(positions[1], "b"), (positions[2], "c")]


def fail_once(monkeypatch, name):
    real, left = getattr(os, name), [1]

    def call(*args):
        if left:
            left.pop()
            raise OSError(5, "Input/output error")
        return real(*args)

    monkeypatch.setattr(os, name, call)


def test_a_failed_fsync_leaves_its_record_out_and_later_ones_in(open_log, monkeypatch):
    log = open_log()
    put(log, "a")
    fail_once(monkeypatch, "fsync")
    with pytest.raises(LogError, match=r"cannot write the log in .*Input/output error"):
        put(log, "refused, and longer than what follows")
    assert put(log, "b") == [2]
    assert held(log) == held(open_log()) == [(1, "a"), (2, "b")]


def test_a_failed_fsync_of_the_very_first_record(open_log, monkeypatch):
    log = open_log()
    fail_once(monkeypatch, "fsync")
    with pytest.raises(LogError):
        put(log, "refused")
    assert put(log, "a") == [1]
    assert held(open_log()) == [(1, "a")]


def test_a_new_segment_is_synced_in_its_folder_before_it_is_trusted(open_log, monkeypatch):
    """Where that fails, it must be tried again: else the file may be gone after a power cut."""
    log, synced, fsync = open_log(), [], os.fsync

    def record(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        if len(synced) == 1:
            raise OSError(5, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    with pytest.raises(LogError):
        put(log, "refused")
    put(log, "a")
    assert synced[:2] == [str(log.folder)] * 2


def test_what_cannot_even_be_undone_is_cut_off_at_the_next_start(open_log, monkeypatch):
    log = open_log()
    put(log, "a")
    fail_once(monkeypatch, "fsync")
    fail_once(monkeypatch, "ftruncate")
    with pytest.raises(LogError):
        put(log, "refused")
    assert put(log, "b", "c") == [2, 3]
    log = open_log()
    assert held(log) == [(1, "a"), (2, "b"), (3, "c")]
    assert put(log, "d") == [4]
    assert held(open_log()) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(open_log):
    log = open_log()
    put(log, "a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(LogError, match="File too large"):
            put(log, "x" * 400_000)
        assert log.size_bytes() < 100
        assert put(log, "b") == [2]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert put(log, "y" * 400_000) == [3]
    assert [position for position, _ in held(open_log())] == [1, 2, 3]


def test_one_at_a_time(open_log, tmp_path):
    log = open_log()
    with pytest.raises(LogLockedError, match="used by another receiver"):
        WriteAheadLog(tmp_path / "log", BIG)
    put(log, "still works")
    log.close()
    open_log()


def test_a_corrupt_log_gives_its_lock_back(open_log):
    log = open_log(EVERY_GROUP)
    put(log, "a", "b")
    log.close()
    path = files(log)[0]
    data = path.read_bytes()
    path.write_bytes(b"?" + data[1:])
    with pytest.raises(LogCorruptError):
        open_log()
    path.write_bytes(data)
    assert len(held(open_log())) == 2


def test_a_closed_log_refuses_instead_of_hanging(open_log):
    log = open_log()
    put(log, "a")
    log.close()
    with pytest.raises(LogError, match="is closed"):
        put(log, "b")
    log.close()
    assert held(open_log()) == [(1, "a")]


def test_what_was_handed_in_before_closing_is_written(open_log):
    log = open_log()
    futures = [log.append(1, "", b"x", 0, lambda _: None) for _ in range(50)]
    log.close()
    assert [future.result(0) for future in futures] == list(range(1, 51))


def test_records_cannot_be_cancelled(open_log, monkeypatch):
    log, gate, fsync = open_log(), threading.Event(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: gate.wait(10) and fsync(fd))
    done = log.append(1, "", b"x", 0, lambda _: None)
    assert not done.cancel()
    gate.set()
    assert done.result(10) == 1


@pytest.mark.parametrize(("kind", "cluster"), [(256, ""), (-1, ""), (1, "x" * 65_536)])
def test_what_does_not_fit_is_refused_and_the_log_lives_on(open_log, kind, cluster):
    log = open_log()
    with pytest.raises(ValueError, match="does not fit"):
        log.append(kind, cluster, b"", 0, lambda _: None)
    assert put(log, "a") == [1]


def test_a_failure_of_the_callback_is_the_senders_and_the_log_lives_on(open_log):
    log = open_log()

    def fail(position):
        raise MemoryError(position)

    with pytest.raises(MemoryError):
        log.append(1, "", b"x", 0, fail).result(10)
    assert put(log, "a") == [2]
