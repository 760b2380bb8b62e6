"""The loops over series, compiled.

Each kernel handles a block of rows on one thread and releases the interpreter lock;
`over_rows` deals blocks to threads. That is used instead of numba's own parallel loops
because its fallback threading layer aborts the process when two threads (two requests, two
steps) enter it at once. Within a row the order of additions is fixed: a row gives the same
bytes alone and in a batch, on one core and on many.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

# Rows dealt at once: long enough to hide the dealing, short enough to share evenly.
BLOCK = 32
# A window is scored when at least this part of its bins holds data.
LEAST_COVER = 0.75
# No refined distance is told apart beyond a million scales, and its square fits a float32.
FARTHEST = 1e6


def over_rows(work: Callable[[slice], None], n_rows: int, block: int = BLOCK) -> None:
    """Call `work` with consecutive row slices, on as many threads as there are cores."""
    slices = [slice(begin, min(begin + block, n_rows)) for begin in range(0, n_rows, block)]
    threads = min(len(slices), os.cpu_count() or 1)
    if threads <= 1:
        for rows in slices:
            work(rows)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, slices):
            pass


def standardise(values: Float32, centre: Float64, scale: Float64) -> Float32:
    """Return (values - centre) / scale per row, subtracted in float64.

    A float32 of 10^10 bytes has steps of 1 KiB; subtracting in float32 would add as much.
    """
    wide = (values.astype(np.float64) - centre[:, None]) / scale[:, None]
    return np.clip(wide, -FARTHEST, FARTHEST).astype(np.float32)


@compiled
def nearest_vectors(
    points: Float32,
    memory: Float32,
    apart: int,
    at: Int32,
    ends: Int32,
    distance: Float32,
    which: Int32,
) -> None:
    """Find each point's nearest remembered point.

    Args:
        points: float32 `[n_points, n_dims]`, standardised, NaN = no data.
        memory: `[n_dims, n_remembered]`, NaN = no data.
        apart: leave out remembered points less than so many columns away; 0 = leave out none.
        at: int32 `[n_points]`, column of each point.
        ends: int32 `[n_remembered]`, column of each remembered point.
        distance: out, `[n_points]`, root mean square over the dimensions both have; NaN where
            no remembered point has three quarters of the point's dimensions.
        which: out, int32 `[n_points]`, place of the nearest in the memory, -1 = none.
    """
    n_points, n_dims = points.shape
    n_windows = memory.shape[1]
    total = np.empty(n_windows, dtype=np.float32)
    shared = np.empty(n_windows, dtype=np.float32)
    for i in range(n_points):
        total[:] = 0.0
        shared[:] = 0.0
        filled = 0
        for d in range(n_dims):
            value = points[i, d]
            if np.isnan(value):
                continue
            filled += 1
            for k in range(n_windows):
                step = value - memory[d, k]
                known = step == step
                total[k] += step * step if known else np.float32(0.0)
                shared[k] += np.float32(1.0) if known else np.float32(0.0)
        least = np.float32(np.inf)
        which[i] = -1
        for k in range(n_windows):
            if apart > 0 and abs(ends[k] - at[i]) < apart:
                continue
            if shared[k] > 0.0 and shared[k] >= LEAST_COVER * filled:
                mean = total[k] / shared[k]
                if mean < least:
                    least = mean
                    which[i] = k
        distance[i] = np.sqrt(least) if which[i] >= 0 else np.nan
