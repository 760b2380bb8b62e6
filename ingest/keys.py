"""Recognising a series by the bytes its sender names it with: a keyed hash and a flat table.

A key is SipHash-1-3 of those bytes in 128 bits, under a secret of this process: no sender can find
two label sets with one key, and by chance a million series collide with probability 2⁻⁸⁸. So the
bytes themselves need not be kept or compared: a series costs 24 bytes here instead of 400.
https://www.aumasson.jp/siphash/siphash.pdf
"""

import os
import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.compiled import compiled
from ingest.protobuf import fixed64

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

ABSENT = -1
"""The number of a key that is not in the table."""

_LOAD = 0.6
"""Share of slots in use at which the table is doubled: a miss then looks at three on average."""

_FIRST_SLOTS = 1 << 12


@compiled
def _round(v0, v1, v2, v3):
    v0 += v1
    v2 += v3
    v1 = (v1 << np.uint64(13)) | (v1 >> np.uint64(51))
    v3 = (v3 << np.uint64(16)) | (v3 >> np.uint64(48))
    v1 ^= v0
    v3 ^= v2
    v0 = (v0 << np.uint64(32)) | (v0 >> np.uint64(32))
    v2 += v1
    v0 += v3
    v1 = (v1 << np.uint64(17)) | (v1 >> np.uint64(47))
    v3 = (v3 << np.uint64(21)) | (v3 >> np.uint64(43))
    v1 ^= v2
    v3 ^= v0
    v2 = (v2 << np.uint64(32)) | (v2 >> np.uint64(32))
    return v0, v1, v2, v3


@compiled
def siphash(data, start, end, k0, k1):
    """SipHash-1-3 with 128 bits of `data[start:end]` under the key (k0, k1)."""
    v0 = k0 ^ np.uint64(0x736F6D6570736575)
    v1 = k1 ^ np.uint64(0x646F72616E646F6D) ^ np.uint64(0xEE)
    v2 = k0 ^ np.uint64(0x6C7967656E657261)
    v3 = k1 ^ np.uint64(0x7465646279746573)
    at = start
    while at + 8 <= end:
        word = fixed64(data, at)
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
        at += 8
    word = np.uint64((end - start) & 0xFF) << np.uint64(56)
    for offset in range(end - at):
        word |= np.uint64(data[at + offset]) << np.uint64(8 * offset)
    v3 ^= word
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= word
    v2 ^= np.uint64(0xEE)
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    high = v0 ^ v1 ^ v2 ^ v3
    v1 ^= np.uint64(0xDD)
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return high, v0 ^ v1 ^ v2 ^ v3


@compiled
def hash_slices(data, starts, ends, k0, k1):
    """The keys of `data[starts[i]:ends[i]]`: uint64[n, 2]."""
    keys = np.empty((len(starts), 2), np.uint64)
    for index in range(len(starts)):
        keys[index, 0], keys[index, 1] = siphash(data, starts[index], ends[index], k0, k1)
    return keys


@compiled
def _find(slot_keys, slot_numbers, slot_tags, keys, numbers, tags):
    mask = len(slot_numbers) - 1
    missing = 0
    for index in range(len(keys)):
        slot = np.int64(keys[index, 0] & np.uint64(mask))
        numbers[index] = ABSENT
        while True:
            # The number is written last: a slot that has one has its key, or is not seen as ours.
            number = slot_numbers[slot]
            if number == ABSENT:
                missing += 1
                break
            if slot_keys[slot, 0] == keys[index, 0] and slot_keys[slot, 1] == keys[index, 1]:
                numbers[index] = number
                tags[index] = slot_tags[slot]
                break
            slot = (slot + 1) & mask
    return missing


@compiled
def _insert(slot_keys, slot_numbers, slot_tags, keys, numbers, tags):
    """Put in keys; how many of them were not there before. One that is there keeps its number."""
    mask = len(slot_numbers) - 1
    added = 0
    for index in range(len(keys)):
        slot = np.int64(keys[index, 0] & np.uint64(mask))
        while True:
            if slot_numbers[slot] == ABSENT:
                slot_keys[slot, 0], slot_keys[slot, 1] = keys[index, 0], keys[index, 1]
                slot_tags[slot] = tags[index]
                slot_numbers[slot] = numbers[index]
                added += 1
                break
            if slot_keys[slot, 0] == keys[index, 0] and slot_keys[slot, 1] == keys[index, 1]:
                break
            slot = (slot + 1) & mask
    return added


@dataclass(frozen=True, slots=True)
class _Slots:
    keys: Words
    numbers: Numbers
    tags: Numbers

    @classmethod
    def empty(cls, n_slots: int) -> "_Slots":
        return cls(
            np.zeros((n_slots, 2), np.uint64),
            np.full(n_slots, ABSENT, np.int32),
            np.zeros(n_slots, np.int32),
        )


class KeyTable:
    """A number and a tag for each key. Lookups take no lock and hold no interpreter.

    A slot is written once, its number last; what shrinks or grows the table makes a new one. So a
    lookup beside a writer finds a key or misses it, and whoever misses asks again under the lock
    that its caller holds for adding.
    """

    def __init__(self) -> None:
        self._secret = np.frombuffer(os.urandom(16), np.uint64)
        self._slots = _Slots.empty(_FIRST_SLOTS)
        self._used = 0
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return self._used

    def hash(self, data: Bytes, starts: Ints, ends: Ints, context: bytes) -> Words:
        """Keys of slices of `data`; the same bytes have other keys in another context."""
        named = np.frombuffer(context + b"\0", np.uint8)
        zero = np.zeros(1, np.int64)
        k0, k1 = hash_slices(named, zero, zero + len(named), *self._secret)[0]
        return hash_slices(data, starts, ends, k0, k1)

    def find(self, keys: Words) -> tuple[Numbers, Numbers, int]:
        """Numbers (`ABSENT` where there is none) and tags of keys, and how many are absent."""
        slots = self._slots
        numbers, tags = np.empty(len(keys), np.int32), np.zeros(len(keys), np.int32)
        missing = _find(slots.keys, slots.numbers, slots.tags, keys, numbers, tags)
        return numbers, tags, missing

    def add(self, keys: Words, numbers: Numbers, tags: Numbers) -> None:
        """Put in keys with their numbers and tags; those that are in stay as they are."""
        with self._writing:
            if self._used + len(keys) > _LOAD * len(self._slots.numbers):
                self._rebuild(None, self._used + len(keys))
            slots = self._slots
            self._used += _insert(slots.keys, slots.numbers, slots.tags, keys, numbers, tags)

    def remove(self, gone: npt.NDArray[np.bool_]) -> None:
        """Take out all keys whose number `n` is marked by `gone[n]`, or is negative."""
        with self._writing:
            self._rebuild(gone, self._used)

    def _rebuild(self, gone: npt.NDArray[np.bool_] | None, room: int) -> None:
        old = self._slots
        kept = old.numbers != ABSENT
        if gone is not None:
            kept &= old.numbers >= 0
            kept[kept] = ~gone[old.numbers[kept]]
            room = int(np.count_nonzero(kept))
        n_slots = _FIRST_SLOTS
        while _LOAD * n_slots < room + 1:
            n_slots *= 2
        slots = _Slots.empty(n_slots)
        self._used = _insert(
            slots.keys,
            slots.numbers,
            slots.tags,
            old.keys[kept],
            old.numbers[kept],
            old.tags[kept],
        )
        self._slots = slots
