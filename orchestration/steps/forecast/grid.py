"""Samples of a file as a panel on a regular step, whose columns end at the origins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.forecasting import COLUMNS

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

HOUR = 3_600_000_000
SERIES = "__series"


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A panel.

    Attributes:
        keys: the labels of each series, a row each.
        values: float64 `[n, width]`, means of columns; a column holds what is later than the
            column before it and not later than its own time.
        newest: `[n, width]`, the newest value in each column.
        start: µs since 1970, the time of the first column.
        step: µs.
    """

    keys: pl.DataFrame
    values: Float64
    newest: Float64
    start: int
    step: int

    def column(self, time: int) -> int:
        """The newest column that is complete at a time."""
        return (time - self.start) // self.step


def step_of(frame: pl.DataFrame, horizon: int, every: int | None) -> int:
    """The step, µs: as fine as the data or the horizon need, and a part of the origins' distance.

    Args:
        frame: sorted by series, then time.
        horizon: µs.
        every: µs between origins; None = one origin.
    """
    apart = (
        frame.select(pl.col("timestamp").dt.epoch("us").diff().over(SERIES))
        .filter(pl.col("timestamp") > 0)
        .to_series()
    )
    middle = apart.median()
    own = int(middle) if isinstance(middle, (int, float)) else horizon // COLUMNS
    step = max(own, horizon // COLUMNS, 1)
    if every is not None:
        step = every // max(1, every // step)
    return min(step, horizon)


def grid_of(
    frame: pl.DataFrame, labels: list[str], horizon: int, every: int | None, anchor: int | None
) -> Grid:
    """Lay samples out.

    Args:
        frame: the labels, `timestamp`, `value`; null values are no data.
        labels: columns that name a series.
        horizon: µs.
        every: µs between origins; None = one.
        anchor: a time, µs, at which a column ends; None = the newest of all.
    """
    keys = frame.select(labels).unique(maintain_order=True).with_row_index(SERIES)
    if labels:
        frame = frame.join(keys, on=labels, how="left", nulls_equal=True)
    else:
        frame = frame.with_columns(pl.lit(0, dtype=pl.UInt32).alias(SERIES))
        keys = pl.DataFrame({SERIES: [0]}, schema={SERIES: pl.UInt32})
    frame = frame.filter(pl.col("value").is_finite()).sort(SERIES, "timestamp")
    step = step_of(frame, horizon, every)
    times = frame["timestamp"].dt.epoch("us").to_numpy()
    if anchor is None:
        anchor = int(times.max())
    column = -((anchor - times) // step)
    first, last = int(column.min()), int(column.max())
    series = frame[SERIES].to_numpy().astype(np.int64)
    shape = (keys.height, last - first + 1)
    flat = series * shape[1] + column - first
    values = frame["value"].to_numpy()
    count = np.bincount(flat, minlength=shape[0] * shape[1])
    total = np.bincount(flat, weights=values, minlength=shape[0] * shape[1])
    with np.errstate(invalid="ignore"):
        means = np.where(count > 0, total / count, np.nan)
    newest = np.full(len(means), np.nan)
    newest[flat] = values
    return Grid(
        keys.drop(SERIES),
        means.reshape(shape),
        newest.reshape(shape),
        anchor + first * step,
        step,
    )
