"""The anomalies that incidents are made of, and the incidents that the lake holds."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.anomaly_rows import LONGEST_INTERVAL

Row = dict[str, Any]

ANOMALIES = """
SELECT * EXCLUDE (date) FROM anomalies
WHERE date >= $first_day AND date <= $last_day
  AND (("end" >= $since AND start < $until) OR list_contains($ids, anomaly_id))
ORDER BY start, cluster, anomaly_id
"""

HELD = """
SELECT * EXCLUDE (date) FROM incidents
WHERE date >= $first_day AND date <= $last_day AND ("end" >= $since OR state = 'open')
  AND start < $until AND state IN ('open', 'resolved')
ORDER BY start, incident_id
"""

LABELS = """
SELECT series_id, labels FROM series WHERE list_contains($ids, series_id)
"""

FALSE = """
WITH said AS (
    SELECT name AS incident_id, time, attributes['verdict'] AS verdict,
           row_number() OVER (PARTITION BY name ORDER BY time DESC, uid DESC) AS newest
    FROM events
    WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
      AND source = 'feedback'
)
SELECT i.incident_id, i.patterns, said.time FROM said
JOIN incidents i USING (incident_id)
WHERE said.newest = 1 AND said.verdict = 'false'
ORDER BY said.time DESC, i.incident_id
"""


def held_incidents(snapshot: Snapshot, since: datetime, until: datetime) -> list[Row]:
    """Incidents that went on since a time, or are open, by start."""
    reach = TimeRange(since - LONGEST_INTERVAL, until)
    params = _dated(reach) | {"since": since, "until": until}
    return _rows(run(snapshot, HELD, params, reach).rows.to_pylist())


def anomalies(
    snapshot: Snapshot, since: datetime, until: datetime, ids: Collection[str]
) -> list[Row]:
    """Anomalies that went on since a time, and those of these ids, by start."""
    reach = TimeRange(since - LONGEST_INTERVAL, until)
    params = _dated(reach) | {"since": since, "until": until, "ids": sorted(ids)}
    return _rows(run(snapshot, ANOMALIES, params, reach).rows.to_pylist())


def labels_of(snapshot: Snapshot, rows: Collection[Row]) -> Mapping[int, dict[str, str]]:
    """The labels of the series that anomalies are of."""
    ids = sorted({row["series_id"] for row in rows if row["series_id"] is not None})
    if not ids:
        return {}
    found = run(snapshot, LABELS, {"ids": ids}).rows.to_pylist()
    return {row["series_id"]: dict(row["labels"] or ()) for row in found}


def called_false(
    snapshot: Snapshot, between: TimeRange
) -> list[tuple[str, frozenset[str], datetime]]:
    """Incidents that somebody last called false: id, patterns, when; the newest first."""
    params = _dated(between) | {"start": between.start, "end": between.end}
    rows = _rows(run(snapshot, FALSE, params).rows.to_pylist())
    return [(row["incident_id"], frozenset(row["patterns"]), row["time"]) for row in rows]


def _dated(between: TimeRange) -> dict[str, object]:
    return {"first_day": between.start.date(), "last_day": between.end.date()}


def _rows(rows: list[Row]) -> list[Row]:
    for row in rows:
        for name, value in row.items():
            if isinstance(value, datetime):
                row[name] = value.astimezone(UTC)
    return rows
