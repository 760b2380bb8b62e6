"""The season of series, read from the rollups: weeks cost as little as hours there.

Panels reach back a day; what each hour of the week holds takes weeks. Of a gauge the hours of
`samples_1h` have mean, least and greatest; of a counter they are of its rate in five minutes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from detectors import Panel
from detectors.season import HOUR, Hours, Season, fit_season
from detectors.season.profile import DAY, LEAST_DAYS
from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros
from orchestration.adapters import to_hours
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps.anomaly_rows import Thing
from orchestration.steps.panels import SeriesInfo, align
from orchestration.steps.training import flagged, flagged_cells

LEAST = LEAST_DAYS * DAY * timedelta(hours=1)
"""Younger lakes and series have no season."""

OF_RATE = 0.5
"""Part of a detector's rate of false alarms that its season adds at most."""

OF_GAUGES = """
SELECT series_id, (epoch_us(time) - $start_us) // 3600000000 AS "column",
       avg AS mean, min AS low, max AS high
FROM buckets(INTERVAL 1 HOUR)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
  AND series_id IN (SELECT unnest($ids))
"""

OF_COUNTERS = """
SELECT series_id, (epoch_us(time) - $start_us) // 3600000000 AS "column",
       avg(increase) / 300 AS mean, min(increase) / 300 AS low, max(increase) / 300 AS high
FROM buckets(INTERVAL 5 MINUTE)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
  AND series_id IN (SELECT unnest($ids))
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class OfBlock:
    """The season of a block's series; `digest` stands for what it was learned from."""

    season: Season
    digest: str


def fit_block(
    snapshot: Snapshot,
    series: Sequence[SeriesInfo],
    things: Mapping[int, Thing],
    chosen: DetectorSettings,
    settings: DetectionSettings,
    until: datetime,
    rate: float,
) -> OfBlock | None:
    """Learn the season of these series from the weeks before a time; None = there is none to learn.

    Args:
        snapshot: where the weeks are.
        series: of a block.
        things: of each series' id, what its anomalies are filed under.
        chosen: the detector, whose anomalies are not learned.
        settings: how many weeks.
        until: nothing after it is used.
        rate: of false alarms of a column.
    """
    hour = timedelta(hours=1)
    if hour % settings.step or not settings.season:
        return None
    end = align(until, hour)
    first = _first(snapshot)
    if first is None or end - first < LEAST:
        return None
    between = TimeRange(max(end - settings.season, align(first, hour)), end)
    old = [
        one
        for one in series
        if one.reading != "age" and (one.first_seen is None or one.first_seen <= end - LEAST)
    ]
    hours = _read(snapshot, old, between)
    if hours is None:
        return None
    known = flagged(snapshot, chosen, between)
    grid = Panel(hours.mean, hours.start, HOUR, hours.series_id)
    out = flagged_cells(grid, [things[one] for one in hours.series_id.tolist()], known)
    columns_an_hour = hour / settings.step
    season = fit_season(hours, out, rate * columns_an_hour * OF_RATE)
    if not season.series_id.size:
        return None
    return OfBlock(season, f"season {settings.season} {known.digest}")


def _first(snapshot: Snapshot) -> datetime | None:
    files = [
        file.first
        for table in ("samples", "samples_1h", "samples_5m")
        for file in snapshot.tables[table].files
        if file.first
    ]
    return min(files, default=None)


def _read(snapshot: Snapshot, series: Sequence[SeriesInfo], between: TimeRange) -> Hours | None:
    cells = []
    for reading, query in (("level", OF_GAUGES), ("rate", OF_COUNTERS)):
        own = [one for one in series if one.reading == reading]
        if own:
            params = {
                "start": between.start,
                "end": between.end,
                "start_us": to_micros(between.start),
                "metrics": sorted({one.metric for one in own}),
                "ids": [one.series_id for one in own],
            }
            cells.append(run(snapshot, query, params, between).rows)
    if not cells:
        return None
    n_hours = (between.end - between.start) // (HOUR * MICROSECOND)
    hours = to_hours(pa.concat_tables(cells), to_micros(between.start), n_hours)
    return hours if hours.series_id.size and np.isfinite(hours.mean).any() else None
