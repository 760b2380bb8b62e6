"""Whether an incident is one of before again, and what was changed before that.

A leak that kills its pod does so again once memory has filled anew, hours later: by then the change
is too old to be looked for, but the incident of the first time has found it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.incident_settings import IncidentSettings
from orchestration.steps.causes.evidence import Evidence
from orchestration.steps.incidents.lake_events import (
    LATE,
    SAYS_WHAT,
    happened,
    said_ago,
    signature,
)
from orchestration.steps.incidents.members import alike
from orchestration.steps.incidents.topology import Place, Topology

Row = dict[str, Any]

SHARE = 0.5
"""Of what a change counted for the first time, what it counts each time that it is again."""

SEE = " (again: see "

MOST_EARLIER = 50

SHORT_ID = 8

EARLIER = """
SELECT incident_id, cluster, start, "end", state, patterns, causes, abstained FROM incidents
WHERE date >= $first_day AND date <= $last_day AND cluster = $cluster
  AND start >= $since AND "end" < $start AND state IN ('open', 'resolved')
  AND list_contains(patterns, $founding)
ORDER BY start DESC LIMIT $most
"""


@dataclass(frozen=True, slots=True)
class Fresh:
    """An incident of which is asked.

    Attributes:
        incident_id: its id.
        cluster: whose it is, see `lake.schema.ALL_CLUSTERS`.
        start: when it began.
        founding: the pattern of its first anomaly.
        patterns: all of them.
    """

    incident_id: str
    cluster: str
    start: datetime
    founding: str
    patterns: frozenset[str]


def earlier(
    snapshot: Snapshot, settings: IncidentSettings, one: Fresh, made: Iterable[Row]
) -> list[Row]:
    """Incidents that it is again, the latest first: alike, and they had what it began with.

    Args:
        snapshot: what is known.
        settings: how far back is looked.
        one: the incident.
        made: rows that are newer than the snapshot.
    """
    reach = TimeRange(one.start - settings.again, one.start)
    params = {
        "first_day": reach.start.date(),
        "last_day": reach.end.date(),
        "since": reach.start,
        "start": one.start,
        "cluster": one.cluster,
        "founding": one.founding,
        "most": MOST_EARLIER,
    }
    rows = {row["incident_id"]: row for row in run(snapshot, EARLIER, params).rows.to_pylist()}
    for row in made:
        if (
            row["cluster"] == one.cluster
            and reach.start <= row["start"]
            and row["end"] < one.start
            and one.founding in row["patterns"]
        ):
            rows[row["incident_id"]] = row
    found = [
        row
        for name, row in rows.items()
        if name != one.incident_id and alike(frozenset(row["patterns"]), one.patterns)
    ]
    return sorted(found, key=lambda row: (row["start"], row["incident_id"]), reverse=True)


def change_before(
    snapshot: Snapshot, known: Topology, before: Sequence[Row], at: datetime
) -> list[tuple[Place, Evidence]]:
    """Evidence of the change that the latest of them that names one was put down to, if it stands.

    Whatever was done to the same entity since has taken its place.

    Args:
        snapshot: what is known.
        known: what stands next to what.
        before: incidents of before, the latest first.
        at: when this one began.
    """
    for row in before:
        if row["abstained"]:
            continue
        first = json.loads(row["causes"])[0]
        told = next((one for one in first["evidence"] if _is_change(one)), None)
        if told is None:
            continue
        place = (first["cluster"], first["entity"])
        text, _, when = told["reason"].rpartition(", ")
        onset = datetime.fromisoformat(told["onset"])
        since = row["start"].astimezone(UTC) + LATE
        if since < at and _is_changed(snapshot, known, place, text, TimeRange(since, at)):
            return []
        ago = f"{said_ago(at - onset)}{SEE}{row['incident_id'][:SHORT_ID]})"
        # What was again itself counts its share by now.
        size = told["size"] if SEE in when else SHARE * told["size"]
        return [(place, Evidence(place[1], size, told["what"], f"{text}, {ago}", onset))]
    return []


def _is_change(evidence: Row) -> bool:
    return bool(evidence["kind"] == "changes" and evidence["onset"])


def _is_changed(
    snapshot: Snapshot, known: Topology, place: Place, text: str, between: TimeRange
) -> bool:
    events, _ = happened(snapshot, known, [place], between, warnings=False)
    return any(
        one.change and SAYS_WHAT.search(one.text) and signature(one.text) != signature(text)
        for one in events
    )
