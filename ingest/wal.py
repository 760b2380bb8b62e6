"""The write-ahead log: what is acknowledged is on disk first.

A log is a folder of segments, `<first position>.log`, each a run of records (`ingest.segment`).
Positions grow by one. One thread writes: it takes every record that waits, writes them together
and calls fsync once for all of them (group commit). A torn group at the very end is what a crash
leaves: it was never acknowledged, and is cut off at the next start. So is what a failed write left
before a segment that goes on with the same positions. Damage before that is an error.
"""

import contextlib
import fcntl
import io
import itertools
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingest import segment as layout
from ingest.errors import LogCorruptError, LogError, LogLockedError
from ingest.segment import Entry, Record, first_position
from lake.disk import sync

logger = logging.getLogger(__name__)

MAX_GROUP = 1024
"""Records in one fsync at most, so that the first of them need not wait for ever."""

FAILURE_SECONDS = 60.0
"""How long a failed write counts: a receiver that is sent nothing because of it must recover."""


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    stored: Callable[[int], None]
    done: "Future[int]"


class WriteAheadLog:
    """An open log. Call `replay` and `skip` before the first `append`.

    Args:
        folder: made if it is missing; locked against other processes while open.
        segment_bytes: size at which a segment is closed and the next begun.

    Raises:
        LogLockedError: another process has it open.
        LogCorruptError: a segment is damaged before its end.
        LogVersionError: another version wrote a segment.
    """

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        self.folder = folder
        self._segment_bytes = segment_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(folder)
        try:
            last = self._recover()
        except LogError:
            self._lock_file.close()
            raise
        self._next = last + 1
        self._segment: io.FileIO | None = None
        self._salt = self._durable_bytes = 0
        self._failure: tuple[float, LogError] | None = None
        self._files = threading.Lock()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._write_for_ever, name="wal", daemon=True)
        self._thread.start()

    def skip(self, position: int) -> None:
        """Give out no position up to this one: the lake has them, also of a log that is gone."""
        self._next = max(self._next, position + 1)

    def last(self) -> int:
        """The position of the newest record that there is, or was."""
        return self._next - 1

    def append(self, entry: Entry, stored: Callable[[int], None]) -> "Future[int]":
        """Log an entry; the future gives its position once it is on disk.

        Args:
            entry: what to log.
            stored: called with the position after fsync and before the future resolves, in the
                order of positions, from the log's own thread.

        The future raises `LogError` if the disk refuses or the log is closed; the record is then
        not in the log. It cannot be cancelled: what is handed in is written.

        Raises:
            ValueError: the entry does not fit into a record.
        """
        entry.check()
        done: Future[int] = Future()
        done.set_running_or_notify_cancel()
        with self._closing:
            if self._closed:
                done.set_exception(LogError(f"the log in {self.folder} is closed"))
            else:
                self._queue.put(_Waiting(entry, stored, done))
        return done

    def replay(self) -> Iterator[Record]:
        """Every record in the log, oldest first."""
        for path in self._segments():
            yield from layout.read(path, None)[0]

    def truncate(self, position: int, most: int | None = None) -> int:
        """Drop segments that hold nothing after `position`, oldest first; how many.

        Args:
            position: all records up to it are in the lake.
            most: how many to drop at most.
        """
        with self._files:
            segments = self._segments()
            ends = [first_position(path) for path in segments] + [self._next]
            old = [
                path for path, end in zip(segments, ends[1:], strict=True) if end <= position + 1
            ]
            for path in old[:most]:
                if path == segments[-1] and self._segment is not None:
                    self._segment.close()
                    self._segment = None
                path.unlink()
            return len(old[:most])

    def size_bytes(self) -> int:
        """Bytes of all segments."""
        size = 0
        for path in self._segments():
            with contextlib.suppress(FileNotFoundError):  # a flush may drop one meanwhile
                size += path.stat().st_size
        return size

    def failure(self) -> LogError | None:
        """Why the last write failed, unless that is a minute ago."""
        if not self._thread.is_alive() and not self._closed:
            return LogError(f"the log in {self.folder} is written no more: start again")
        failure = self._failure
        if failure is None or time.monotonic() - failure[0] > FAILURE_SECONDS:
            return None
        return failure[1]

    def close(self) -> None:
        """Write what waits, stop the thread, give up the lock."""
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        if self._segment is not None:
            self._segment.close()
        self._lock_file.close()

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"), key=first_position)

    def _recover(self) -> int:
        """Check every segment, cut off what was never acknowledged, give the last position."""
        last = 0
        segments = self._segments()
        for path, following in itertools.zip_longest(segments, segments[1:]):
            before = None if following is None else first_position(following)
            records, sound_bytes = layout.read(path, before)
            last = records[-1].position if records else first_position(path) - 1
            if sound_bytes < path.stat().st_size:
                if before is not None and last + 1 < before:
                    raise LogCorruptError(str(path), sound_bytes)
                with path.open("r+b") as segment:
                    segment.truncate(sound_bytes)
                    os.fsync(segment.fileno())
            if not records:
                # Its name must not stand before records that a later segment does not have.
                path.unlink()
        return last

    def _write_for_ever(self) -> None:
        while True:
            group = [self._queue.get()]
            while len(group) < MAX_GROUP and not self._queue.empty():
                group.append(self._queue.get())
            waiting = [item for item in group if item is not None]
            if waiting:
                self._write(waiting)
            if None in group:
                return

    def _write(self, group: list[_Waiting]) -> None:
        first = self._next
        with self._files:
            try:
                segment = self._open_segment()
                data = memoryview(self._encode(group))
                while data:
                    data = data[segment.write(data) :]
                os.fsync(segment.fileno())
                self._durable_bytes = segment.tell()
                self._next = first + len(group)
                self._failure = error = None
            except Exception as problem:
                error = LogError(f"cannot write the log in {self.folder}: {problem}")
                if self._failure is None:
                    logger.exception("the write-ahead log cannot be written")
                self._failure = (time.monotonic(), error)
                self._undo()
        for offset, item in enumerate(group):
            if error is not None:
                item.done.set_exception(error)
                continue
            try:
                item.stored(first + offset)
            except BaseException as problem:  # noqa: BLE001 likewise; a panic of Rust's is no Exception
                item.done.set_exception(problem)
            else:
                item.done.set_result(first + offset)

    def _open_segment(self) -> io.FileIO:
        if self._segment is not None and self._durable_bytes >= self._segment_bytes:
            self._segment.close()
            self._segment = None
        if self._segment is None:
            # A new file for every start: what an earlier process left is never appended to.
            # Unbuffered, so that nothing of a failed write is tried again behind our back.
            segment = (self.folder / f"{self._next:020d}.log").open("wb", buffering=0)
            try:
                sync(self.folder)
            except OSError:
                segment.close()
                raise
            self._segment, self._durable_bytes = segment, 0
            self._salt = layout.new_salt()
        return self._segment

    def _encode(self, group: list[_Waiting]) -> bytes:
        first = self._next
        records = [
            layout.encode(self._salt, first + i, first, item.entry) for i, item in enumerate(group)
        ]
        return b"".join(records if self._durable_bytes else [layout.head(self._salt), *records])

    def _undo(self) -> None:
        """After a failed write, forget what may be half on disk: it was not acknowledged."""
        if self._segment is None:
            return
        try:
            os.ftruncate(self._segment.fileno(), self._durable_bytes)
            self._segment.seek(self._durable_bytes)
        except OSError:
            # It stays for the next start to cut off; the next segment begins with its position.
            with contextlib.suppress(OSError):
                self._segment.close()
            self._segment = None


def _lock(folder: Path) -> BinaryIO:
    lock_file = (folder / "LOCK").open("ab")
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock_file.close()
        raise LogLockedError(str(folder)) from error
    return lock_file
