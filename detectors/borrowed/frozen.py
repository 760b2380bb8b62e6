"""ECOD and COPOD as functions of the training set alone.

PyOD computes both on the union of the training rows and the batch to be scored: a row's score
depends on who else is in the batch, and an incident makes itself look normal. Here each row is
ranked among the training rows and itself, nothing else: what PyOD answers for a batch of one,
save that the sign of the skewness is the training set's.

Source: Li et al., "ECOD", TKDE 2022; Li et al., "COPOD", ICDM 2020; PyOD issues #401, #426.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def _tails(train: Float64, points: Float64) -> tuple[Float64, Float64, Float64]:
    """Return (left, right, skewed) negative log tail probabilities, `[n_points, n_dims]`."""
    n = train.shape[0]
    ranked = np.sort(train, axis=0)
    left = np.empty(points.shape)
    right = np.empty(points.shape)
    for dim in range(train.shape[1]):
        at_most = np.searchsorted(ranked[:, dim], points[:, dim], side="right")
        below = np.searchsorted(ranked[:, dim], points[:, dim], side="left")
        # The row itself is one more on either side of the ranking.
        left[:, dim] = -np.log((at_most + 1) / (n + 1))
        right[:, dim] = -np.log((n - below + 1) / (n + 1))
    off = train - train.mean(axis=0)
    skew = np.sign((off**3).mean(axis=0))
    # A left-skewed dimension counts its left tail, a right-skewed its right, an even one both.
    skewed = np.where(skew <= 0, left, 0.0) + np.where(skew >= 0, right, 0.0)
    return left, right, skewed


def ecod(train: Float64, points: Float64) -> Float64:
    """Return ECOD scores of the points, `[n_points]`, ranked among the training rows."""
    left, right, skewed = _tails(train, points)
    result: Float64 = np.maximum(np.maximum(left, right), skewed).sum(axis=1)
    return result


def copod(train: Float64, points: Float64) -> Float64:
    """Return COPOD scores of the points, `[n_points]`, ranked among the training rows."""
    left, right, skewed = _tails(train, points)
    result: Float64 = np.maximum((left + right) / 2.0, skewed).sum(axis=1)
    return result


FROZEN: dict[str, Callable[[Float64, Float64], Float64]] = {"ECOD": ecod, "COPOD": copod}
