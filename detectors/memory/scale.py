"""Each series' centre, spread, and the least move that may count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from detectors.memory.kernels import standardise

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# Least alarming move of a series that was exactly zero all through training, where no
# magnitude tells its unit. Two hundredths: an error a minute (0.017/s) stays silent, an error
# rate of 1/s or a ratio of 5 % does not, nor does any number of bytes.
ZERO_CHANGE = 0.02
# Of a noisy series, a window must move by at least this part of the training spread.
LEAST_SPREAD = 0.25
# Series of rare pulses (errors, cron jobs) lie far from their mean for a few columns. How far
# is read at this quantile; a Gaussian series reaches 3 spreads there, and of what a series
# reaches beyond that, half must be passed: two pulses that fall together are not an incident.
REACH_QUANTILE = 0.995
USUAL_REACH = 3.0
EXCESS_PART = 0.5
# Rows in work at once: bounds the float64 copies to some tens of MB for a day of minutes.
BLOCK = 512


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Standardisation of rows; all arrays `[n_rows]`, NaN where a row had no data.

    Attributes:
        centre: float64, mean of the training values, in the series' unit.
        scale: float64, max(standard deviation, least move), in the series' unit, positive.
        least: float32, least distance that may count, in units of `scale`.
        floor: float64, least move that may count, in the series' unit, positive.
    """

    centre: Float64
    scale: Float64
    least: Float32
    floor: Float64

    def standardise(self, values: Float32, rows: Int64) -> Float32:
        """Return the values in units of `scale` around `centre`; row i is row `rows[i]` here."""
        return standardise(values, self.centre[rows], self.scale[rows])

    def restore(self, z: Float32, reach: Float32, rows: Int64) -> tuple[Float32, Float32]:
        """Return a standardised level and width in the series' unit."""
        scale = self.scale[rows, None]
        level = self.centre[rows, None] + z * scale
        return level.astype(np.float32), (reach * scale).astype(np.float32)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the fields by name."""
        return {
            "centre": self.centre,
            "scale": self.scale,
            "least": self.least,
            "floor": self.floor,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """Return what `to_arrays` was called on."""
        return cls(arrays["centre"], arrays["scale"], arrays["least"], arrays["floor"])


def fit_scale(values: Float32, least_change: float) -> Scale:
    """Learn centre and spread per row, in float64, over the entries with data.

    The spread has a floor of `least_change` times the mean magnitude, so that a constant
    series tolerates jitter in proportion to its unit, be it bytes or seconds.

    Args:
        values: float32 `[n_rows, n_times]`, NaN = not to be learned from.
        least_change: fraction of the mean magnitude.

    >>> scale = fit_scale(np.array([[1e9, 1e9], [0.0, 0.0]], dtype="f4"), 0.02)
    >>> scale.scale
    array([2.e+07, 2.e-02])
    """
    n_rows = values.shape[0]
    out = np.full((4, n_rows), np.nan)
    for begin in range(0, n_rows, BLOCK):
        rows = slice(begin, begin + BLOCK)
        out[:, rows] = _fit_block(values[rows], least_change)
    centre, scale, least, floor = out
    return Scale(centre, scale, least.astype(np.float32), floor)


def _fit_block(values: Float32, least_change: float) -> Float64:
    """Return `[4, n_rows]`: centre, scale, least, floor."""
    known = ~np.isnan(values)
    count = np.count_nonzero(known, axis=1)
    divisor = np.where(count > 0, count, 1)
    filled = np.where(known, values, np.float32(0.0)).astype(np.float64)
    centre = filled.sum(axis=1) / divisor
    magnitude = np.abs(filled).sum(axis=1) / divisor
    off = np.where(known, np.abs(filled - centre[:, None]), 0.0)
    spread = np.sqrt((off * off).sum(axis=1) / divisor)
    floor = np.where(magnitude > 0.0, least_change * magnitude, ZERO_CHANGE)
    scale = np.maximum(spread, floor)
    excess = _reach(off, count) / scale - USUAL_REACH
    least = np.maximum(np.maximum(floor / scale, LEAST_SPREAD), EXCESS_PART * excess)
    fit: Float64 = np.stack([centre, scale, least, floor])
    fit[:, count == 0] = np.nan
    return fit


def _reach(off: Float64, count: Int64) -> Float64:
    """Return each row's REACH_QUANTILE over its known entries; the unknown ones are 0."""
    if not off.shape[1]:
        return np.zeros(off.shape[0])
    # Unknown entries sort first: counting from the end passes over known ones alone.
    from_end = np.ceil((1.0 - REACH_QUANTILE) * count).astype(np.int64)
    spot = off.shape[1] - np.maximum(from_end, 1)
    return np.take_along_axis(np.sort(off, axis=1), spot[:, None], axis=1)[:, 0]
