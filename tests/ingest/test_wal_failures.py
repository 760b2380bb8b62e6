"""A disk that refuses: the sender is told, nothing half-written stays, and the log goes on."""

import os
import resource
from pathlib import Path

import pytest

from ingest import wal
from ingest.errors import LogError
from tests.ingest.logs import entry, fail_once


def test_a_failure_is_kept_until_the_next_success_or_for_a_minute(open_log, monkeypatch):
    log = open_log()
    assert log.failure() is None
    for recover in (lambda: log.put("b"), lambda: monkeypatch.setattr(wal, "FAILURE_SECONDS", -1)):
        fail_once(monkeypatch, "fsync")
        with pytest.raises(LogError):
            log.put("a")
        assert "Input/output error" in str(log.failure())
        recover()
        assert log.failure() is None


def test_a_failed_fsync_leaves_its_record_out_and_later_ones_in(open_log, monkeypatch):
    log = open_log()
    log.put("a")
    fail_once(monkeypatch, "fsync")
    with pytest.raises(LogError, match=r"cannot write the log in .*Input/output error"):
        log.put("refused, and longer than what follows")
    assert log.put("b") == [2]
    assert log.held() == open_log().held() == [(1, "a"), (2, "b")]


def test_a_failed_fsync_of_the_very_first_record(open_log, monkeypatch):
    log = open_log()
    fail_once(monkeypatch, "fsync")
    with pytest.raises(LogError):
        log.put("refused")
    assert log.put("a") == [1]
    assert open_log().held() == [(1, "a")]


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
        log.put("refused")
    log.put("a")
    assert synced[:2] == [str(log.folder)] * 2


def test_what_cannot_even_be_undone_is_cut_off_at_the_next_start(open_log, monkeypatch):
    log = open_log()
    log.put("a")
    fail_once(monkeypatch, "fsync")
    fail_once(monkeypatch, "ftruncate")
    with pytest.raises(LogError):
        log.put("refused")
    assert log.put("b", "c") == [2, 3]
    log = open_log()
    assert log.held() == [(1, "a"), (2, "b"), (3, "c")]
    assert log.put("d") == [4]
    assert open_log().held() == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(open_log):
    log = open_log()
    log.put("a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(LogError, match="File too large"):
            log.put("x" * 400_000)
        assert log.size_bytes() < 100
        assert log.put("b") == [2]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.put("y" * 400_000) == [3]
    assert [position for position, _ in open_log().held()] == [1, 2, 3]


def test_a_failure_of_the_callback_is_the_senders_and_the_log_lives_on(open_log):
    log = open_log()

    def fail(position):
        raise MemoryError(position)

    with pytest.raises(MemoryError):
        log.append(entry(b"x"), fail).result(10)
    assert log.put("a") == [2]
