"""The past of resources as arrays: how much was used of how much, a column each few minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

RECENT = timedelta(hours=1)
"""How old a limit may be that still holds: some are told once in half an hour."""

CELLS = """
SELECT series_id, (epoch_us(time) - $start_us) // $step_us AS "column",
       sum(sum) / sum("count") AS value
FROM buckets(INTERVAL 5 MINUTE)
WHERE time >= $start AND time < $end AND metric = $metric
  AND cluster BETWEEN $first AND $last AND series_id BETWEEN $least AND $most
  AND series_id IN (SELECT unnest($ids)) AND isfinite(sum)
GROUP BY ALL
"""
"""Bounds, since files are sorted by cluster, metric and series: most row groups are left out."""

NEWEST = """
SELECT series_id, arg_max(last, time) AS newest, max(time) AS at
FROM buckets(INTERVAL 5 MINUTE)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
  AND series_id IN (SELECT unnest($ids))
GROUP BY ALL ORDER BY series_id
"""

CHANGED = """
SELECT series_id FROM buckets(INTERVAL 1 HOUR)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
  AND series_id IN (SELECT unnest($ids))
GROUP BY ALL HAVING min(min) < max(max) ORDER BY series_id
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Columns that end at the time of the forecast.

    Attributes:
        end: end of the last column.
        step: width of a column, whole slots of five minutes.
        width: columns.
    """

    end: datetime
    step: timedelta
    width: int

    @property
    def between(self) -> TimeRange:
        """All of it."""
        return TimeRange(self.end - self.width * self.step, self.end)


def newest(snapshot: Snapshot, metrics: list[str], ids: list[int], end: datetime) -> pl.DataFrame:
    """The newest value of each series before a time: `series_id`, `newest`, `at`."""
    between = TimeRange(end - RECENT, end)
    return pl.DataFrame(run(snapshot, NEWEST, _params(between, metrics, ids), between).rows)


def changed(snapshot: Snapshot, metrics: list[str], ids: list[int], between: TimeRange) -> Int64:
    """Ids of the series whose value did not stay the same, in order."""
    rows = run(snapshot, CHANGED, _params(between, metrics, ids), between).rows
    return np.asarray(rows.column("series_id").to_numpy(), dtype=np.int64)


def panel(snapshot: Snapshot, metric: str, clusters: pl.Series, ids: Int64, span: Span) -> Float64:
    """Means of columns, `[len(ids), width]` in the order of the ids, NaN = no data.

    It is quick where the ids of one cluster are near each other.

    Args:
        snapshot: where they are.
        metric: of all.
        clusters: that the series are of.
        ids: of the series, each once.
        span: which columns.
    """
    out = np.full((len(ids), span.width), np.nan)
    if not len(ids):
        return out
    between = span.between
    params = {
        "start": between.start,
        "end": between.end,
        "metric": metric,
        "first": clusters.min(),
        "last": clusters.max(),
        "least": int(ids.min()),
        "most": int(ids.max()),
        "ids": ids.tolist(),
        "start_us": to_micros(between.start),
        "step_us": span.step // MICROSECOND,
    }
    cells = run(snapshot, CELLS, params, between).rows
    order = np.argsort(ids)
    row = order[np.searchsorted(ids, cells.column("series_id").to_numpy(), sorter=order)]
    out[row, cells.column("column").to_numpy()] = cells.column("value").to_numpy()
    return out


def carried(values: Float64) -> Float64:
    """Gaps filled with the value before, those at the beginning with the first one.

    >>> carried(np.array([[np.nan, 2.0, np.nan, 3.0]]))
    array([[2., 2., 2., 3.]])
    """
    known = ~np.isnan(values)
    columns = np.arange(values.shape[1])
    before = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
    before = np.where(before < 0, known.argmax(axis=1)[:, None], before)
    return np.take_along_axis(values, before, axis=1)


def _params(between: TimeRange, metrics: list[str], ids: list[int]) -> dict[str, object]:
    return {"start": between.start, "end": between.end, "metrics": metrics, "ids": ids}
