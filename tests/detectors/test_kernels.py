import threading

import numba
import numpy as np
import pytest

from detectors import Panel, build
from detectors.memory import kernels

MINUTE = 60_000_000


def test_nowhere_to_cache_compiles_all_the_same(monkeypatch):
    real = numba.njit

    def njit(*functions, **options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*functions, **options)

    monkeypatch.setattr(numba, "njit", njit)

    def twice(x):
        return 2 * x

    assert kernels.compiled(twice)(4) == 8


def test_trailing_means_skip_gaps():
    out = np.empty(5, dtype=np.float32)
    row = np.array([1.0, np.nan, 3.0, np.nan, np.nan], dtype=np.float32)
    kernels.trailing_means(row, 2, out)
    np.testing.assert_array_equal(out, np.array([1.0, 1.0, 3.0, 3.0, np.nan], dtype=np.float32))


def test_nearest_equals_brute_force():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 90)).astype(np.float32)
    memory = np.empty((2, 4, 8), dtype=np.float32)
    ends = np.empty((2, 8), dtype=np.int32)
    kernels.remember(z[:, :60], 2, memory, ends)
    distance, expected = np.empty_like(z), np.empty_like(z)
    kernels.nearest(z, 2, memory, ends, 0, distance, expected)
    for row in range(2):
        for t in range(7, 90):
            bins = z[row, t - 7 : t + 1].reshape(4, 2).mean(axis=1)
            off = np.sqrt(((memory[row] - bins[:, None]) ** 2).mean(axis=0))
            assert distance[row, t] == pytest.approx(off.min(), rel=1e-4, abs=1e-5)
            assert expected[row, t] == memory[row, -1, off.argmin()]


def test_over_rows_passes_errors_on():
    def work(rows):
        raise ValueError(rows.start)

    with pytest.raises(ValueError, match="0"):
        kernels.over_rows(work, 100)


def test_threads_may_score_at_once():
    rng = np.random.default_rng(0)
    panel = Panel(rng.normal(size=(70, 400)), 0, MINUTE, np.arange(70))
    detector = build("window_memory").fit(panel)
    wanted = detector.decision_function(panel).tobytes()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(detector.decision_function(panel).tobytes()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 4
