"""What is usual of a row at a time of day, so that clusters in other time zones compare.

One day is enough to know when a cluster is busy, not to know how much days differ. For that, a
column of the history is held against what the hours before and after it say (`HELD_OUT`), as
another day's column will be against this day's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

DAY = 86_400_000_000
"""µs."""

SLOTS = 48
"""Times of day that are told apart."""

HELD_OUT = 3_600_000_000
"""µs between a column and what it is held against."""

LEAST_FULL = 0.5
"""Of a slot's columns, those with data that are needed; else the row has no times of day."""


def learn_profile(values: Float64, times: Int64) -> Float64:
    """The median of each row at each time of day.

    Args:
        values: float64 `[n_rows, n_times]`, NaN = no data.
        times: int64 `[n_times]`, µs since 1970.

    Returns:
        float64 `[n_rows, SLOTS]`; a row without a whole day has its median everywhere, one
        without any data NaN.
    """
    slot = times % DAY * SLOTS // DAY
    counts = np.bincount(slot, minlength=SLOTS)
    out = np.empty((len(values), SLOTS))
    _medians(values, np.argsort(slot, kind="stable"), np.append(0, np.cumsum(counts)), out)
    return out


def at(profile: Float64, times: Int64, shift: int = 0) -> Float64:
    """What is usual of each row at other times, `[n_rows, n_times]`, between slots by line."""
    place = (times + shift) % DAY / DAY * SLOTS - 0.5
    low = np.floor(place).astype(np.int64)
    share = place - low
    between: Float64 = (1.0 - share) * profile[:, low % SLOTS]
    between += share * profile[:, (low + 1) % SLOTS]
    return between


def held_out(profile: Float64, times: Int64) -> Float64:
    """The same for the columns that it was learned from, by what lies around them."""
    around: Float64 = 0.5 * (at(profile, times, -HELD_OUT) + at(profile, times, HELD_OUT))
    return around


@compiled
def _medians(values: Float64, order: Int64, bounds: Int64, out: Float64) -> None:
    held = np.empty(len(order))
    for row in range(len(values)):
        total, whole = 0, True
        for slot in range(len(bounds) - 1):
            first = total
            for place in range(bounds[slot], bounds[slot + 1]):
                value = values[row, order[place]]
                if not np.isnan(value):
                    held[total] = value
                    total += 1
            columns = bounds[slot + 1] - bounds[slot]
            whole &= columns > 0 and total - first >= LEAST_FULL * columns
            out[row, slot] = np.median(held[first:total]) if total > first else np.nan
        if not whole:
            out[row] = np.median(held[:total]) if total else np.nan
