"""Segments of the write-ahead log: their bytes, and what of them can be trusted.

    magic 6 B │ version u16 │ salt u32 │ crc32 u32                              head; then records:
    salt u32 │ length u32 │ crc32 u32 │ position u64 │ group u64 │ time µs i64 │ kind u8
    │ key 16 B │ refused u32 │ status u16 │ cluster length u16 │ cluster │ payload

`length` counts the bytes after a record's checksum, which covers them and begins with the salt;
little-endian. The salt is drawn for each segment and known to nobody: no sender can write a payload
that looks like a record, nor one that holds the mark of many and has to be searched for as long.
`group` is the position of the first record that was written and synced together with this
one. A group is begun only after the one before is on disk, so a bad record in front of a later
group is damage, and a bad record in the last group may be what a crash left of it.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import LogCorruptError, LogVersionError

FORMAT_VERSION = 4

_HEAD = struct.Struct("<6sHI")
_CRC = struct.Struct("<I")
_FRAME = struct.Struct("<III")
_HEADER = struct.Struct("<QQqB16sIHH")
_MAGIC = b"FLWAL\n"
HEAD_BYTES = _HEAD.size + _CRC.size
MAX_CLUSTER_BYTES = 0xFFFF
"""Its length is a u16 in the record."""


KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be logged of one request.

    Attributes:
        kind: how to decode the payload, 0–255.
        cluster: context that the payload lacks, at most `MAX_CLUSTER_BYTES` of UTF-8.
        key: `KEY_BYTES` by which the request is known when it is sent again.
        payload: what is to be stored of it.
        time_us: when it was received, µs since 1970.
        refused: samples of the request that were not stored, and are not in the payload.
        status: HTTP status that its sender was told because of them; 0 = all of it is stored.
    """

    kind: int
    cluster: str
    key: bytes
    payload: bytes
    time_us: int
    refused: int = 0
    status: int = 0

    def check(self) -> None:
        """Whether it fits into a record.

        Raises:
            ValueError: it does not.
        """
        size = len(self.cluster.encode())
        if size > MAX_CLUSTER_BYTES or not 0 <= self.kind <= 0xFF or len(self.key) != KEY_BYTES:
            raise ValueError(
                f"kind {self.kind}, a key of {len(self.key)} bytes or a cluster name of {size} "
                "bytes does not fit"
            )


@dataclass(frozen=True, slots=True)
class Record(Entry):
    """An entry as it stands in the log."""

    position: int = 0
    group: int = 0


def new_salt() -> int:
    """A salt for a new segment; never 0, which is what a torn file is full of."""
    return 1 + int.from_bytes(os.urandom(8), "little") % 0xFFFFFFFF


def head(salt: int) -> bytes:
    """What a segment begins with."""
    plain = _HEAD.pack(_MAGIC, FORMAT_VERSION, salt)
    return plain + _CRC.pack(zlib.crc32(plain))


def encode(salt: int, position: int, group: int, entry: Entry) -> bytes:
    """A record as bytes."""
    cluster = entry.cluster.encode()
    head = _HEADER.pack(
        position,
        group,
        entry.time_us,
        entry.kind,
        entry.key,
        entry.refused,
        entry.status,
        len(cluster),
    )
    body = b"".join((head, cluster, entry.payload))
    return b"".join((_FRAME.pack(salt, len(body), zlib.crc32(body, salt)), body))


def first_position(path: Path) -> int:
    """The position that a segment's name says it begins with."""
    return int(path.stem)


def read(path: Path, before: int | None) -> tuple[list[Record], int]:
    """The sound records of a segment, and how many bytes they take with the head.

    Args:
        path: the segment.
        before: records from this position on are left out: a later segment has them. None = this
            is the last segment.

    Raises:
        LogCorruptError: what is not sound was written before something that is.
        LogVersionError: another version wrote it.
    """
    data = path.read_bytes()
    salt = _salt(path, data)
    if salt is None:
        return [], 0
    records: list[Record] = []
    offset, expected = HEAD_BYTES, first_position(path)
    while (found := _record_at(data, offset, salt)) is not None:
        record, end = found
        if record.position != expected or (before is not None and record.position >= before):
            break
        records.append(record)
        offset, expected = end, expected + 1
    if offset < len(data) and (before is None or expected < before):
        _check_torn(path, data, offset, salt, expected)
    return records, offset


def _salt(path: Path, data: bytes) -> int | None:
    """The segment's salt; None = it was torn before anything in it was acknowledged."""
    plain = data[: _HEAD.size]
    # A crash leaves a part of the head, or zeros where its bytes did not get to the disk.
    if len(data) < HEAD_BYTES or not any(data[:HEAD_BYTES]):
        return None
    magic, version, salt = _HEAD.unpack(plain)
    (checksum,) = _CRC.unpack_from(data, _HEAD.size)
    if magic != _MAGIC or zlib.crc32(plain) != checksum:
        raise LogCorruptError(str(path), 0)
    if version != FORMAT_VERSION:
        raise LogVersionError(str(path), version, FORMAT_VERSION)
    return int(salt)


def _check_torn(path: Path, data: bytes, offset: int, salt: int, expected: int) -> None:
    """Whether the bad record at `offset` can be the end of the last group; else it is damage."""
    mark = salt.to_bytes(4, "little")
    at = data.find(mark, offset + 1)
    while at >= 0:
        found = _record_at(data, at, salt)
        if found is not None and found[0].group > expected:
            raise LogCorruptError(str(path), offset)
        at = data.find(mark, at + 1)


def _record_at(data: bytes, offset: int, salt: int) -> tuple[Record, int] | None:
    """The sound record at an offset, and where it ends."""
    if offset + _FRAME.size > len(data):
        return None
    mark, length, checksum = _FRAME.unpack_from(data, offset)
    start = offset + _FRAME.size
    if mark != salt or length < _HEADER.size or start + length > len(data):
        return None
    body = data[start : start + length]
    if zlib.crc32(body, salt) != checksum:
        return None
    position, group, time_us, kind, key, refused, status, cluster_length = _HEADER.unpack_from(body)
    payload_at = _HEADER.size + cluster_length
    cluster = body[_HEADER.size : payload_at].decode()
    payload = body[payload_at:]
    record = Record(kind, cluster, key, payload, time_us, refused, status, position, group)
    return record, start + length
