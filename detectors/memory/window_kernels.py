"""The loops over one series' windows, compiled; see `detectors.memory.kernels`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.memory.kernels import LEAST_COVER
from detectors.memory.packed import MOST

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]
Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@compiled
def trailing_mean(row: Float32, t: int, width: int) -> float:
    """Return the mean of the last `width` columns at `t`, over those with data; NaN = none has.

    Summed afresh per column: a running sum would carry rounding from the panel's beginning,
    and the same column would differ in bytes between two panels.
    """
    total = 0.0
    count = 0
    for i in range(max(0, t - width + 1), t + 1):
        if not np.isnan(row[i]):
            total += row[i]
            count += 1
    return total / count if count else np.nan


@compiled
def trailing_means(row: Float32, width: int, first: int, n_bins: int, out: Float32) -> None:
    """Write the trailing means that windows of `n_bins` bins ending at `first` or later need."""
    n_times = row.size
    if n_times - first >= width:
        for t in range(max(0, first - (n_bins - 1) * width), n_times):
            out[t] = trailing_mean(row, t, width)
        return
    # Few windows: their bins do not touch each other.
    for end in range(first, n_times):
        for b in range(n_bins):
            t = end - b * width
            if t >= 0:
                out[t] = trailing_mean(row, t, width)


@compiled
def remember(z: Float32, width: int, memory: Float32, ends: Int32) -> None:
    """Fill the memory with complete training windows, evenly spaced over the training range.

    Args:
        z: float32 `[n_rows, n_times]`, standardised.
        width: columns in a bin.
        memory: out, `[n_rows, n_bins, n_windows]`; unused places become +inf, which no search
            ever finds nearest.
        ends: out, int32 `[n_rows, n_windows]`, last column of each window, -1 = unused.
    """
    n_rows, n_times = z.shape
    n_bins, n_windows = memory.shape[1], memory.shape[2]
    means = np.empty(n_times, dtype=np.float32)
    usable = np.empty(n_times, dtype=np.int32)
    for row in range(n_rows):
        trailing_means(z[row], width, 0, 1, means)
        count = 0
        for t in range(n_bins * width - 1, n_times):
            complete = not np.isnan(z[row, t])
            for b in range(n_bins):
                complete = complete and not np.isnan(means[t - (n_bins - 1 - b) * width])
            if complete:
                usable[count] = t
                count += 1
        memory[row] = np.inf
        ends[row] = -1
        kept = min(count, n_windows)
        for k in range(kept):
            # The newest window is always kept, the rest at equal strides before it.
            t = usable[count - 1 - (k * count) // kept]
            ends[row, k] = t
            for b in range(n_bins):
                memory[row, b, k] = means[t - (n_bins - 1 - b) * width]


@compiled
def unpack(codes: Int8, middle: Int16, half: Int16, grain: float, out: Float32) -> None:
    """Write a series' remembered windows, float32 `[n_bins, n_windows]`."""
    n_bins, n_windows = codes.shape
    level = np.empty(n_windows, dtype=np.float32)
    step = np.empty(n_windows, dtype=np.float32)
    part = np.float32(grain / MOST)
    for k in range(n_windows):
        known = half[k] >= 0
        level[k] = np.float32(middle[k]) * grain if known else np.float32(np.inf)
        step[k] = np.float32(half[k]) * part if known else np.float32(0.0)
    for b in range(n_bins):
        for k in range(n_windows):
            out[b, k] = level[k] + np.float32(codes[b, k]) * step[k]


@compiled
def sum_squares(means: Float32, t: int, width: int, memory: Float32, square: Float32) -> int:
    """Write the squared distance of the window ending at `t` to each remembered window.

    Windows are the inner loop: neighbouring windows lie side by side in memory, so that it
    runs on vector registers.

    Returns:
        The number of bins with data.
    """
    n_bins, n_windows = memory.shape
    square[:] = 0.0
    filled = 0
    for b in range(n_bins):
        at = t - (n_bins - 1 - b) * width
        if at < 0 or np.isnan(means[at]):
            continue
        filled += 1
        mean = means[at]
        for k in range(n_windows):
            step = mean - memory[b, k]
            square[k] += step * step
    return filled


@compiled
def closest(square: Float32, ends: Int32, t: int, apart: int) -> int:
    """Return the place of the least entry at least `apart` columns from `t`, -1 if none."""
    best = -1
    least = np.float32(np.inf)
    for k in range(square.size):
        if square[k] < least and (apart == 0 or abs(ends[k] - t) >= apart):
            least = square[k]
            best = k
    return best


@compiled
def nearest(
    z: Float32,
    width: int,
    rows: Int64,
    codes: Int8,
    middle: Int16,
    half: Int16,
    grain: Float32,
    ends: Int32,
    apart: int,
    first: int,
    distance: Float32,
    expected: Float32,
) -> None:
    """Find each trailing window's nearest remembered window.

    Args:
        z: float32 `[n_rows, n_times]`, standardised.
        width: columns in a bin.
        rows: int64 `[n_rows]`, row i of `z` is row `rows[i]` of what is remembered.
        codes: the fields of `detectors.memory.packed.PackedWindows`, like the next three.
        middle: see there.
        half: see there.
        grain: see there.
        ends: `[n_rows, n_windows]` from `remember`; `[n_rows, 0]` will do where `apart` is 0.
        apart: leave out windows ending less than so many columns away; 0 = leave out none.
        first: the first window to look at ends in this column.
        distance: out, `[n_rows, n_times - first]`, root mean square over the bins with data; NaN
            where the column or a quarter of the bins has none, or nothing is remembered.
        expected: out, same shape, last bin of the nearest window.
    """
    n_rows, n_times = z.shape
    n_bins, n_windows = codes.shape[1], codes.shape[2]
    means = np.empty(n_times, dtype=np.float32)
    memory = np.empty((n_bins, n_windows), dtype=np.float32)
    square = np.empty(n_windows, dtype=np.float32)
    for row in range(n_rows):
        kept = rows[row]
        unpack(codes[kept], middle[kept], half[kept], grain[kept], memory)
        trailing_means(z[row], width, first, n_bins, means)
        for t in range(first, n_times):
            out = t - first
            distance[row, out] = np.nan
            expected[row, out] = np.nan
            if np.isnan(z[row, t]):
                continue
            filled = sum_squares(means, t, width, memory, square)
            if filled < LEAST_COVER * n_bins:
                continue
            best = closest(square, ends[row], t, apart)
            if best >= 0:
                distance[row, out] = np.sqrt(square[best] / filled)
                expected[row, out] = memory[n_bins - 1, best]
