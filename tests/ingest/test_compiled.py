"""What is compiled is kept on disk until its source changes, or that of what it is made of."""

import os
import subprocess
import sys

import pytest

INNERMOST = """
from ingest.compiled import compiled


@compiled
def innermost(x):
    return x + {}
"""
INNER = """
from ingest.compiled import compiled
from compiled_example.innermost import innermost


@compiled
def inner(x):
    return innermost(x)
"""
OUTER = """
from ingest.compiled import compiled
from compiled_example.constants import STEP
from compiled_example.inner import inner


@compiled
def outer(x):
    return inner(x) * STEP


print(outer(1), sum(outer.stats.cache_hits.values()))
"""


@pytest.fixture
def example(tmp_path):
    """A package whose kernels are in three files; what it prints, run in a process of its own."""
    package = tmp_path / "compiled_example"
    package.mkdir()
    for name, text in (("__init__", ""), ("inner", INNER), ("outer", OUTER)):
        (package / f"{name}.py").write_text(text)

    def run(added=1, step=10):
        (package / "innermost.py").write_text(INNERMOST.format(added))
        (package / "constants.py").write_text(f"import numpy as np\n\nSTEP = {step}\n")
        env = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
            # Of what Python keeps itself, a file of the same second and size is not told apart.
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_CACHE_DIR": str(tmp_path / "kept"),
        }
        done = subprocess.run(
            [sys.executable, "-c", "import compiled_example.outer"],
            env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def test_what_has_not_changed_is_compiled_once(example):
    assert example() == ["20", "0"]
    assert example() == ["20", "1"]


def test_a_kernel_is_compiled_anew_where_one_that_is_called_has_changed(example):
    assert example(added=1) == ["20", "0"]
    assert example(added=2) == ["30", "0"]


def test_and_where_a_number_that_it_imports_has(example):
    assert example(step=10) == ["20", "0"]
    assert example(step=11) == ["22", "0"]


LONG = "np.where(np.arange(5000) == {}, 7, 0)"
"""Of which a text leaves out what differs."""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("np.int64(10)", "np.int64(11)"),
        ("np.array([1, 2])", "np.array([1, 3])"),
        ("np.array([1, 2])", "np.array([[1, 2]])"),
        (LONG.format(2000), LONG.format(2001)),
    ],
)
def test_and_where_it_is_a_number_or_an_array_of_numpy(example, one, other):
    hits = [example(step=step)[-1] for step in (one, other, other)]
    assert hits == ["0", "0", "1"]
