"""A write-ahead log for tests: one on a folder, with short names for what tests do with it."""

import os
from pathlib import Path

from ingest.segment import KEY_BYTES, Entry
from ingest.wal import WriteAheadLog

BIG = 1 << 20
EVERY_GROUP = 1
"""Segment size at which each group of records gets a segment of its own."""

KEY = bytes(range(KEY_BYTES))


def entry(payload: bytes, cluster: str = "eu", kind: int = 1) -> Entry:
    return Entry(kind, cluster, KEY, payload, 7)


class Log(WriteAheadLog):
    def __init__(self, folder: Path, segment_bytes: int = BIG, committed: int = 0) -> None:
        super().__init__(folder, segment_bytes)
        self.skip(committed)

    def put(self, *texts: str) -> list[int]:
        """Append one after the other, each on disk before the next."""
        return [self.append(entry(t.encode()), lambda _: None).result(10) for t in texts]

    def held(self) -> list[tuple[int, str]]:
        return [(record.position, record.payload.decode()) for record in self.replay()]

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))


def fail_once(monkeypatch, name: str) -> None:
    """The next call of a function of `os` fails."""
    real, left = getattr(os, name), [1]

    def call(*args):
        if left:
            left.pop()
            raise OSError(5, "Input/output error")
        return real(*args)

    monkeypatch.setattr(os, name, call)
