"""From the series of a workload's pods to one row a cluster.

Pods come and go, and their names differ from cluster to cluster; what can be compared is what a
cluster's pods do together: the sum of counters' rates, the mean of everything else (so that a
replica more does not count as a departure).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.memory.kernels import over_rows

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

STEADY = 10
"""Columns of the trailing mean that is compared: one scrape, one garbage collection is no news."""

LEAST_STEADY = STEADY // 2
"""Of those, columns with data that are needed."""

LONGEST_HOLD = 5
"""Columns for which a series' last value may stand in, where its samples are further apart than
the panel's columns. No longer than its previous gap, so that a pod that is gone is soon gone."""

LOOK_BACK = STEADY - 1 + 2 * LONGEST_HOLD
"""Columns before a range from which its first column is right: the trailing mean, the hold, and
the gap before it that says how long to hold."""


def combined(values: Float32, row: Int64, total: Bool) -> tuple[Float32, Float32]:
    """Combine series into rows, and those into trailing means.

    Args:
        values: float32 `[n_series, n_times]`, NaN = no data.
        row: int64 `[n_series]`, ascending from 0: the row that each series belongs to.
        total: bool `[n_rows]`, whether a row is the sum of its series; else it is their mean.

    Returns:
        Column by column, and as trailing means over `STEADY` columns; float32
        `[n_rows, n_times]` both, NaN where there is too little.

    >>> nan = float("nan")
    >>> pods = np.array([[1, 1, nan, 1], [2, nan, nan, nan]], "f4")
    >>> combined(pods, np.array([0, 0]), np.array([True]))[0]
    array([[3., 3., 1., 1.]], dtype=float32)
    """
    n_rows = len(total)
    first = np.searchsorted(row, np.arange(n_rows + 1))
    plain = np.empty((n_rows, values.shape[1]), np.float32)
    steady = np.empty_like(plain)

    def work(rows: slice) -> None:
        bounds = first[rows.start : rows.stop + 1]
        _combine(values, bounds, total[rows], plain[rows])
        trailing_mean(plain[rows], STEADY, LEAST_STEADY, steady[rows])

    over_rows(work, n_rows)
    return plain, steady


@compiled
def _combine(values: Float32, bounds: Int64, total: Bool, out: Float32) -> None:
    n_times = values.shape[1]
    sums = np.empty(n_times)
    counts = np.empty(n_times, np.int64)
    for row in range(out.shape[0]):
        sums[:] = 0.0
        counts[:] = 0
        for one in range(bounds[row], bounds[row + 1]):
            last, hold, value = -1, 1, 0.0
            for at in range(n_times):
                if not np.isnan(values[one, at]):
                    if last >= 0:
                        hold = min(at - last, LONGEST_HOLD)
                    last, value = at, values[one, at]
                if last >= 0 and at - last <= hold:
                    sums[at] += value
                    counts[at] += 1
        for at in range(n_times):
            if not counts[at]:
                out[row, at] = np.nan
            elif total[row]:
                out[row, at] = sums[at]
            else:
                out[row, at] = sums[at] / counts[at]


@compiled
def trailing_mean(values: Float32, width: int, least: int, out: Float32) -> None:
    """Mean of the last `width` columns where at least so many have data, else NaN.

    Each is added up anew, so that it is the same bytes wherever the panel begins.
    """
    for row in range(values.shape[0]):
        for at in range(values.shape[1]):
            total, count = 0.0, 0
            for past in range(max(0, at - width + 1), at + 1):
                if not np.isnan(values[row, past]):
                    total += values[row, past]
                    count += 1
            out[row, at] = total / count if count >= least else np.nan
