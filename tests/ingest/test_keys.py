"""The key table is a dictionary that many may read beside one who writes; the hash is SipHash."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from ingest.keys import ABSENT, KeyTable, siphash

MASK = (1 << 64) - 1


def plain_siphash(data, k0, k1):
    """SipHash-1-3 with 128 bits as its paper and reference code say it, on Python's numbers."""
    v = [
        k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D ^ 0xEE,
        k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573,
    ]  # fmt: skip

    def turn(x, bits):
        return (x << bits | x >> 64 - bits) & MASK

    def rounds(n):
        for _ in range(n):
            v[0] = v[0] + v[1] & MASK
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = v[2] + v[3] & MASK
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & MASK
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & MASK
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    whole = len(data) // 8 * 8
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append((len(data) & 0xFF) << 56 | int.from_bytes(data[whole:], "little"))
    for word in words:
        v[3] ^= word
        rounds(1)
        v[0] ^= word
    v[2] ^= 0xEE
    rounds(3)
    high = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(3)
    return high, v[0] ^ v[1] ^ v[2] ^ v[3]


WORD = st.integers(0, MASK)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), WORD, WORD, st.integers(0, 9))
def test_the_hash_is_siphash(data, k0, k1, start):
    raw = np.frombuffer(bytes(start) + data + b"after", np.uint8)
    got = siphash(raw, start, start + len(data), np.uint64(k0), np.uint64(k1))
    assert tuple(map(int, got)) == plain_siphash(data, k0, k1)


def hashed(table, *texts, context=b""):
    ends = np.cumsum([len(text) for text in texts])
    starts = ends - [len(text) for text in texts]
    return table.hash(np.frombuffer(b"".join(texts), np.uint8), starts, ends, context)


def test_keys_depend_on_bytes_context_and_process():
    table, other = KeyTable(), KeyTable()
    a, b, again = map(tuple, hashed(table, b"ab", b"ac", b"ab").tolist())
    assert (a == again, a == b) == (True, False)
    (elsewhere,) = map(tuple, hashed(table, b"ab", context=b"eu").tolist())
    (of_other,) = map(tuple, hashed(other, b"ab").tolist())
    assert len({a, elsewhere, of_other}) == 3


def ints(values):
    return np.array(values, np.int32)


def keys(values):
    """Keys of which many share their first slot, and some their first half."""
    return np.array([[value % 7, value] for value in values], np.uint64).reshape(-1, 2)


class Model(RuleBasedStateMachine):
    """Against a dictionary, with keys that collide all the time."""

    known = Bundle("known")

    def __init__(self):
        super().__init__()
        self.table, self.model = KeyTable(), {}

    @rule(
        target=known,
        new=st.lists(st.tuples(st.integers(0, 400), st.integers(-3, 40)), max_size=30),
    )
    def add(self, new):
        new = [(value, number) for value, number in new if number != ABSENT]
        values, numbers = [v for v, _ in new], [n for _, n in new]
        self.table.add(keys(values), ints(numbers), ints([n * 2 for n in numbers]))
        for value, number in new:
            self.model.setdefault(value, number)
        return values

    @rule(size=st.integers(1, 5_000))
    def add_many(self, size):
        values = range(1000, 1000 + size)
        self.table.add(keys(values), ints([7] * size), ints([14] * size))
        for value in values:
            self.model.setdefault(value, 7)

    @rule(gone=st.sets(st.integers(0, 40)))
    def remove(self, gone):
        marks = np.zeros(41, np.bool_)
        marks[list(gone)] = True
        self.table.remove(marks)
        self.model = {
            value: number
            for value, number in self.model.items()
            if number >= 0 and number not in gone
        }

    @rule(values=known)
    def find(self, values):
        numbers, tags, missing = self.table.find(keys(values))
        expected = [self.model.get(value, ABSENT) for value in values]
        assert numbers.tolist() == expected
        assert tags.tolist() == [0 if n == ABSENT else n * 2 for n in expected]
        assert missing == expected.count(ABSENT)

    @invariant()
    def counts(self):
        assert len(self.table) == len(self.model)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


def test_very_many_keys():
    table, n = KeyTable(), 300_000
    texts = np.arange(n, dtype=np.int64).view(np.uint8)
    starts = np.arange(n) * 8
    many = table.hash(texts, starts, starts + 8, b"")
    for part in np.array_split(np.arange(n), 37):
        table.add(many[part], ints(part), ints(part % 5))
    numbers, tags, missing = table.find(many)
    assert (missing, len(table)) == (0, n)
    assert np.array_equal(numbers, np.arange(n))
    assert np.array_equal(tags, np.arange(n) % 5)
    table.remove(np.arange(n) % 3 == 0)
    numbers, _, missing = table.find(many)
    assert (missing, len(table)) == (n // 3, n - n // 3)
    assert np.array_equal(numbers == ABSENT, np.arange(n) % 3 == 0)


@pytest.mark.parametrize("forget", [False, True], ids=["adding", "adding and removing"])
def test_readers_beside_a_writer_see_a_key_whole_or_not_at_all(forget):
    table, n, wrong, done = KeyTable(), 60_000, [], threading.Event()
    starts = np.arange(n) * 8
    many = table.hash(np.arange(n, dtype=np.int64).view(np.uint8), starts, starts + 8, b"")

    def read():
        while not done.is_set():
            numbers, tags, missing = table.find(many)
            there = numbers != ABSENT
            sound = np.array_equal(numbers[there], np.flatnonzero(there))
            if not sound or (tags[there] != numbers[there] + 1).any() or missing != (~there).sum():
                wrong.append(numbers)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for part in np.array_split(np.arange(n), 200):
        table.add(many[part], ints(part), ints(part + 1))
        if forget and part[0] % 10 == 0:
            table.remove(np.arange(n) % 1000 == part[0] % 1000)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
