"""How unlike the newest window is all windows before it, at one length.

The memory grows as the series does: a window is remembered once it no longer overlaps the newest.
Windows without a hole are numbered as they come. When the memory is full, every second of it goes
and every second comes in from then on, so that it always covers the whole past evenly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.memory.kernels import LEAST_COVER
from detectors.memory.window_kernels import sum_squares, trailing_means

Float32 = npt.NDArray[np.float32]

# A window is compared through at most so many means. Few: what a row adds to its window's distance
# fades with their number, and a fault of one row has to be heard.
MOST_BINS = 4
MEMORY = 1024


@compiled
def loudness(z: Float32, length: int, out: Float32) -> None:
    """Write the root mean square, over a window's length, of the distance to the nearest past one.

    Args:
        z: float32 `[n_rows]`, standardised, NaN = no data.
        length: rows in a window, a multiple of `MOST_BINS` if it is greater.
        out: `[n_rows]`, 0 where nothing can be said.
    """
    n_bins = min(length, MOST_BINS)
    width = length // n_bins
    means = np.empty(z.size, dtype=np.float32)
    trailing_means(z, width, 0, 1, means)
    memory = np.empty((n_bins, MEMORY), dtype=np.float32)
    square = np.empty(MEMORY, dtype=np.float32)
    distance = np.zeros(z.size, dtype=np.float32)
    count = 0
    met = 0
    stride = 1
    for t in range(z.size):
        out[t] = 0.0
        past = t - length
        if past >= length - 1 and _whole(means, past, n_bins, width):
            if met % stride == 0 and count == MEMORY:
                count = _thin(memory, count)
                stride *= 2
            # Of windows numbered by multiples of the stride, all are in the memory.
            if met % stride == 0:
                for b in range(n_bins):
                    memory[b, count] = means[past - (n_bins - 1 - b) * width]
                count += 1
            met += 1
        if t < length - 1:
            continue
        if count and not np.isnan(z[t]):
            filled = sum_squares(means, t, width, memory[:, :count], square[:count])
            if filled >= LEAST_COVER * n_bins:
                distance[t] = np.sqrt(square[:count].min() / filled)
        total = 0.0
        for i in range(t - length + 1, t + 1):
            total += distance[i] * distance[i]
        out[t] = np.sqrt(total / length)


@compiled
def _whole(means: Float32, end: int, n_bins: int, width: int) -> bool:
    whole = True
    for b in range(n_bins):
        whole = whole and not np.isnan(means[end - b * width])
    return whole


@compiled
def _thin(memory: Float32, count: int) -> int:
    """Keep every second window, the first among them; return how many are left."""
    kept = (count + 1) // 2
    for b in range(memory.shape[0]):
        for k in range(kept):
            memory[b, k] = memory[b, 2 * k]
    return kept
