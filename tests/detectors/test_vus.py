import importlib.util
from pathlib import Path

import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.evaluation import series_period, vus_pr

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "tools" / "vus_pr.py"


def labelled(seed, n=900):
    rng = np.random.default_rng(seed)
    labels = np.zeros(n, dtype=int)
    for start in rng.integers(0, n, size=rng.integers(1, 6)):
        labels[start : start + rng.integers(1, 60)] = 1
    labels[-1] = seed % 2
    labels[0] = seed % 3 == 0
    scores = rng.normal(size=n) + labels * rng.uniform(0, 2)
    return labels, scores.round(1)  # with ties


@pytest.fixture(scope="module")
def reference():
    if not REFERENCE.is_file():
        pytest.skip(f"no reference at {REFERENCE}")
    spec = importlib.util.spec_from_file_location("reference_vus_pr", REFERENCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("window", [0, 1, 7, 40])
def test_equals_the_reference(reference, seed, window):
    labels, scores = labelled(seed)
    assert vus_pr(labels, scores, window) == pytest.approx(
        reference.vus_pr(labels, scores, window), abs=1e-12
    )


@pytest.mark.parametrize("seed", range(6))
def test_period_equals_the_reference(reference, seed):
    rng = np.random.default_rng(seed)
    x = np.sin(np.arange(3000) * 2 * np.pi / rng.uniform(5, 500)) + rng.normal(size=3000)
    assert series_period(x) == reference.find_length_rank1(x)


def test_period_of_nothing_periodic():
    assert series_period(np.ones(1000)) == 125
    assert series_period([1.0, 2.0]) == 125


def test_better_scores_get_more():
    labels, scores = labelled(1)
    assert vus_pr(labels, labels + 0.01 * scores, 20) > 0.9
    assert vus_pr(labels, scores, 20) > vus_pr(labels, -scores, 20)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([0, 0, 0], [1.0, 2.0, 3.0]), ([0, 1], [1.0, 2.0, 3.0]), ([0, 1], [1.0, np.nan])],
)
def test_refuses(labels, scores):
    with pytest.raises(InvalidParameterError):
        vus_pr(labels, scores, 5)
