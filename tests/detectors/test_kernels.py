import threading

import numba
import numpy as np
import pytest

from detectors import Panel, build
from detectors.memory import kernels, window_kernels
from detectors.memory.packed import PackedWindows

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
    window_kernels.trailing_means(row, 2, 0, 1, out)
    np.testing.assert_array_equal(out, np.array([1.0, 1.0, 3.0, 3.0, np.nan], dtype=np.float32))


@pytest.mark.parametrize("first", [0, 30, 89])
def test_nearest_equals_brute_force(first):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 90)).astype(np.float32)
    z[1, 40:44] = np.nan
    windows = np.empty((2, 4, 8), dtype=np.float32)
    ends = np.empty((2, 8), dtype=np.int32)
    window_kernels.remember(z[:, :60], 2, windows, ends)
    packed = PackedWindows.empty(2, 4, 8)
    packed.put(slice(0, 2), windows)
    memory = packed.means()
    distance, expected = np.empty((2, 2, 90 - first), dtype=np.float32)
    window_kernels.nearest(z, 2, np.arange(2), *packed.fields, ends, 0, first, distance, expected)
    for row in range(2):
        for t in range(max(first, 7), 90):
            parts = z[row, t - 7 : t + 1].reshape(4, 2)
            known = ~np.isnan(parts).all(axis=1)
            if np.isnan(z[row, t]) or known.sum() < 3:
                assert np.isnan(distance[row, t - first])
                continue
            bins = np.nanmean(parts[known], axis=1)
            off = np.sqrt(((memory[row][known] - bins[:, None]) ** 2).mean(axis=0))
            assert distance[row, t - first] == pytest.approx(off.min(), rel=1e-4, abs=1e-5)
            assert expected[row, t - first] == memory[row, -1, off.argmin()]


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
