"""How far each cluster is from its siblings, and those from each other, column by column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LEAST_SIBLINGS = 2
"""Of two clusters nobody knows which of them departs."""

MAY_DIFFER = 4
"""One sibling in so many may differ from the others: one ill cluster must not hide another."""


@compiled
def apart(level: Float64, bounds: Int64, common: Float64, spread: Float64) -> None:
    """Compare each row of each group with the others of its group.

    Args:
        level: float64 `[n_rows, n_times]`, each in its own scale, NaN = no data.
        bounds: int64 `[n_groups + 1]`, where each group's rows begin.
        common: filled: median of the row's siblings; NaN where the row or `LEAST_SIBLINGS` of
            them have no data.
        spread: filled: how far the siblings are from `common`, all but one in `MAY_DIFFER`.
    """
    most = 0
    for group in range(len(bounds) - 1):
        most = max(most, bounds[group + 1] - bounds[group])
    ranked = np.empty(most)
    for group in range(len(bounds) - 1):
        begin, end = bounds[group], bounds[group + 1]
        for at in range(level.shape[1]):
            count = 0
            for row in range(begin, end):
                common[row, at] = spread[row, at] = np.nan
                if not np.isnan(level[row, at]):
                    ranked[count] = level[row, at]
                    count += 1
            if count <= LEAST_SIBLINGS:
                continue
            ranked[:count].sort()
            for row in range(begin, end):
                if not np.isnan(level[row, at]):
                    own = int(np.searchsorted(ranked[:count], level[row, at]))
                    common[row, at], spread[row, at] = _of_others(ranked, count, own)


@compiled
def _of_others(ranked: Float64, count: int, own: int) -> tuple[float, float]:
    """Median of all but one of sorted values, and the deviation that nearly all stay within."""
    others = count - 1
    low, high = (others - 1) // 2, others // 2
    middle = 0.5 * (_other(ranked, own, low) + _other(ranked, own, high))
    first, last = 0, others - 1
    # The furthest lie at the ends.
    for _ in range(others // MAY_DIFFER):
        below = middle - _other(ranked, own, first)
        above = _other(ranked, own, last) - middle
        if below >= above:
            first += 1
        else:
            last -= 1
    below = middle - _other(ranked, own, first)
    above = _other(ranked, own, last) - middle
    return middle, max(below, above)


@compiled
def _other(ranked: Float64, own: int, place: int) -> float:
    value: float = ranked[place] if place < own else ranked[place + 1]
    return value
