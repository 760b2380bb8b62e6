"""The range that each metric kept to in training, and by how much a column leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

# Parts of the training range, each judged by the range of the others. Ten: what occurs in one
# tenth of the time alone is news to the rest, as the next tenth will be to all of it.
FOLDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """Least and greatest standardised value of each metric, float32 `[n_metrics]`.

    A metric without data has +inf and -inf.
    """

    low: Float32
    high: Float32

    def excess(self, points: Float32) -> Float32:
        """Return each column's root mean square, over its metrics, of what lies outside.

        Args:
            points: float32 `[n_times, n_metrics]`, NaN = no data; a column without data is NaN.
        """
        outside = np.maximum(np.maximum(points - self.high, self.low - points), np.float32(0.0))
        # A metric never seen in training has no range to leave.
        outside[:, self.low > self.high] = np.nan
        count = np.count_nonzero(~np.isnan(outside), axis=1)
        square = np.nansum(outside.astype(np.float64) ** 2, axis=1)
        mean = np.divide(square, count, out=np.full(count.size, np.nan), where=count > 0)
        excess: Float32 = np.sqrt(mean).astype(np.float32)
        return excess

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the fields by name."""
        return {"low": self.low, "high": self.high}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """Return what `to_arrays` was called on."""
        return cls(arrays["low"], arrays["high"])


def fit_range(points: Float32) -> Range:
    """Learn the range of every metric.

    Args:
        points: float32 `[n_times, n_metrics]`, NaN = not to be learned from.

    >>> points = np.array([[0.0, 5.0], [1.0, np.nan]], dtype="f4")
    >>> fit_range(points).excess(np.array([[3.0, 5.0]], dtype="f4")).round(2)
    array([1.41], dtype=float32)
    """
    low = np.fmin.reduce(points, axis=0, initial=np.inf)
    high = np.fmax.reduce(points, axis=0, initial=-np.inf)
    return Range(low.astype(np.float32), high.astype(np.float32))


def held_out_excess(points: Float32) -> Float32:
    """Return the excess of each training column over the range of the other tenths.

    Args:
        points: float32 `[n_times, n_metrics]`.
    """
    tenths = [part for part in np.array_split(points, FOLDS) if len(part)]
    ranges = [fit_range(part) for part in tenths]
    out = []
    for index, part in enumerate(tenths):
        others = ranges[:index] + ranges[index + 1 :]
        if others:
            low = np.minimum.reduce([one.low for one in others])
            high = np.maximum.reduce([one.high for one in others])
            out.append(Range(low, high).excess(part))
        else:
            out.append(np.zeros(len(part), dtype=np.float32))
    return np.concatenate(out) if out else np.empty(0, dtype=np.float32)
