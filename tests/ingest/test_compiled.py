"""What is compiled is kept on disk until its source changes, or that of what it is made of."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("ingest.compiled", "detectors.compiled")
"""Neither package may import the other, so the decorator stands in both."""

INNERMOST = """
from {place} import compiled


@compiled
def innermost(x):
    return x + {added}
"""
INNER = """
from {place} import compiled
from compiled_example.innermost import innermost


@compiled
def inner(x):
    return innermost(x)
"""
CONSTANTS = """
from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic


class Pair(NamedTuple):
    {fields}


@intrinsic
def more(typing, x):
    def generate(context, builder, signature, arguments):
        return builder.add(arguments[0], context.get_constant(types.int64, {more}))

    return types.int64(types.int64), generate


STEP = {step}
"""
OUTER = """
from {place} import compiled
from compiled_example.constants import STEP, Pair, more
from compiled_example.inner import inner


@compiled
def outer(x):
    pair = Pair(inner(x), 0)
    return (pair.a + more(x) - x) * STEP


print(outer(1), sum(outer.stats.cache_hits.values()))
"""


def test_it_is_the_same_in_both_places():
    texts = {(ROOT / place.replace(".", "/")).with_suffix(".py").read_text() for place in PLACES}
    assert len(texts) == 1, f"copy the one that is right over the other: {', '.join(PLACES)}"


@pytest.fixture(params=PLACES)
def example(request, tmp_path):
    """A package whose kernels are in three files; what it prints, run in a process of its own."""
    package = tmp_path / "compiled_example"
    package.mkdir()
    place = request.param
    for name, text in (("__init__", ""), ("inner", INNER), ("outer", OUTER)):
        (package / f"{name}.py").write_text(text.format(place=place))

    def run(added=1, step=10, fields="a: int\n    b: int", more=0):
        (package / "innermost.py").write_text(INNERMOST.format(place=place, added=added))
        constants = CONSTANTS.format(step=step, fields=fields, more=more)
        (package / "constants.py").write_text(constants)
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


def test_and_where_the_fields_of_a_tuple_have(example):
    assert example() == ["20", "0"]
    assert example(fields="b: int\n    a: int") == ["0", "0"]


def test_and_where_an_intrinsic_has(example):
    assert example() == ["20", "0"]
    assert example(more=1) == ["30", "0"]


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
