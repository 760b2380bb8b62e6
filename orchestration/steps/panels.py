"""Panels from the lake: one query buckets samples, turns counters into rates, leaves gaps.

A column holds the mean of a gauge's samples, or of a counter's rate between consecutive samples
(per second; a fall is a reset, after which the new value is the increase, as in PromQL). Two
samples further apart than `LONGEST_GAP` have no rate between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from detectors import Panel
from lake import TimeRange
from lake.query import run
from lake.schema import ENTITY_COLUMNS
from lake.snapshot import Snapshot
from lake.timerange import EPOCH, MICROSECOND, to_micros
from orchestration.adapters import to_panel
from orchestration.detection_settings import DetectionSettings

LONGEST_GAP = timedelta(minutes=5)
"""Prometheus' look-back: what is silent for longer has ended."""


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """What the lake knows of one series of a panel."""

    series_id: int
    cluster: str
    metric: str
    counter: bool
    entity: dict[str, str | None]
    first_seen: datetime | None = None


SERIES = f"""
SELECT series_id, cluster, metric, kind, first_seen, {", ".join(ENTITY_COLUMNS)}
FROM series
WHERE last_seen >= $since AND regexp_full_match(metric, $include)
  AND NOT regexp_full_match(metric, $exclude)
  AND (len($clusters) = 0 OR list_contains($clusters, cluster))
  AND NOT list_contains($but_not, cluster)
ORDER BY metric, cluster, series_id
"""  # noqa: S608 - column names are ours


def choose_series(
    snapshot: Snapshot,
    settings: DetectionSettings,
    since: datetime,
    clusters: Sequence[str] = (),
    but_not: Sequence[str] = (),
) -> list[SeriesInfo]:
    """The series to score: metrics that the settings choose, seen since a time, by metric.

    Args:
        snapshot: where they are.
        settings: which metrics.
        since: series that ended before this day are left out.
        clusters: only these; empty = all.
        but_not: not these.
    """
    params = {
        # `last_seen` is exact to the day.
        "since": since - timedelta(days=1),
        "include": settings.include,
        "exclude": settings.exclude,
        "clusters": list(clusters),
        "but_not": list(but_not),
    }
    return [info(row) for row in run(snapshot, SERIES, params).rows.to_pylist()]


def count_series(snapshot: Snapshot, settings: DetectionSettings, until: datetime) -> int:
    """How many series there were to score at a time."""
    params = {
        "since": until - timedelta(days=1),
        "until": until,
        "include": settings.include,
        "exclude": settings.exclude,
        "clusters": [],
        "but_not": [],
    }
    query = f"SELECT count(*) AS n FROM ({SERIES}) WHERE coalesce(first_seen < $until, true)"  # noqa: S608
    return int(run(snapshot, query, params).rows.column("n")[0].as_py())


SERIES_BY_ID = f"""
SELECT series_id, cluster, metric, kind, first_seen, {", ".join(ENTITY_COLUMNS)}
FROM series WHERE series_id = $id
"""  # noqa: S608 - column names are ours


def info(row: dict[str, Any]) -> SeriesInfo:
    """A row of `SERIES` or `SERIES_BY_ID`."""
    return SeriesInfo(
        row["series_id"],
        row["cluster"],
        row["metric"],
        row["kind"] == "counter",
        {name: row[name] for name in ENTITY_COLUMNS},
        row["first_seen"],
    )


CELLS = """
WITH wanted AS (
    SELECT unnest($ids) AS series_id, unnest($counters) AS counter
), raw AS (
    SELECT s.series_id, s.time, s.value, w.counter
    FROM samples s JOIN wanted w USING (series_id)
    WHERE s.date >= $first_day AND s.date <= $last_day
      AND s.time >= $reach AND s.time < $end
      AND list_contains($metrics, s.metric) AND isfinite(s.value)
), steps AS (
    SELECT series_id, time, value - lag(value) OVER before AS delta, value,
           epoch(time - lag(time) OVER before) AS seconds
    FROM raw WHERE counter WINDOW before AS (PARTITION BY series_id ORDER BY time)
), points AS (
    SELECT series_id, time, value FROM raw WHERE NOT counter
    UNION ALL
    SELECT series_id, time, CASE WHEN delta < 0 THEN value ELSE delta END / seconds
    FROM steps WHERE seconds > 0 AND seconds <= $gap
)
SELECT series_id, (epoch_us(time) - $start_us) // $step_us AS "column", avg(value) AS value
FROM points WHERE time >= $start GROUP BY ALL
"""


def read_panel(
    snapshot: Snapshot, series: Sequence[SeriesInfo], between: TimeRange, step: timedelta
) -> Panel:
    """One panel of these series over the range; series without data there have no row.

    The range should begin and end on multiples of the step since 1970.
    """
    reach = TimeRange(between.start - LONGEST_GAP, between.end)
    step_us = step // MICROSECOND
    n_times = -(-(to_micros(between.end) - to_micros(between.start)) // step_us)
    params = {
        "first_day": reach.start.date(),
        "last_day": reach.end.date(),
        "reach": reach.start,
        "start": between.start,
        "end": between.end,
        "start_us": to_micros(between.start),
        "step_us": step_us,
        "metrics": sorted({one.metric for one in series}),
        "ids": [one.series_id for one in series],
        "counters": [one.counter for one in series],
        "gap": LONGEST_GAP.total_seconds(),
    }
    cells = run(snapshot, CELLS, params, reach).rows
    return to_panel(cells, to_micros(between.start), step_us, n_times)


def align(moment: datetime, step: timedelta) -> datetime:
    """The latest multiple of the step since 1970 that is not after the moment."""
    return EPOCH + (moment - EPOCH) // step * step
