"""The write-ahead log: what is acknowledged is on disk first.

A log is a folder of segments, `<first position>.log`, each a run of records:

    length u32 │ crc32 u32 │ position u64 │ time µs i64 │ kind u8
    │ cluster length u16 │ cluster │ payload

`length` counts the bytes after the checksum, which covers them; little-endian. Positions grow by
one. One thread writes: it takes every record that waits, writes them together and calls fsync once
for all of them (group commit). A torn record at the very end is what a crash leaves: it was never
acknowledged, and is cut off at the next start. Damage anywhere else is an error.
"""

import fcntl
import itertools
import os
import queue
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingest.errors import LogCorruptError, LogError, LogLockedError

FORMAT_VERSION = 1

_FRAME = struct.Struct("<II")
_HEADER = struct.Struct("<QqBH")
MAX_GROUP = 1024
"""Records in one fsync at most, so that the first of them need not wait for ever."""


@dataclass(frozen=True, slots=True)
class Record:
    """One acknowledged request. `kind` tells the reader how to decode `payload`."""

    position: int
    time_us: int
    kind: int
    cluster: str
    payload: bytes


@dataclass(slots=True)
class _Waiting:
    time_us: int
    kind: int
    cluster: str
    payload: bytes
    stored: Callable[[int], None]
    done: "Future[int]"


class WriteAheadLog:
    """An open log. Call `replay` before the first `append`.

    Args:
        folder: made if it is missing; locked against other processes while open.
        segment_bytes: size at which a segment is closed and the next begun.
        first_position: positions are at least this, so that they never repeat ones the lake
            holds even after the folder was emptied.

    Raises:
        LogLockedError: another process has it open.
        LogCorruptError: a segment is damaged before its end.
    """

    def __init__(self, folder: Path, segment_bytes: int, first_position: int = 1) -> None:
        self.folder = folder
        self._segment_bytes = segment_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(folder)
        try:
            last = self._recover()
        except LogError:
            self._lock_file.close()
            raise
        self._next = max(last + 1, first_position)
        self._segment: BinaryIO | None = None
        self._durable_bytes = 0
        self._files = threading.Lock()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_for_ever, name="wal", daemon=True)
        self._thread.start()

    def append(
        self,
        kind: int,
        cluster: str,
        payload: bytes,
        time_us: int,
        stored: Callable[[int], None],
    ) -> "Future[int]":
        """Log a record; the future gives its position once it is on disk.

        Args:
            kind: how to decode it, 0–255.
            cluster: context that the payload lacks.
            payload: the record, as it came.
            time_us: when it was received, µs since 1970.
            stored: called with the position after fsync and before the future resolves, in the
                order of positions, from the log's own thread.

        The future raises `LogError` if the disk refuses; the record is then not in the log.
        """
        done: Future[int] = Future()
        self._queue.put(_Waiting(time_us, kind, cluster, payload, stored, done))
        return done

    def replay(self) -> Iterator[Record]:
        """Every record in the log, oldest first."""
        for path in self._segments():
            yield from _read(path)[0]

    def truncate(self, position: int) -> None:
        """Drop segments that hold nothing after `position`."""
        with self._files:
            segments = self._segments()
            for path, following in itertools.pairwise(segments):
                if _first_position(following) <= position + 1:
                    path.unlink()
            if segments and self._next == position + 1:
                if self._segment is not None:
                    self._segment.close()
                    self._segment = None
                segments[-1].unlink()

    def size_bytes(self) -> int:
        """Bytes of all segments."""
        return sum(path.stat().st_size for path in self._segments())

    def close(self) -> None:
        """Write what waits, stop the thread, give up the lock."""
        self._queue.put(None)
        self._thread.join()
        if self._segment is not None:
            self._segment.close()
        self._lock_file.close()

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"), key=_first_position)

    def _recover(self) -> int:
        """Check every segment, cut a torn end off the last one, give the last position."""
        last = 0
        segments = self._segments()
        for path in segments:
            records, sound_bytes = _read(path)
            if sound_bytes < path.stat().st_size:
                if path != segments[-1]:
                    raise LogCorruptError(str(path), sound_bytes)
                with path.open("r+b") as segment:
                    segment.truncate(sound_bytes)
                    os.fsync(segment.fileno())
            if records:
                last = records[-1].position
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
                segment.write(b"".join(_encode(first + i, item) for i, item in enumerate(group)))
                segment.flush()
                os.fsync(segment.fileno())
                self._durable_bytes = segment.tell()
                self._next = first + len(group)
                error = None
            except OSError as problem:
                error = LogError(f"cannot write the log in {self.folder}: {problem}")
                self._undo()
        for offset, item in enumerate(group):
            if error is not None:
                item.done.set_exception(error)
            else:
                item.stored(first + offset)
                item.done.set_result(first + offset)

    def _open_segment(self) -> BinaryIO:
        if self._segment is not None and self._durable_bytes >= self._segment_bytes:
            self._segment.close()
            self._segment = None
        if self._segment is None:
            # A new file for every start: what an earlier process left is never appended to.
            path = self.folder / f"{self._next:020d}.log"
            self._segment = path.open("wb")
            self._durable_bytes = 0
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return self._segment

    def _undo(self) -> None:
        """After a failed write, forget what may be half on disk: it was not acknowledged."""
        if self._segment is None:
            return
        try:
            os.ftruncate(self._segment.fileno(), self._durable_bytes)
            self._segment.seek(self._durable_bytes)
        except OSError:
            # The torn end stays for the next start to cut off; later records go to a new file.
            self._segment = None


def _lock(folder: Path) -> BinaryIO:
    lock_file = (folder / "LOCK").open("ab")
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock_file.close()
        raise LogLockedError(str(folder)) from error
    return lock_file


def _first_position(path: Path) -> int:
    return int(path.stem)


def _encode(position: int, item: _Waiting) -> bytes:
    cluster = item.cluster.encode()
    body = _HEADER.pack(position, item.time_us, item.kind, len(cluster)) + cluster + item.payload
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _read(path: Path) -> tuple[list[Record], int]:
    """All sound records of a segment from its start, and how many bytes they take."""
    data = path.read_bytes()
    records: list[Record] = []
    offset = 0
    while offset + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, offset)
        start = offset + _FRAME.size
        body = data[start : start + length]
        if length < _HEADER.size or len(body) < length or zlib.crc32(body) != checksum:
            break
        position, time_us, kind, cluster_length = _HEADER.unpack_from(body)
        payload_at = _HEADER.size + cluster_length
        cluster = body[_HEADER.size : payload_at].decode()
        records.append(Record(position, time_us, kind, cluster, body[payload_at:]))
        offset = start + length
    return records, offset
