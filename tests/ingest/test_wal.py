import os
import resource
import threading
import time
import zlib
from concurrent.futures import wait
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import wal
from ingest.errors import LogCorruptError, LogError, LogLockedError, LogVersionError
from ingest.segment import FORMAT_VERSION, HEAD_BYTES
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
        with pytest.raises(LogCorruptError, match="is damaged at byte") as refusal:
            open_log()
        assert refusal.value.path == str(path)
        assert refusal.value.offset == (0 if at < HEAD_BYTES else HEAD_BYTES)
    path.write_bytes(data)
    assert len(held(open_log())) == 3


def test_a_flipped_bit_before_a_later_group_is_an_error_at_every_byte(open_log):
    """All were acknowledged. In the very last group, damage cannot be told from a torn end."""
    log = open_log()
    put(log, "first", "second")
    path = files(log)[0]
    last_group = path.stat().st_size
    put(log, "third")
    log.close()
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        if at < last_group:
            with pytest.raises(LogCorruptError, match="is damaged at byte"):
                open_log()
        else:
            log = open_log()
            assert held(log) == [(1, "first"), (2, "second")]
            log.close()
    assert path.stat().st_size == last_group


def grouped(log, *texts, monkeypatch):
    """Append in one group."""
    gate, fsync = threading.Event(), os.fsync
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: gate.wait(10) and fsync(descriptor))
        before = log.append(1, "eu", b"before", 7, lambda _: None)
        time.sleep(0.05)
        done = [log.append(1, "eu", t.encode(), 7, lambda _: None) for t in texts]
        gate.set()
        wait([before, *done], 10)


def test_a_hole_in_the_last_group_is_a_torn_end(open_log, monkeypatch):
    """Its pages may reach the disk in any order: a sound record after the hole proves nothing."""
    log = open_log()
    put(log, "first")
    grouped(log, "a", "b", "c", monkeypatch=monkeypatch)
    log.close()
    path = files(log)[0]
    data = path.read_bytes()
    at = data.index(b"eua") + 2
    path.write_bytes(data[:at] + b"?" + data[at + 1 :])
    assert held(open_log()) == [(1, "first"), (2, "before")]


def test_a_payload_cannot_pass_for_a_record(open_log):
    """Bytes of an earlier log, sent as a payload: each segment has a salt of its own."""
    log = open_log()
    put(log, *"abcdef")
    log.close()
    path = files(log)[0]
    fake = path.read_bytes()
    path.unlink()
    log = open_log()
    log.append(1, "", fake, 0, lambda _: None).result(10)
    log.close()
    os.truncate(files(log)[0], files(log)[0].stat().st_size - 1)
    assert held(open_log()) == []


def test_a_newer_version_is_told_and_left_alone(open_log):
    log = open_log()
    put(log, "a")
    log.close()
    path = files(log)[0]
    plain = b"FLWAL\n" + (FORMAT_VERSION + 1).to_bytes(2, "little") + path.read_bytes()[8:12]
    newer = plain + zlib.crc32(plain).to_bytes(4, "little") + b"who knows"
    path.write_bytes(newer)
    with pytest.raises(LogVersionError, match=r"has format version 3, this program knows 2"):
        open_log()
    assert path.read_bytes() == newer


@pytest.mark.parametrize("torn", [b"", b"FLW", bytes(16), bytes(500)])
def test_a_torn_head_is_cut(open_log, torn):
    log = open_log()
    put(log, "a")
    log.close()
    (log.folder / f"{2:020d}.log").write_bytes(torn)
    log = open_log()
    assert held(log) == [(1, "a")]
    assert put(log, "b") == [2]


def test_a_failure_is_kept_until_the_next_success_or_for_a_minute(open_log, monkeypatch):
    log = open_log()
    assert log.failure() is None
    for recover in (lambda: put(log, "b"), lambda: monkeypatch.setattr(wal, "FAILURE_SECONDS", -1)):
        fail_once(monkeypatch, "fsync")
        with pytest.raises(LogError):
            put(log, "a")
        assert "Input/output error" in str(log.failure())
        recover()
        assert log.failure() is None


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
