"""No compiled kernel reads or writes beyond its arrays, whatever a sender sends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(folder, seed, count, seconds):
    environment = os.environ | {
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.ingest.remote_write.mutations", str(seed), str(count)]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=seconds,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    decoded, refused = map(int, done.stdout.split())
    assert decoded + refused == count
    assert min(decoded, refused) > count // 20, "the mutations are too mild, or too wild"


def test_mutated_requests(tmp_path):
    run(tmp_path, seed=1, count=4_000, seconds=270)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10, 14))
def test_very_many_mutated_requests(tmp_path, seed):
    run(tmp_path, seed, count=300_000, seconds=900)
