"""Trailing means that do not depend on where the array begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def trailing_mean(values: Float64, columns: int) -> Float64:
    """Return the mean of each entry and those before it, along the last axis.

    Entries without a value are left out of the means of others, and have none themselves. Summed
    in one order everywhere, so that the same entries give the same bytes in any array.

    Args:
        values: `[..., n]`, NaN = no value.
        columns: how many, the entry itself among them.

    >>> trailing_mean(np.array([2.0, 4.0, np.nan, 6.0]), 2)
    array([ 2.,  3., nan,  6.])
    """
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    total = filled.copy()
    count = known.astype(np.float64)
    for back in range(1, min(columns, values.shape[-1])):
        total[..., back:] += filled[..., :-back]
        count[..., back:] += known[..., :-back]
    return np.where(known, total / np.maximum(count, 1.0), np.nan)
