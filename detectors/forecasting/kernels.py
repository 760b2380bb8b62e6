"""The loops of forecasting, compiled: what each method foretells at one column of one series.

A method is a path: what it holds to be the value `1 … horizon` columns after an origin, from the
columns up to the origin alone. Past origins are foretold by the same code as the newest one, so
that a method's errors there are what its errors will be.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.forecasting.pieces import line, newest_piece

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

METHODS = (
    "last value",
    "line of 1 h",
    "line of 3 h",
    "line of 6 h",
    "robust slope of 3 h",
    "robust slope of 12 h",
    "newest ramp",
    "sawtooth",
    "day before",
    "days before",
    "same time yesterday",
    "same time of days",
    "halfway to yesterday",
    "halfway to days",
    "usual value",
    "halfway to the usual value",
    "newest piece",
)
"""In the order of the rows of a path array."""

LEAST_RAMP = 4
# A fall in one column is a reset when it is this part of the usual range, and stands out of the
# usual noise of steps by so many deviations.
RESET_SHARE = 0.2
RESET_DEVIATIONS = 5.0


@compiled
def filled(series: Float64, out: Float64) -> int:
    """Copy with gaps bridged by straight lines; returns the first column with data, or the width.

    The gap after the newest value is filled with it.
    """
    width = len(series)
    first = 0
    while first < width and np.isnan(series[first]):
        first += 1
    before = first
    for t in range(first, width):
        if np.isnan(series[t]):
            continue
        out[t] = series[t]
        for g in range(before + 1, t):
            out[g] = series[before] + (series[t] - series[before]) * (g - before) / (t - before)
        before = t
    for g in range(before + 1, width):
        out[g] = series[before]
    return first


@compiled
def resets_of(x: Float64, first: int, is_reset: Int64) -> int:
    """Mark the columns at which a series falls back (a log is rotated, a heap is collected).

    Judged column by column with what was known by then would cost a sort each; the thresholds are
    those of the whole window, which past origins share.
    """
    width = len(x)
    n = width - first
    is_reset[:] = 0
    if n < 8:
        return 0
    steps = np.abs(np.diff(x[first:]))
    noise = 1.4826 * np.median(steps)
    ordered = np.sort(x[first:])
    spread = ordered[int(0.98 * (n - 1))] - ordered[int(0.02 * (n - 1))]
    least = max(RESET_DEVIATIONS * noise, RESET_SHARE * spread)
    count = 0
    if least <= 0.0:
        return 0
    t = first + 1
    while t < width:
        fall = x[t - 1] - x[t]
        over = 1
        # A fall that a bin's mean has cut in two.
        if t + 1 < width and x[t] > x[t + 1] and fall > 0.3 * least:
            fall = x[t - 1] - x[t + 1]
            over = 2
        if fall > least:
            is_reset[t + over - 1] = 1
            count += 1
            t += over
        t += 1
    return count


@compiled
def _robust(x: Float64, first: int, origin: int, window: int) -> float:
    """Median slope of pairs a quarter of the window apart: steps and dips do not move it."""
    begin = max(first, origin - window + 1)
    lag = max(1, (origin - begin + 1) // 4)
    pairs = origin - begin + 1 - lag
    if pairs < 3:
        return 0.0
    slopes = np.empty(pairs)
    for p in range(pairs):
        slopes[p] = (x[begin + p + lag] - x[begin + p]) / lag
    return float(np.median(slopes))


@compiled
def _median3(x: Float64, first: int, origin: int) -> float:
    if origin - first < 2:
        return float(x[origin])
    return float(np.median(x[origin - 2 : origin + 1]))


@compiled
def paths_at(
    x: Float64,
    first: int,
    origin: int,
    hour: float,
    sums: Float64,
    moments: Float64,
    squares: Float64,
    is_reset: Int64,
    paths: Float64,
) -> None:
    """Write each method's path from one origin; a method that cannot tell repeats the last value.

    Args:
        x: `[width]`, without gaps from `first` on.
        first: first column with data.
        origin: newest column that may be looked at.
        hour: columns an hour.
        sums: `[width + 1]`, running sums of x.
        moments: `[width + 1]`, running sums of column times x.
        squares: `[width + 1]`, running sums of x times x.
        is_reset: `[width]`, 1 where the series fell back.
        paths: out, `[len(METHODS), horizon]`.
    """
    horizon = paths.shape[1]
    level = _median3(x, first, origin)
    newest = x[origin]
    paths[0, :] = newest
    # Lines.
    for m in range(3):
        hours = 1.0 if m == 0 else (3.0 if m == 1 else 6.0)
        window = max(3, round(hours * hour) + 1)
        at, slope = line(sums, moments, max(first, origin - window + 1), origin)
        for h in range(horizon):
            paths[1 + m, h] = at + slope * (h + 1)
    # Robust slopes.
    for m in range(2):
        hours = 3.0 if m == 0 else 12.0
        slope = _robust(x, first, origin, max(4, round(hours * hour) + 1))
        for h in range(horizon):
            paths[4 + m, h] = level + slope * (h + 1)
    _teeth(x, first, origin, hour, sums, moments, is_reset, paths)
    _days(x, first, origin, hour, sums, paths)
    at, slope, _ = newest_piece(x, first, origin, hour, sums, moments, squares)
    for h in range(horizon):
        paths[16, h] = at + slope * (h + 1)


@compiled
def _teeth(  # noqa: C901, PLR0912 (one compiled loop)
    x: Float64,
    first: int,
    origin: int,
    hour: float,
    sums: Float64,
    moments: Float64,
    is_reset: Int64,
    paths: Float64,
) -> None:
    """Newest ramp: a line since the last reset. Sawtooth: that, and it falls again as it did."""
    horizon = paths.shape[1]
    marks = np.empty(64, dtype=np.int64)
    n = 0
    t = origin
    while t > first and n < 64:
        if is_reset[t] == 1:
            marks[n] = t
            n += 1
        t -= 1
    begin = first if n == 0 else marks[0]
    begin = max(begin, origin - round(12 * hour))
    age = origin - begin + 1
    at, slope = line(sums, moments, begin, origin)
    if n > 1:
        # What earlier ramps rose by a column; the newest one speaks for itself as it grows.
        past = np.empty(n - 1)
        for k in range(n - 1):
            long = marks[k] - 1 - marks[k + 1]
            past[k] = np.nan
            if long >= LEAST_RAMP:
                # The column of the fall and its neighbour may be half fallen.
                _, past[k] = line(sums, moments, marks[k + 1], marks[k] - 2)
        usual = np.nanmedian(past)
        if not np.isnan(usual):
            own = min(1.0, age / (2.0 * hour)) if age >= LEAST_RAMP else 0.0
            at = at + 0.5 * (age - 1) * (usual - slope) * (1.0 - own)
            slope = own * slope + (1.0 - own) * usual
    elif age < LEAST_RAMP:
        at, slope = x[origin], 0.0
    for h in range(horizon):
        paths[6, h] = at + slope * (h + 1)
        paths[7, h] = paths[6, h]
    if n < 3:
        return
    lasts = np.empty(n - 1)
    falls = np.empty(n)
    for k in range(n):
        falls[k] = max(x[marks[k] - 2], x[marks[k] - 1]) - x[marks[k]]
        if k < n - 1:
            lasts[k] = marks[k] - marks[k + 1]
    last = max(2.0, float(np.median(lasts)))
    fall = float(np.median(falls))
    done = int((age - 1) // last)
    for h in range(horizon):
        gone = int((age + h) // last) - done
        paths[7, h] -= fall * gone
        if done > 0 and gone == 0:
            # Overdue: it may fall any moment; hold what it is.
            paths[7, h] = at + slope * (h + 1)


@compiled
def _days(x: Float64, first: int, origin: int, hour: float, sums: Float64, paths: Float64) -> None:
    """As yesterday (or as the mean of up to six days), moved to today's level."""
    horizon = paths.shape[1]
    day = round(24 * hour)
    near = max(1, round(1 * hour))
    days = (origin - first + 1 - near) // day
    begin = max(first, origin + 1 - day)
    usual = (sums[origin + 1] - sums[begin]) / (origin + 1 - begin)
    newest = 0.5 * (x[origin] + _median3(x, first, origin))
    for h in range(horizon):
        paths[14, h] = usual
        paths[15, h] = newest + (usual - newest) * min(1.0, (h + 1) / (4.0 * hour)) * 0.5
    for m in range(2):
        paths[8 + m, :] = x[origin]
        paths[10 + m, :] = usual
        paths[12 + m, :] = paths[15]
        if days < 1:
            continue
        many = 1 if m == 0 else min(6, days)
        shift = 0.0
        today = (sums[origin + 1] - sums[origin + 1 - near]) / near
        for k in range(1, many + 1):
            end = origin - k * day
            shift += today - (sums[end + 1] - sums[end + 1 - near]) / near
        shift /= many
        for h in range(horizon):
            back = day * (1 + h // day)
            total = 0.0
            for k in range(many):
                total += x[max(first, origin + 1 + h - back - k * day)]
            paths[8 + m, h] = total / many + shift
            paths[10 + m, h] = total / many
            paths[12 + m, h] = total / many + 0.5 * shift
