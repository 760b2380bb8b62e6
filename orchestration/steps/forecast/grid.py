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
        several: whether most columns are of several samples.
    """

    keys: pl.DataFrame
    values: Float64
    newest: Float64
    start: int
    step: int
    several: bool

    def column(self, time: int) -> int:
        """The newest column that is complete at a time."""
        return (time - self.start) // self.step


def step_of(times: Int64, series: Int64, horizon: int, every: int | None) -> int:
    """The step, µs: as fine as the data or the horizon need, and a part of the origins' distance.

    Args:
        times: µs, by series, then in order.
        series: of each time.
        horizon: µs.
        every: µs between origins; None = one origin.
    """
    apart = np.diff(times)
    apart = apart[(apart > 0) & (series[1:] == series[:-1])]
    own = int(np.median(apart)) if len(apart) else horizon // COLUMNS
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
    keys, series = _series(frame, labels)
    values = frame["value"].to_numpy()
    times = frame["timestamp"].dt.epoch("us").to_numpy()
    known = np.isfinite(values)
    if not known.all():
        series, times, values = series[known], times[known], values[known]
    follows = series[1:] == series[:-1]
    if (series[1:] < series[:-1]).any() or (times[1:] < times[:-1])[follows].any():
        order = np.lexsort((times, series))
        series, times, values = series[order], times[order], values[order]
    step = step_of(times, series, horizon, every)
    if anchor is None:
        anchor = int(times.max())
    column = -((anchor - times) // step)
    # The anchor's column is there, though nothing is known of it.
    first, last = min(int(column.min()), 0), max(int(column.max()), 0)
    shape = (keys.height, last - first + 1)
    flat = series * shape[1] + column - first
    newest = np.full(shape[0] * shape[1], np.nan)
    newest[flat] = values
    means, several = newest, False
    if len(flat) and not (flat[1:] > flat[:-1]).all():  # some columns have several
        count = np.bincount(flat, minlength=len(newest))
        total = np.bincount(flat, weights=values, minlength=len(newest))
        with np.errstate(invalid="ignore"):
            means = np.where(count > 0, total / count, np.nan)
        several = bool(np.median(count[count > 0]) > 1)
    start = anchor + first * step
    return Grid(keys, means.reshape(shape), newest.reshape(shape), start, step, several)


def _series(frame: pl.DataFrame, labels: list[str]) -> tuple[pl.DataFrame, Int64]:
    """The labels of each series, in order of their first rows, and the series of each row.

    Rows of a series mostly follow each other: labels are compared where one begins.
    """
    if not labels:
        return pl.DataFrame({SERIES: [0]}).drop(SERIES), np.zeros(frame.height, np.int64)
    other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in labels)
    begins = np.flatnonzero(frame.select(other).to_series().to_numpy())
    begins = np.unique(np.append(0, begins))[: frame.height]
    heads = frame[begins].select(pl.col(labels).cast(pl.String))
    keys = heads.unique(maintain_order=True).with_row_index(SERIES)
    of = heads.join(keys, on=labels, how="left", nulls_equal=True, maintain_order="left")[SERIES]
    lengths = np.diff(np.append(begins, frame.height))
    return keys.drop(SERIES), np.repeat(of.to_numpy().astype(np.int64), lengths)
