"""The anomalies that incidents are made of, and the incidents that the lake holds."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.anomaly_rows import LONGEST_INTERVAL
from orchestration.steps.kept_feedback import ReadSaid

Row = dict[str, Any]

ANOMALIES = """
SELECT * EXCLUDE (date) FROM anomalies
WHERE date >= $first_day AND date <= $last_day
  AND (("end" >= $since AND start < $until) OR list_contains($ids, anomaly_id))
ORDER BY start, cluster, anomaly_id
"""

HELD = """
SELECT * EXCLUDE (date) FROM incidents
WHERE ((date >= $first_day AND "end" >= $since AND state = 'resolved') OR state = 'open')
  AND date <= $last_day AND start < $until
ORDER BY start, incident_id
"""

LABELS = """
SELECT series_id, labels FROM series WHERE list_contains($ids, series_id)
"""

SPOKEN_OF = """
SELECT cluster, incident_id, patterns, impact FROM incidents
WHERE list_contains($ids, incident_id)
"""

ALIKE = 0.5
"""Share of the patterns of two incidents that both have, from which they are alike."""

LOUDER = 2.0
"""How much higher the peak may be of what is no more than what was called false."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody last said of an incident."""

    incident_id: str
    patterns: frozenset[str]
    peak: float
    time: datetime
    verdict: str
    cause: str | None

    def alike(self, patterns: frozenset[str]) -> bool:
        """Whether an incident of these patterns is like it."""
        return alike(self.patterns, patterns)


def alike(patterns: frozenset[str], others: frozenset[str]) -> bool:
    """Whether two incidents of these patterns are like each other.

    >>> alike(frozenset({"eu cart memory above", "eu cart BackOff above"}), frozenset())
    False
    """
    return len(patterns & others) >= ALIKE * len(patterns | others)


def held_incidents(snapshot: Snapshot, since: datetime, until: datetime) -> list[Row]:
    """Incidents that went on since a time, or are open, by start."""
    reach = TimeRange(since - LONGEST_INTERVAL, until)
    params = _dated(reach) | {"since": since, "until": until}
    # Without a range: one that is open may have begun whenever.
    return _rows(run(snapshot, HELD, params).rows.to_pylist())


def anomalies(
    snapshot: Snapshot, since: datetime, until: datetime, held: Collection[Row]
) -> list[Row]:
    """Anomalies that went on since a time, and those of incidents that are held, by start."""
    ids = {one for row in held for one in row["anomaly_ids"]}
    first = min([since, *(row["start"] for row in held)])
    reach = TimeRange(first - LONGEST_INTERVAL, until)
    params = _dated(reach) | {"since": since, "until": until, "ids": sorted(ids)}
    return _rows(run(snapshot, ANOMALIES, params, reach).rows.to_pylist())


def labels_of(snapshot: Snapshot, rows: Collection[Row]) -> Mapping[int, dict[str, str]]:
    """The labels of the series that anomalies are of."""
    ids = sorted({row["series_id"] for row in rows if row["series_id"] is not None})
    if not ids:
        return {}
    found = run(snapshot, LABELS, {"ids": ids}).rows.to_pylist()
    return {row["series_id"]: dict(row["labels"] or ()) for row in found}


def said_of(snapshot: Snapshot, between: TimeRange, read: ReadSaid) -> list[Said]:
    """What was last said of each incident, the newest first."""
    last = {(row["cluster"], row["name"]): row for row in read(snapshot, between)}
    if not last:
        return []
    known = run(snapshot, SPOKEN_OF, {"ids": sorted({name for _, name in last})}).rows.to_pylist()
    found = [
        Said(
            row["incident_id"],
            frozenset(row["patterns"]),
            json.loads(row["impact"])["peak"],
            said["time"],
            said["verdict"],
            said["cause"],
        )
        for row in known
        if (said := last.get((row["cluster"], row["incident_id"]))) is not None
    ]
    found.sort(key=lambda one: one.incident_id)
    return sorted(found, key=lambda one: one.time, reverse=True)


def _dated(between: TimeRange) -> dict[str, object]:
    return {"first_day": between.start.date(), "last_day": between.end.date()}


def _rows(rows: list[Row]) -> list[Row]:
    for row in rows:
        for name, value in row.items():
            if isinstance(value, datetime):
                row[name] = value.astimezone(UTC)
    return rows
