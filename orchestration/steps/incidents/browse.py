"""Reading incidents: a listing, one with all there is to it, and what people said of one."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from detectors.incidents import SEVERITIES
from lake import Lake, TimeRange
from lake.query import run
from lake.schema import INCIDENTS as INCIDENTS_TABLE
from lake.snapshot import Snapshot
from orchestration.errors import FilterError, NotFoundError
from orchestration.steps import paging
from orchestration.steps.anomaly_rows import LONGEST_INTERVAL
from orchestration.steps.feedback_events import feedback_event
from orchestration.steps.incidents.describe import HEARD
from orchestration.steps.kept_feedback import KeptFeedback, ReadSaid

Row = dict[str, Any]
Verdict = Literal["confirmed", "false"]

SEVERITY_RANK = f"list_position({list(SEVERITIES)}, severity)"
JSON_COLUMNS = ("causes", "impact")
LONGEST_NOTE = 4_000

INCIDENTS = f"""
SELECT * EXCLUDE (date) FROM incidents
WHERE date >= $first_day AND date <= $last_day AND start < $end AND ("end" > $start)
  AND ($clusters IS NULL OR list_has_any($clusters, clusters))
  AND CASE WHEN $visible IS NULL THEN merged_into IS NULL OR state = 'merged'
           ELSE list_contains($visible, cluster) END
  AND ($states IS NULL OR list_contains($states, state))
  AND ($least IS NULL OR {SEVERITY_RANK} <= $least)
  AND ($after_time IS NULL OR (start, incident_id) < ($after_time, $after_id))
ORDER BY start DESC, incident_id DESC LIMIT $rows
"""  # noqa: S608 - a constant of ours

ONE = """
SELECT * EXCLUDE (date) FROM incidents
WHERE date >= $first_day AND date <= $last_day AND starts_with(incident_id, $id)
  AND ($visible IS NULL OR list_contains($visible, cluster))
LIMIT 2
"""

MEMBERS = """
SELECT * EXCLUDE (date) FROM anomalies
WHERE date >= $first_day AND date <= $last_day AND list_contains($ids, anomaly_id)
ORDER BY start, anomaly_id
"""

EVER = datetime(9999, 1, 1, tzinfo=UTC)

SAID = ("time", "verdict", "cause", "by", "note")
"""What is told of what was said."""

LEAST_ID = 8
"""Characters of an id that name it, as many as a listing shows. Hardly two begin with them: that no
other day has a second is not looked at, which would read the whole table."""

FIRST_DAYS, MORE_DAYS = 4, 4
"""Days of the table that are looked at first, and how many times as many next: an id does not say
when it was, and most that is asked for is of late."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listing is narrowed to; empty or None = everything.

    Attributes:
        between: incidents that overlap it.
        clusters: that are in any of these.
        states: open, resolved, merged, withdrawn.
        severity: this one or worse.
        visible: the clusters that the reader may see, None = all.
    """

    between: TimeRange
    clusters: Sequence[str] = ()
    states: Sequence[str] = ("open", "resolved")
    severity: str | None = None
    visible: Collection[str] | None = None


def incidents(
    lake: Lake, wanted: Wanted, limit: int = 100, cursor: str | None = None
) -> paging.Page:
    """Incidents that overlap the range, latest start first.

    Raises:
        FilterError: the cursor is not from this listing, or the limit is out of range.
    """
    reach = TimeRange(wanted.between.start - LONGEST_INTERVAL, wanted.between.end)
    params = {
        "first_day": reach.start.date(),
        "last_day": reach.end.date(),
        "start": wanted.between.start,
        "end": wanted.between.end,
        "clusters": sorted(wanted.clusters) or None,
        "visible": None if wanted.visible is None else sorted(wanted.visible),
        "states": sorted(wanted.states) or None,
        "least": None if wanted.severity is None else SEVERITIES.index(wanted.severity) + 1,
        **paging.after(cursor),
        "rows": paging.size(limit) + 1,
    }
    page = paging.page(lake, INCIDENTS, params, reach, limit, ("start", "incident_id"))
    return paging.Page([_parsed(row) for row in page.rows], page.next_cursor, page.versions)


def incident(
    lake: Lake,
    incident_id: str,
    visible: Collection[str] | None = None,
    said: ReadSaid | None = None,
) -> Row:
    """One incident by its id or the beginning of it, with anomalies, timeline and what was said.

    The newest days that have one that begins so are all that is read.

    Args:
        lake: holds them.
        incident_id: eight characters at least.
        visible: the clusters that the reader may see, None = all.
        said: gives what people said, None = it is looked for in all events since.

    Raises:
        NotFoundError: there is none, several begin so, the reader may not see its cluster, or what
            is given has fewer than `LEAST_ID` characters.
    """
    if len(incident_id) < LEAST_ID:
        raise NotFoundError(
            f"{incident_id!r} is too short for an incident's id: "
            f"at least its first {LEAST_ID} characters are needed, as lists show them"
        )
    found = _named(lake, incident_id, visible)
    if len(found) != 1:
        several = "several incidents begin" if found else "no incident begins"
        raise NotFoundError(f"{several} with the id {incident_id!r}: list them for whole ids")
    row = _parsed(found[0])
    reach = TimeRange(row["start"] - LONGEST_INTERVAL, row["end"] + timedelta(days=1))
    days = {"first_day": reach.start.date(), "last_day": reach.end.date()}
    params = {**days, "ids": list(row["anomaly_ids"])}
    anomalies = paging.rows(lake.sql(MEMBERS, params, between=reach))
    feedback = _said(lake.snapshot(), row, said or KeptFeedback().said)
    return row | {
        "anomalies": anomalies,
        "timeline": timeline(row, anomalies, feedback),
        "feedback": feedback,
    }


def timeline(row: Row, anomalies: Sequence[Row], feedback: Sequence[Row]) -> list[Row]:
    """What happened when: what the causes' evidence tells of, anomalies, what was said."""
    found = [
        {
            "time": datetime.fromisoformat(one["onset"]),
            "what": one["reason"],
            "about": cause["entity"],
        }
        for cause in row["causes"]
        for one in cause["evidence"]
        if one["onset"] and one["kind"] in ("changes", "events")
    ]
    for one in anomalies:
        about = (
            one["workload"] or one["service"] or one["node"] or one["instance"] or one["cluster"]
        )
        what = one["metric"] or one["detector"]
        direction = one["direction"] or ""
        found.append({"time": one["start"], "what": f"{what} {direction}".strip(), "about": about})
    found += [
        {"time": one["time"], "what": f"called {one['verdict']}", "about": one["by"] or ""}
        for one in feedback
    ]
    if row["state"] != "open":
        found.append({"time": row["end"], "what": row["state"], "about": ""})
    return sorted(found, key=lambda one: one["time"])


def give_feedback(
    lake: Lake,
    incident_id: str,
    verdict: Verdict,
    now: datetime,
    *,
    cause: str | None = None,
    note: str | None = None,
    by: str | None = None,
    visible: Collection[str] | None = None,
    said: ReadSaid | None = None,
) -> Row:
    """Keep what somebody says of an incident, as an event of source `feedback`.

    Args:
        lake: where it goes.
        incident_id: of which.
        verdict: whether it was one.
        now: the time.
        cause: what caused it, if that is known.
        note: anything.
        by: who says it.
        visible: the clusters that the reader may see, None = all.
        said: as of `incident`.

    Raises:
        NotFoundError: as `incident`.
        FilterError: the note is too long.
    """
    if len(note or "") > LONGEST_NOTE:
        raise FilterError(f"note has {len(note or '')} characters, at most {LONGEST_NOTE} are kept")
    row = incident(lake, incident_id, visible, said)
    event = feedback_event(
        row["cluster"],
        "Incident",
        row["incident_id"],
        now,
        verdict,
        note,
        {"cause": cause, "by": by},
    )
    lake.events.append(event)
    return incident(lake, row["incident_id"], visible, said)


def _named(lake: Lake, incident_id: str, visible: Collection[str] | None) -> list[Row]:
    """Those that begin so in the newest days that have any; two are as good as more."""
    snapshot = lake.snapshot()
    files = snapshot.tables[INCIDENTS_TABLE.name].files
    days = sorted({file.day for file in files if file.day is not None}, reverse=True)
    params: dict[str, object] = {
        "id": incident_id,
        "visible": None if visible is None else sorted(visible),
    }
    found: list[Row] = []
    at_once = FIRST_DAYS
    while days and not found:
        own, days = days[:at_once], days[at_once:]
        at_once *= MORE_DAYS
        reach = TimeRange(TimeRange.of_day(own[-1]).start, TimeRange.of_day(own[0]).end)
        dated = {"first_day": own[-1], "last_day": own[0]}
        found += paging.rows(run(snapshot, ONE, params | dated, reach).rows)
    return found


def _said(snapshot: Snapshot, row: Row, read: ReadSaid) -> list[Row]:
    """What was said of an incident, whenever since it began."""
    about = row["cluster"], row["incident_id"]
    since = TimeRange(TimeRange.of_day(row["start"].date()).start, EVER)
    return [
        {name: one[name] for name in SAID}
        for one in read(snapshot, since)
        if (one["cluster"], one["name"]) == about
    ]


def _parsed(row: Row) -> Row:
    parsed = row | {name: json.loads(row[name]) for name in JSON_COLUMNS}
    # Of use to nobody but who ranks again.
    parsed["impact"].pop(HEARD, None)
    return parsed
