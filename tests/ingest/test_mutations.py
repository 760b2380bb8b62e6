"""Mutations of what sound senders write, through every decoder: typed errors, in time, or rows.

Compiled as in production, with a fixed seed. `tests/fuzz/fuzz_decoders.py` does the same guided by
coverage, for as long as it is given.
"""

import random
import time

import pytest

from tests.fuzz.mutations import mutate
from tests.fuzz.targets import TARGETS

SECONDS = 0.5
MOST_SECONDS = 10.0
"""Of the processor, for what takes milliseconds. What is quadratic takes minutes."""


@pytest.mark.parametrize("name", TARGETS)
def test_typed_errors_or_rows(name):
    rng, target = random.Random(f"seed of {name}"), TARGETS[name]
    seeds = target.seeds()
    for seed in seeds:
        target.run(seed)
    ends, count = time.monotonic() + SECONDS, 0
    while time.monotonic() < ends or count < 20:
        data = mutate(rng, rng.choice(seeds), seeds)
        began = time.process_time()
        try:
            target.run(data)
        except BaseException as error:
            error.add_note(f"{name}: {data!r}")
            raise
        assert time.process_time() - began < MOST_SECONDS, data
        count += 1
