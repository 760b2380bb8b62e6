"""What a crash leaves of a log is cut off; damage to what was acknowledged is an error."""

import os
import struct
import threading
import time
import zlib
from concurrent.futures import wait

import pytest

from ingest.errors import LogCorruptError, LogVersionError
from ingest.segment import FORMAT_VERSION, HEAD_BYTES
from tests.ingest.logs import EVERY_GROUP, entry
from tests.patience import PATIENCE, SOON


def test_a_torn_end_is_cut_at_every_byte(open_log):
    log = open_log()
    log.put("first", "second")
    (path,) = log.files()
    sound = path.stat().st_size
    log.put("third")
    log.close()
    data = path.read_bytes()
    for length in range(sound, len(data)):
        path.write_bytes(data[:length])
        log = open_log()
        assert log.held() == [(1, "first"), (2, "second")]
        assert path.stat().st_size == sound
        assert log.put("again") == [3]
        log.close()
        log.files()[-1].unlink()


def test_a_torn_end_of_zeros_is_cut(open_log):
    """A file system may give the length before the bytes."""
    log = open_log()
    log.put("first")
    log.close()
    with log.files()[0].open("ab") as segment:
        segment.write(bytes(100))
    assert open_log().held() == [(1, "first")]


def test_a_flipped_bit_in_an_earlier_segment_is_an_error_at_every_byte(open_log):
    log = open_log(EVERY_GROUP)
    log.put("first", "second", "third")
    log.close()
    path = log.files()[1]
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        with pytest.raises(LogCorruptError, match="is damaged at byte") as refusal:
            open_log()
        assert refusal.value.path == str(path)
        assert refusal.value.offset == (0 if at < HEAD_BYTES else HEAD_BYTES)
    path.write_bytes(data)
    assert len(open_log().held()) == 3


def test_a_flipped_bit_before_a_later_group_is_an_error_at_every_byte(open_log):
    """All were acknowledged. In the very last group, damage cannot be told from a torn end."""
    log = open_log()
    log.put("first", "second")
    path = log.files()[0]
    last_group = path.stat().st_size
    log.put("third")
    log.close()
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        if at < last_group:
            with pytest.raises(LogCorruptError, match="is damaged at byte"):
                open_log()
        else:
            log = open_log()
            assert log.held() == [(1, "first"), (2, "second")]
            log.close()
    assert path.stat().st_size == last_group


def grouped(log, *texts, monkeypatch):
    """Append in one group."""
    gate, begun, fsync = threading.Event(), threading.Event(), os.fsync

    def wait_for_gate(descriptor):
        begun.set()
        assert gate.wait(PATIENCE)
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", wait_for_gate)
        before = log.append(entry(b"before"), lambda _: None)
        assert begun.wait(PATIENCE)
        done = [log.append(entry(t.encode()), lambda _: None) for t in texts]
        gate.set()
        wait([before, *done], PATIENCE)


def test_a_hole_in_the_last_group_is_a_torn_end(open_log, monkeypatch):
    """Its pages may reach the disk in any order: a sound record after the hole proves nothing."""
    log = open_log()
    log.put("first")
    grouped(log, "a", "b", "c", monkeypatch=monkeypatch)
    log.close()
    path = log.files()[0]
    data = path.read_bytes()
    at = data.index(b"eua") + 2
    path.write_bytes(data[:at] + b"?" + data[at + 1 :])
    assert open_log().held() == [(1, "first"), (2, "before")]


def test_a_payload_cannot_pass_for_a_record(open_log):
    """Bytes of an earlier log, sent as a payload: each segment has a salt of its own."""
    log = open_log()
    log.put(*"abcdef")
    log.close()
    path = log.files()[0]
    fake = path.read_bytes()
    path.unlink()
    log = open_log()
    log.append(entry(fake), lambda _: None).result(10)
    log.close()
    os.truncate(log.files()[0], log.files()[0].stat().st_size - 1)
    assert open_log().held() == []


@pytest.mark.parametrize("marks", ["guessed", "known"])
def test_a_torn_payload_full_of_marks_is_read_in_no_time(open_log, marks):
    """Each mark begins what could be a record to the end: to look at all of them is quadratic."""
    log = open_log()
    log.put("a")
    log.close()
    path = log.files()[0]
    salt = path.read_bytes()[8:12]
    size, mark = 4_000_000, b"\xf5REC" if marks == "guessed" else salt[::-1]
    frames = [struct.pack("<4sII", mark, size - at - 200, 0) for at in range(0, size - 400, 12)]
    log = open_log()
    log.append(entry(b"".join(frames)), lambda _: None).result(10)
    log.close()
    path = log.files()[-1]
    os.truncate(path, path.stat().st_size - 50)
    began = time.process_time()
    assert open_log().held() == [(1, "a")]
    assert time.process_time() - began < SOON


def test_the_mark_of_records_is_another_in_each_segment(open_log):
    log = open_log(EVERY_GROUP)
    log.put(*"abcd")
    marks = {path.read_bytes()[HEAD_BYTES : HEAD_BYTES + 4] for path in log.files()}
    assert len(marks) == 4
    assert bytes(4) not in marks


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (FORMAT_VERSION + 1, "a newer version wrote it: start that one"),
        (FORMAT_VERSION - 1, "an older version wrote it: start and stop that one"),
    ],
    ids=["newer", "older"],
)
def test_another_version_is_told_and_left_alone(open_log, version, told):
    log = open_log()
    log.put("a")
    log.close()
    path = log.files()[0]
    plain = b"FLWAL\n" + version.to_bytes(2, "little") + path.read_bytes()[8:12]
    other = plain + zlib.crc32(plain).to_bytes(4, "little") + b"who knows"
    path.write_bytes(other)
    with pytest.raises(LogVersionError, match=told) as refusal:
        open_log()
    assert f"has format version {version}, this program knows {FORMAT_VERSION}" in str(
        refusal.value
    )
    assert (refusal.value.version, path.read_bytes()) == (version, other)


@pytest.mark.parametrize("torn", [b"", b"FLW", bytes(16), bytes(500)])
def test_a_torn_head_is_cut(open_log, torn):
    log = open_log()
    log.put("a")
    log.close()
    (log.folder / f"{2:020d}.log").write_bytes(torn)
    log = open_log()
    assert log.held() == [(1, "a")]
    assert log.put("b") == [2]


def test_a_missing_end_of_an_earlier_segment_is_an_error(open_log):
    log = open_log(EVERY_GROUP)
    log.put("first", "second", "third")
    log.close()
    os.truncate(log.files()[1], 10)
    with pytest.raises(LogCorruptError, match=r"move the file away"):
        open_log()


def test_positions_do_not_repeat_after_a_torn_first_record(open_log):
    """The log was emptied, then its next record was torn: nothing but the file's name counts."""
    log = open_log()
    log.put("a", "b")
    log.truncate(2)
    log.put("c")
    log.close()
    os.truncate(log.files()[0], 5)
    log = open_log()
    assert (log.held(), log.files()) == ([], [])
    assert log.put("d") == [3]


def test_a_torn_segment_does_not_make_truncation_drop_records(open_log):
    """A later segment of no record must not pass for the end of an earlier one."""
    folder = open_log().folder
    (folder / f"{7:020d}.log").write_bytes(b"torn")
    log = open_log(committed=5)
    positions = log.put("a", "b", "c")
    log.truncate(positions[0])
    assert log.held()[-2:] == [(positions[1], "b"), (positions[2], "c")]
    assert open_log().held()[-2:] == [(positions[1], "b"), (positions[2], "c")]


def test_a_corrupt_log_gives_its_lock_back(open_log):
    log = open_log(EVERY_GROUP)
    log.put("a", "b")
    log.close()
    path = log.files()[0]
    data = path.read_bytes()
    path.write_bytes(b"?" + data[1:])
    with pytest.raises(LogCorruptError):
        open_log()
    path.write_bytes(data)
    assert len(open_log().held()) == 2
