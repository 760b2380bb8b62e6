"""What a pooled model sees of a series: a few numbers of each trailing window, without a unit."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

# Means that stand for a window: enough for a shape, few enough for any of PyOD's models.
BINS: Final = 8
N_FEATURES: Final = BINS + 3


def window_features(z: Float64, window: int) -> Float64:
    """Return the features of the window that ends in each column.

    Args:
        z: standardised values `[n_rows, n_times]`, NaN = no data.
        window: columns, a multiple of `BINS`.

    Returns:
        `[n_rows, n_times, N_FEATURES]`: the means of the eighths of the window, newest first; the
        spread within it; the slope over it; the newest value. All NaN where an eighth has no
        value, or the column itself has none. The same window gives the same bytes wherever the
        array begins: sums are taken in one order.

    >>> window_features(np.arange(8.0)[None], 8)[0, -1]
    array([7.        , 6.        , 5.        , 4.        , 3.        ,
           2.        , 1.        , 0.        , 2.29128785, 7.        ,
           7.        ])
    """
    width = window // BINS
    known = ~np.isnan(z)
    filled = np.where(known, z, 0.0)
    count = _sums(known.astype(np.float64), width)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0.0, _sums(filled, width) / count, np.nan)
    out = np.full((*z.shape, N_FEATURES), np.nan)
    total, number, square = np.zeros(z.shape), np.zeros(z.shape), np.zeros(z.shape)
    sums, squares = _sums(filled, width), _sums(filled * filled, width)
    for part in range(BINS):
        late = part * width
        if late >= z.shape[1]:
            break
        out[:, late:, part] = mean[:, : z.shape[1] - late]
        for whole, own in ((total, sums), (number, count), (square, squares)):
            whole[:, late:] += own[:, : z.shape[1] - late]
    number = np.maximum(number, 1.0)
    out[..., BINS] = np.sqrt(np.maximum(square / number - (total / number) ** 2, 0.0))
    out[..., BINS + 1] = _slope(out[..., :BINS])
    out[..., BINS + 2] = z
    out[np.isnan(out).any(axis=-1)] = np.nan
    return out


def _sums(values: Float64, width: int) -> Float64:
    """Return the sum of each entry and the `width - 1` before it, along the last axis."""
    out = values.copy()
    for back in range(1, min(width, values.shape[1])):
        out[:, back:] += values[:, :-back]
    return out


def _slope(means: Float64) -> Float64:
    """Return the least-squares rise over the whole window of its means, newest first."""
    place = np.arange(BINS, dtype=np.float64)[::-1] - (BINS - 1) / 2.0
    weight = place / (place * place).sum() * (BINS - 1)
    out = np.zeros(means.shape[:-1])
    for part in range(BINS):
        out += weight[part] * means[..., part]
    return out
