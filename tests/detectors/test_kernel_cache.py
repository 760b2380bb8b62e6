"""What is compiled is kept on disk until its source changes, or that of what it is made of."""

import os
import subprocess
import sys

import pytest

INNER = """
from detectors.memory.kernels import compiled


@compiled
def inner(x):
    return x + {}
"""
OUTER = """
from detectors.memory.kernels import compiled
from kernel_cache_example.constants import STEP
from kernel_cache_example.inner import inner


@compiled
def outer(x):
    return inner(x) * STEP


print(outer(1), sum(outer.stats.cache_hits.values()))
"""


@pytest.fixture
def example(tmp_path):
    """A package whose kernels are in two files; what it prints, run in a process of its own."""
    package = tmp_path / "kernel_cache_example"
    package.mkdir()
    (package / "__init__.py").touch()

    def run(added=1, step=10):
        (package / "inner.py").write_text(INNER.format(added))
        (package / "constants.py").write_text(f"STEP = {step}\n")
        (package / "outer.py").write_text(OUTER)
        env = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
            # Of what Python keeps itself, a file of the same second and size is not told apart.
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_CACHE_DIR": str(tmp_path / "kept"),
        }
        done = subprocess.run(
            [sys.executable, "-c", "import kernel_cache_example.outer"],
            env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def test_what_has_not_changed_is_compiled_once(example):
    assert example() == ["20", "0"]
    assert example() == ["20", "1"]


def test_a_kernel_is_compiled_anew_where_one_that_it_calls_has_changed(example):
    assert example(added=1) == ["20", "0"]
    assert example(added=2) == ["30", "0"]


def test_and_where_a_number_that_it_imports_has(example):
    assert example(step=10) == ["20", "0"]
    assert example(step=11) == ["22", "0"]
