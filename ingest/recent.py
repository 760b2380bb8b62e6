"""Requests seen lately, so that one that is sent again is stored once.

A sender that got no answer (the receiver died after `fsync`, the connection broke) sends the very
same bytes again. The samples are in the log or the lake already; a second copy would stay in the
lake until compaction. So the answer to the first is given again.

What is durable is also kept in a file, written before each cut of the log: else a flush between
the crash and the repeat would forget what the log knew. A sender whose receiver is down waits for
it, so what an earlier process took is remembered from the start on, however long it was away.
"""

import logging
import struct
import threading
import zlib
from collections import OrderedDict
from pathlib import Path

import xxhash

from ingest.outcome import NOTHING_REFUSED, TOLD_BEFORE, Outcome, Refusal, Written, settled

logger = logging.getLogger(__name__)

RETAIN_US = 300_000_000
"""Five minutes: Prometheus repeats after 5 s at most, and a receiver may be slow the rest."""

CAPACITY = 65_536
"""Over five minutes, 200 requests a second, which is 400,000 samples a second as Prometheus sends
them (2,000 each). In memory about 16 MB, in the file 2 MB."""

FORMAT_VERSION = 2
_HEAD = struct.Struct("<6sHI")
_CRC = struct.Struct("<I")
_ENTRY = struct.Struct("<16sqIIIIH")
"""Key, time, samples, histograms, events, and what was refused: how many, with which status."""
_MAGIC = b"FLSEEN"


class RecentRequests:
    """Outcomes of the newest requests by their content. Thread-safe."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self.newest_us = 0
        """When the newest request was received that is known of, forgotten ones too."""
        self._entries: OrderedDict[bytes, tuple[int, Outcome | Written]] = OrderedDict()

    def find_or_begin(self, key: bytes, outcome: Outcome, now_us: int) -> Outcome | None:
        """The outcome of the same request, which may be still to come.

        Whoever asks is likely to ask again (one that was told 429 does, for ever), so the request
        is remembered from now on as if it were new.

        None = the request is new, and `outcome` is from now on what its repeats get. If it fails
        it is forgotten, so that a later repeat is tried.
        """
        with self._lock:
            known = self._entries.get(key)
            if known is not None and now_us - known[0] <= RETAIN_US:
                self._put(key, max(known[0], now_us), known[1])
                return settled(known[1]) if isinstance(known[1], Written) else known[1]
            self._put(key, now_us, outcome)
        outcome.add_done_callback(lambda done: self._forget_failed(key, done))
        return None

    def settle(self, key: bytes, written: Written, now_us: int) -> None:
        """Note that a request received at `now_us` is durable, with its answer."""
        with self._lock:
            if key in self._entries:
                self._entries[key] = (self._entries[key][0], written)
            else:
                self._put(key, now_us, written)

    def knows(self, key: bytes) -> bool:
        """Whether the request is among them."""
        with self._lock:
            return key in self._entries

    def packed(self) -> bytes:
        """What is durable by now, as a file of it has it."""
        with self._lock:
            entries = list(self._entries.items())
        packed = [
            _pack(key, time_us, outcome)
            for key, (time_us, outcome) in entries
            if isinstance(outcome, Written)
        ]
        data = _HEAD.pack(_MAGIC, FORMAT_VERSION, len(packed)) + b"".join(packed)
        return data + _CRC.pack(zlib.crc32(data))

    def load(self, path: Path) -> None:
        """Take up a file of what `packed` gave; a bad one is as none, and is reported.

        Times are as they were: `resume` follows, once all is known.
        """
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        entries = _parse(data)
        if entries is None:
            logger.warning("recent requests not read", extra={"path": str(path)})
            return
        with self._lock:
            for key, time_us, written in entries:
                self._put(key, time_us, written)

    def resume(self, now_us: int) -> None:
        """Go on after a pause: the newest request counts as received now, the others before it."""
        with self._lock:
            pause, oldest = now_us - self.newest_us, self.newest_us - RETAIN_US
            self._entries = OrderedDict(
                (key, (time_us + pause, outcome))
                for key, (time_us, outcome) in self._entries.items()
                if time_us >= oldest
            )

    def _put(self, key: bytes, time_us: int, outcome: Outcome | Written) -> None:
        self._entries.pop(key, None)
        self._entries[key] = (time_us, outcome)
        self.newest_us = max(self.newest_us, time_us)
        while len(self._entries) > self._capacity or self._oldest() < time_us - RETAIN_US:
            if not isinstance(self._entries[next(iter(self._entries))][1], Written):
                return  # still under way: its repeat must find it
            self._entries.popitem(last=False)

    def _oldest(self) -> int:
        return next(iter(self._entries.values()))[0]

    def _forget_failed(self, key: bytes, outcome: Outcome) -> None:
        if outcome.exception() is not None:
            with self._lock:
                if key in self._entries and self._entries[key][1] is outcome:
                    del self._entries[key]


def key_of(kind: int, cluster: str, body: bytes) -> bytes:
    """What makes two requests the same: their kind, their context and every byte."""
    digest = xxhash.xxh3_128(body)
    digest.update(b"\xff" + cluster.encode() + bytes([kind]))
    return digest.digest()


def _pack(key: bytes, time_us: int, written: Written) -> bytes:
    refusal = written.refusal or NOTHING_REFUSED
    return _ENTRY.pack(
        key,
        time_us,
        written.samples,
        written.histograms,
        written.events,
        refusal.count,
        refusal.status,
    )


def _unpack(
    key: bytes, time_us: int, samples: int, histograms: int, events: int, refused: int, status: int
) -> tuple[bytes, int, Written]:
    refusal = Refusal(refused, status, TOLD_BEFORE) if status else None
    return key, time_us, Written(samples, histograms, events, refusal)


def _parse(data: bytes) -> list[tuple[bytes, int, Written]] | None:
    if len(data) < _HEAD.size + _CRC.size:
        return None
    plain, (checksum,) = data[: -_CRC.size], _CRC.unpack(data[-_CRC.size :])
    magic, version, count = _HEAD.unpack_from(plain)
    sound = magic == _MAGIC and version == FORMAT_VERSION and zlib.crc32(plain) == checksum
    if not sound or len(plain) != _HEAD.size + count * _ENTRY.size:
        return None
    return [_unpack(*entry) for entry in _ENTRY.iter_unpack(plain[_HEAD.size :])]
