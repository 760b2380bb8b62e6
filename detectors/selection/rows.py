"""Means and quantiles of rows with gaps; of a row without data NaN, without a warning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def row_means(values: Float64) -> Float64:
    """Return each row's mean over what it has."""
    has = np.isfinite(values)
    count = has.sum(axis=1)
    total = np.where(has, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def row_quantiles(values: Float64, levels: Sequence[float]) -> list[Float64]:
    """Return, of each level, each row's value there: the nearest below.

    >>> [found.tolist() for found in row_quantiles(np.array([[3.0, 1.0, np.nan, 2.0]]), [0.0, 0.5])]
    [[1.0], [2.0]]
    """
    # NaN sorts last.
    ranked = np.sort(values, axis=1)
    count = np.isfinite(values).sum(axis=1)
    if not values.shape[1]:
        return [np.full(values.shape[0], np.nan) for _ in levels]
    found = []
    for level in levels:
        spot = np.floor(level * np.maximum(count - 1, 0)).astype(np.int64)
        found.append(np.take_along_axis(ranked, spot[:, None], axis=1)[:, 0])
    return found
