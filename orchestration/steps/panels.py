"""Panels from the lake: one query buckets samples, turns counters into rates, leaves gaps.

A column holds the mean of a gauge's samples, or of a counter's rate between consecutive samples
(per second; a fall is a reset, after which the new value is the increase, as in PromQL). Two
samples further apart than `LONGEST_GAP` have no rate between them. Which of these it is, and which
series are scored at all, their families say (`detectors.families`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from detectors import Panel
from detectors.families import Family, Lookup, Reading, read_as
from lake import TimeRange
from lake.query import run
from lake.schema import ENTITY_COLUMNS
from lake.snapshot import Snapshot
from lake.timerange import EPOCH, MICROSECOND, to_micros
from orchestration.adapters import to_panel
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.families import lookup

LONGEST_GAP = timedelta(minutes=5)
"""Prometheus' look-back: what is silent for longer has ended."""


UNKNOWN = Family("unknown", (".*",), floor=None)
"""A family of which nothing is known."""


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """What the lake knows of one series of a panel."""

    series_id: int
    cluster: str
    metric: str
    counter: bool
    entity: dict[str, str | None]
    first_seen: datetime | None = None
    family: Family = UNKNOWN

    @property
    def reading(self) -> Reading:
        """How its samples become values."""
        if self.family.reading == "age":
            return "age"
        return "rate" if self.counter else "level"


CHOSEN = """
last_seen >= $since AND regexp_full_match(metric, $include)
  AND NOT regexp_full_match(metric, $exclude)
  AND (len($clusters) = 0 OR list_contains($clusters, cluster))
  AND NOT list_contains($but_not, cluster)
"""

METRICS = f"SELECT DISTINCT metric FROM series WHERE {CHOSEN}"  # noqa: S608 - a constant of ours

SERIES = f"""
SELECT series_id, cluster, metric, kind, first_seen, {", ".join(ENTITY_COLUMNS)},
       CASE WHEN metric IN (SELECT unnest($labelled))
            THEN list_transform($names, lambda name: labels[name]) END AS told
FROM series
WHERE {CHOSEN} AND metric NOT IN (SELECT unnest($ignored))
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
    families = lookup(settings)
    params = _params(snapshot, settings, families, since, clusters, but_not)
    rows = run(snapshot, SERIES, params).rows.to_pylist()
    return [one for one in (info(row, families) for row in rows) if one.family.scored]


def _params(
    snapshot: Snapshot,
    settings: DetectionSettings,
    families: Lookup,
    since: datetime,
    clusters: Sequence[str] = (),
    but_not: Sequence[str] = (),
) -> dict[str, Any]:
    """Of `SERIES`. What is known of a metric is looked up once, not for each of its series."""
    chosen = {
        # `last_seen` is exact to the day.
        "since": since - timedelta(days=1),
        "include": settings.include,
        "exclude": settings.exclude,
        "clusters": list(clusters),
        "but_not": list(but_not),
    }
    metrics = sorted(run(snapshot, METRICS, chosen).rows.column("metric").to_pylist())
    return chosen | {
        "ignored": families.ignored(metrics),
        "labelled": families.labelled(metrics),
        "names": list(families.labels),
    }


def count_series(snapshot: Snapshot, settings: DetectionSettings, until: datetime) -> int:
    """How many series there were to score at a time."""
    families = lookup(settings)
    params = _params(snapshot, settings, families, until) | {"until": until}
    query = f"""
SELECT metric, told, count(*) AS n FROM ({SERIES})
WHERE coalesce(first_seen < $until, true) GROUP BY ALL
"""  # noqa: S608 - a constant of ours
    rows = run(snapshot, query, params).rows.to_pylist()
    return sum(row["n"] for row in rows if _family(row, families).scored)


SERIES_BY_ID = f"""
SELECT series_id, cluster, metric, kind, first_seen, {", ".join(ENTITY_COLUMNS)},
       list_transform($names, lambda name: labels[name]) AS told
FROM series WHERE series_id = $id
"""  # noqa: S608 - column names are ours


def series_by_id(
    snapshot: Snapshot, settings: DetectionSettings, series_id: int
) -> SeriesInfo | None:
    """One series, whether or not it is scored; None = the lake does not know it."""
    families = lookup(settings)
    params = {"id": series_id, "names": list(families.labels)}
    rows = run(snapshot, SERIES_BY_ID, params).rows.to_pylist()
    return info(rows[0], families) if rows else None


def info(row: dict[str, Any], families: Lookup) -> SeriesInfo:
    """A row of `SERIES` or `SERIES_BY_ID`."""
    family = _family(row, families)
    return SeriesInfo(
        row["series_id"],
        row["cluster"],
        row["metric"],
        read_as(family, row["metric"], row["kind"]) == "rate",
        {name: row[name] for name in ENTITY_COLUMNS},
        row["first_seen"],
        family,
    )


def _family(row: dict[str, Any], families: Lookup) -> Family:
    labels = dict(zip(families.labels, row["told"] or (), strict=False))
    return families.of(row["metric"], labels)


CELLS = """
WITH wanted AS (
    SELECT unnest($ids) AS series_id, unnest($readings) AS reading
), raw AS (
    SELECT s.series_id, s.time, w.reading,
           CASE WHEN w.reading = 'age' THEN epoch(s.time) - s.value ELSE s.value END AS value
    FROM samples s JOIN wanted w USING (series_id)
    WHERE s.date >= $first_day AND s.date <= $last_day
      AND s.time >= $reach AND s.time < $end
      AND list_contains($metrics, s.metric) AND isfinite(s.value)
), steps AS (
    SELECT series_id, time, value - lag(value) OVER before AS delta, value,
           epoch(time - lag(time) OVER before) AS seconds
    FROM raw WHERE reading = 'rate' WINDOW before AS (PARTITION BY series_id ORDER BY time)
), points AS (
    SELECT series_id, time, value FROM raw WHERE reading <> 'rate'
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
        "readings": [one.reading for one in series],
        "gap": LONGEST_GAP.total_seconds(),
    }
    cells = run(snapshot, CELLS, params, reach).rows
    return to_panel(cells, to_micros(between.start), step_us, n_times)


def align(moment: datetime, step: timedelta) -> datetime:
    """The latest multiple of the step since 1970 that is not after the moment."""
    return EPOCH + (moment - EPOCH) // step * step
