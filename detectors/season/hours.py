"""Hours of many series, and how they stand in days and weeks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

HOUR = 3_600_000_000
"""Microseconds."""

WEEK = 168
"""Hours."""


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """Hours of many series; the arrays are `[n_series, n_hours]`, NaN = no data.

    Attributes:
        mean: float32, of the hour.
        low: float32, the least in it.
        high: float32, the greatest in it.
        start: of the first hour, µs since 1970, a multiple of an hour.
        series_id: int64 `[n_series]`.
    """

    mean: Float32
    low: Float32
    high: Float32
    start: int
    series_id: Int64

    @property
    def phase(self) -> int:
        """Which hour of the week the first one is; weeks begin where 1970 did, on a Thursday."""
        return hour_of_week(self.start)


def hour_of_week(time: int) -> int:
    """Which hour of the week a time (µs since 1970, UTC) lies in.

    >>> hour_of_week(0), hour_of_week(7 * 24 * HOUR + 5 * HOUR + 1)
    (0, 5)
    """
    return time // HOUR % WEEK


def in_periods(values: Float32, phase: int, period: int) -> Float32:
    """Hours by period: `[n_series, n_hours]` becomes `[n_series, n_periods, period]`.

    Args:
        values: NaN = no data; what is missing at either end is filled with NaN.
        phase: of the first hour, in hours since a period began.
        period: hours, of a day or of a week.

    >>> in_periods(np.array([[1.0, 2.0, 3.0]], "f4"), phase=23, period=24)[0, :, [0, 1, 23]].T
    array([[nan, nan,  1.],
           [ 2.,  3., nan]], dtype=float32)
    """
    before = phase % period
    after = -(before + values.shape[1]) % period
    padded = np.pad(values, ((0, 0), (before, after)), constant_values=np.nan)
    return padded.reshape(len(values), -1, period)
