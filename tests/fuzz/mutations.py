"""Random changes to bytes, as fuzzers make them; the same seed gives the same changes."""

import random
from collections.abc import Sequence

ODD = (b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff" * 9 + b"\x01", b"\x80" * 10, b'"',
       b"\xed\xa0\x80", b"\\ud800", b"[" * 200, b"{}", b"null", b"-1", b"1e999", b"NaN", b"9" * 30,
       b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59.9999999Z", b"\n", b"\r\n", b"\\")  # fmt: skip


def mutate(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """One to six changes: bits, bytes, cuts, repeats, odd pieces, pieces of others."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(made) + 1)
        end = min(len(made), at + rng.choice([1, 1, 2, 4, 8, 30, 200]))
        change = rng.randrange(7)
        if change == 0 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif change == 1 and at < len(made):
            made[at] = rng.randrange(256)
        elif change == 2:
            del made[at:end]
        elif change == 3:
            made[at:at] = made[at:end] * rng.choice([1, 2, 50])
        elif change == 4:
            made[at:end] = rng.choice(ODD)
        elif change == 5:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            made[at:at] = other[start : start + rng.choice([1, 4, 20, 100])]
        else:
            del made[at:]
        if len(made) > 8192:
            del made[8192:]
    return bytes(made)
