"""Brings the table `incidents` up to date with the anomalies of a range.

The same for the minute tick, a day that was scored again, and the demo: anomalies of the range and
those of incidents that reach into it are grouped anew; what has changed is written.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from detectors.incidents import Near, group, severity
from lake import Lake, TimeRange
from lake.schema import INCIDENTS
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.incidents import lake_causes, lake_events, members, titles
from orchestration.steps.incidents.identity import Identity, by_anomaly, identify
from orchestration.steps.incidents.mentions import About, mentions
from orchestration.steps.incidents.topology import Place, Topology, topology

Row = dict[str, Any]

OPEN, RESOLVED, MERGED, WITHDRAWN = "open", "resolved", "merged", "withdrawn"

MOST_SYMPTOMS = 10
LOW = "low"


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did."""

    incidents: int
    written: int
    open: int


def update(
    lake: Lake,
    detection: DetectionSettings,
    settings: IncidentSettings,
    between: TimeRange,
    now: datetime,
) -> Updated:
    """Group the anomalies of a range; doing it again changes nothing.

    Args:
        lake: where anomalies are and incidents go.
        detection: how metrics are read.
        settings: what belongs together.
        between: of these anomalies, and those of incidents that reach into the range.
        now: the time: an incident that has been quiet for `settings.gap` is resolved.
    """
    snapshot = lake.snapshot()
    since = between.start - settings.gap
    held = members.held_incidents(snapshot, since, between.end)
    ids = {one for row in held for one in row["anomaly_ids"]}
    rows = members.anomalies(snapshot, since, between.end, ids)
    if not rows and not held:
        return Updated(0, 0, 0)
    step = _Step(snapshot, detection, settings, rows, now)
    changed = step.incidents(held)
    kept = {row["incident_id"]: row for row in held}
    kept |= {row["incident_id"]: row for row in changed}
    if changed:
        lake.incidents.append(table(changed))
    links = _links(rows, kept.values(), snapshot.versions["samples"])
    if links:
        lake.anomalies.append(anomaly_rows.table(links))
    states = [row["state"] for row in kept.values()]
    live = [state for state in states if state in (OPEN, RESOLVED)]
    return Updated(len(live), len(changed), states.count(OPEN))


class _Step:
    """One update: what is known of its anomalies."""

    def __init__(
        self,
        snapshot: Snapshot,
        detection: DetectionSettings,
        settings: IncidentSettings,
        rows: Sequence[Row],
        now: datetime,
    ) -> None:
        self._snapshot = snapshot
        self._detection = detection
        self._settings = settings
        self._rows = rows
        self._now = now
        self._labels = members.labels_of(snapshot, rows)
        clusters = {row["cluster"] for row in rows}
        first = min((row["start"] for row in rows), default=now)
        last = max((row["end"] for row in rows), default=now)
        # As it was when the first began: pods that came since are there by their series.
        self._known: Topology = topology(snapshot, clusters, last, settings.calls)
        spread = TimeRange(first - settings.gap, last + settings.gap)
        denied = lake_events.refused(snapshot, self._known, clusters, spread)
        for cluster, entity in sorted(denied):
            for engine in self._known.engines[cluster]:
                # An admission webhook is called for whatever is to be created.
                self._known.add_call(cluster, entity, engine)
        self._about = About(self._known, self._labels, denied)
        past = TimeRange(now - settings.remember, now)
        self._false = members.called_false(snapshot, past)

    def incidents(self, held: Sequence[Row]) -> list[Row]:
        """Rows of incidents that are new or have changed."""
        holders = by_anomaly(held)
        written: list[Row] = []
        found: set[str] = set()
        for own in self._groups():
            who = identify(own, holders)
            found.add(who.incident_id)
            found |= {row["incident_id"] for row in who.taken_in}
            row = self._row(who, own)
            if row is not None:
                written.append(row)
            written += [self._closed(row, MERGED, who.incident_id) for row in who.taken_in]
        # Scored again, their anomalies are none any more.
        gone = [row for row in held if row["incident_id"] not in found]
        return written + [self._closed(row, WITHDRAWN, None) for row in gone]

    def _groups(self) -> list[list[Row]]:
        rows, settings = self._rows, self._settings
        near = Near(*(one // MICROSECOND for one in (settings.gap, settings.onset, settings.same)))
        start, end = (
            np.array([to_micros(row[name]) for row in rows], np.int64) for name in ("start", "end")
        )
        labels = group(start, end, mentions(rows, self._about), near)
        groups: dict[int, list[Row]] = defaultdict(list)
        for row, label in zip(rows, labels.tolist(), strict=True):
            groups[label].append(row)
        return list(groups.values())

    def _closed(self, row: Row, state: str, into: str | None) -> Row:
        return {
            **row,
            "state": state,
            "merged_into": into,
            "lake_version": self._snapshot.versions["samples"],
            "updated_at": self._now,
        }

    def _row(self, who: Identity, own: Sequence[Row]) -> Row | None:
        """The incident's row; None where the held one says the same."""
        end = max(row["end"] for row in own)
        goes_on = any(row["state"] == "interim" for row in own)
        state = OPEN if goes_on or end + self._settings.gap > self._now else RESOLVED
        ids = sorted(row["anomaly_id"] for row in own)
        held = who.held
        if held is not None and ids == list(held["anomaly_ids"]) and state == held["state"]:
            grown = end - held["end"]
            peak = max(row["score"] for row in own)
            if grown <= self._settings.onset and peak <= json.loads(held["impact"])["peak"]:
                return None
        return self._described(who, own, ids, end, state)

    def _described(
        self, who: Identity, own: Sequence[Row], ids: list[str], end: datetime, state: str
    ) -> Row:
        about: list[tuple[Place, Row]] = [
            ((row["cluster"], self._about.entity(row)), row) for row in own
        ]
        ranking = lake_causes.rank(
            self._snapshot, self._detection, self._settings, self._known, about
        )
        first = ranking.causes[0] if ranking.causes and ranking.abstained is None else None
        words = [(place, row, self._about.word(row)) for place, row in about]
        clusters = sorted({row["cluster"] for row in own})
        entities = sorted({name for (_, name), _ in about})
        patterns = sorted({_pattern(place, row) for place, row in about})
        users_see = any(word in titles.USERS_SEE for _, _, word in words)
        peak = max(row["score"] for row in own)
        minutes = (end - who.start).total_seconds() / 60
        quieted = self._quieted(who.incident_id, frozenset(patterns))
        weight = severity(len(entities), len(clusters), peak, minutes, users_see)
        return {
            "cluster": who.cluster,
            "incident_id": who.incident_id,
            "clusters": clusters,
            "start": who.start,
            "end": end,
            "state": state,
            "merged_into": None,
            "severity": LOW if quieted else weight,
            "title": titles.title(
                words,
                None if first is None else (first["cluster"], first["entity"]),
                clusters,
                who.start,
                ranking.change if first is not None else None,
            ),
            "anomaly_ids": ids,
            "entities": entities,
            "patterns": patterns,
            "causes": json.dumps(ranking.causes),
            "abstained": ranking.abstained,
            "impact": json.dumps(_impact(words, peak)),
            "quieted": quieted,
            "lake_version": self._snapshot.versions["samples"],
            "updated_at": self._now,
        }

    def _quieted(self, incident_id: str, patterns: frozenset[str]) -> str | None:
        """Why it is quieter than it would be: its like was called false."""
        for other, theirs, when in self._false:
            if other != incident_id and patterns <= theirs:
                return f"like {other}, which was called false on {when:%Y-%m-%d}"
        return None


def _pattern(place: Place, row: Row) -> str:
    """What is the same when the same happens again."""
    return " ".join([*place, row["metric"] or row["detector"], row["direction"] or ""]).strip()


def _impact(words: Sequence[tuple[Place, Row, str]], peak: float) -> Row:
    """What it does, the worst first."""
    ordered = sorted(words, key=lambda one: (one[2] not in titles.USERS_SEE, -one[1]["score"]))
    shown = [
        {
            "cluster": place[0],
            "entity": place[1],
            "what": word,
            "metric": row["metric"],
            "score": row["score"],
            "actual": row["actual"],
            "expected": row["expected"],
            "start": row["start"].isoformat(),
        }
        for place, row, word in ordered[:MOST_SYMPTOMS]
    ]
    by_cluster = {
        cluster: len({name for (its, name), _, _ in words if its == cluster})
        for cluster in sorted({place[0] for place, _, _ in words})
    }
    return {"peak": peak, "anomalies": len(words), "entities": by_cluster, "symptoms": shown}


def _links(rows: Sequence[Row], incidents: Any, lake_version: int) -> list[Row]:
    """Rows of anomalies whose incident is not the one they name."""
    of = {
        one: row["incident_id"]
        for row in incidents
        if row["state"] in (OPEN, RESOLVED)
        for one in row["anomaly_ids"]
    }
    return [
        {
            **row,
            "incident_id": of[row["anomaly_id"]],
            # The newest version of a row counts.
            "lake_version": max(lake_version, row["lake_version"]),
        }
        for row in rows
        if row["anomaly_id"] in of and row["incident_id"] != of[row["anomaly_id"]]
    ]


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of the lake's schema."""
    return pa.table(
        {
            field.name: pa.array([row[field.name] for row in rows], field.type)
            for field in INCIDENTS.schema
        },
        schema=INCIDENTS.schema,
    )
