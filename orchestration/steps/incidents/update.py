"""Brings the table `incidents` up to date with the anomalies of a range.

The same for the minute tick, a day that was scored again, and the demo: anomalies of the range and
those of incidents that reach into it are grouped anew; what has changed is written.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from detectors.incidents import Near, group
from lake import Lake, TimeRange
from lake.schema import ALL_CLUSTERS, INCIDENTS
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.incidents import lake_events, members
from orchestration.steps.incidents.describe import HEARD, PENDING, SAME_PEAK, Describer
from orchestration.steps.incidents.heard import HeardOfAll
from orchestration.steps.incidents.identity import Identity, Registry
from orchestration.steps.incidents.json_numbers import finite
from orchestration.steps.incidents.mentions import About, mentions
from orchestration.steps.incidents.reads import Reads

Row = dict[str, Any]

OPEN, RESOLVED, MERGED, WITHDRAWN = "open", "resolved", "merged", "withdrawn"

LOOKS = 5
"""At how far a range reaches: what is held may go on beyond it, where others are, and so on."""


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did.

    Attributes:
        incidents: that there are in the range now, without those that are part of another.
        written: rows.
        open: of the incidents.
        seen: version of `anomalies` that it knows of: its own links are no news, but what others
            wrote meanwhile is.
        due: when the first of these is to be looked at again, though nothing happens.
        pending: whether some wait for their causes.
        hears_until: how long events that come late may change what causes an open one has.
    """

    incidents: int
    written: int
    open: int
    seen: int
    due: datetime | None = None
    pending: bool = False
    hears_until: datetime | None = None


def update(
    lake: Lake,
    detection: DetectionSettings,
    settings: IncidentSettings,
    between: TimeRange,
    now: datetime,
    most_ranked: int | None = None,
    stopping: Callable[[], bool] = lambda: False,
    reads: Reads | None = None,
) -> Updated:
    """Group the anomalies of a range; doing it again changes nothing.

    Args:
        lake: where anomalies are and incidents go.
        detection: how metrics are read.
        settings: what belongs together.
        between: of these anomalies, and those of incidents that reach into the range.
        now: the time: an incident that has been quiet for `settings.gap` is resolved.
        most_ranked: so many incidents get causes at once, the others next time; None = all.
        stopping: whether no more are to get them, asked before each.
        reads: how the rest is read, None = anew.
    """
    snapshot = lake.snapshot()
    seen = snapshot.versions["anomalies"]
    since, until = between.start - settings.gap, between.end
    held: list[Row] = []
    for _ in range(LOOKS):
        held = members.held_incidents(snapshot, since, until)
        last = max((row["end"] for row in held), default=until)
        if last <= until:
            break
        until = last
    rows = members.anomalies(snapshot, since, until, held)
    if not rows and not held:
        return Updated(0, 0, 0, seen)
    step = _Step(snapshot, detection, settings, rows, now, most_ranked, stopping, reads or Reads())
    changed = step.incidents(held)
    if changed:
        lake.incidents.append(table(changed))
    kept = {row["incident_id"]: row for row in held}
    kept |= {row["incident_id"]: row for row in changed}
    live = [row for row in kept.values() if row["state"] in (OPEN, RESOLVED)]
    linked = link(lake, live)
    if linked == seen + 1:
        seen = linked
    whole = [row for row in live if row["merged_into"] is None]
    ends = [row["end"] for row in whole if row["state"] == OPEN]
    starts = [row["start"] for row in whole if row["state"] == OPEN]
    due = now if step.pending else min(ends, default=now) + settings.gap
    return Updated(
        len(whole),
        len(changed),
        len(ends),
        seen,
        due if ends or step.pending else None,
        step.pending,
        max(starts) + settings.changes if starts else None,
    )


class _Step:
    """One update: what is known of its anomalies."""

    def __init__(
        self,
        snapshot: Snapshot,
        detection: DetectionSettings,
        settings: IncidentSettings,
        rows: Sequence[Row],
        now: datetime,
        most_ranked: int | None,
        stopping: Callable[[], bool],
        reads: Reads,
    ) -> None:
        self._stopping = stopping
        self._settings = settings
        self._rows = rows
        self._now = now
        clusters = {row["cluster"] for row in rows}
        first = min((row["start"] for row in rows), default=now)
        last = max((row["end"] for row in rows), default=now)
        known = reads.topology(snapshot, clusters, last, settings.calls)
        spread = TimeRange(first - settings.gap, last + settings.gap)
        denied = lake_events.refused(snapshot, known, clusters, spread)
        for cluster, entity in sorted(denied):
            for engine in known.engines[cluster]:
                # An admission webhook is called for whatever is to be created.
                known.add_call(cluster, entity, engine)
        labels = members.labels_of(snapshot, rows)
        self._about = About(known, labels, denied, settings.onset)
        said = members.said_of(snapshot, TimeRange(now - settings.remember, now), reads.said)
        self._write = Describer(snapshot, detection, settings, known, self._about, said, now)
        self._is_limited = most_ranked is not None
        # An incident of several clusters is more than its rows.
        self._left = sys.maxsize if most_ranked is None else most_ranked
        self.pending = False
        """Whether some incidents wait for their causes."""

    def incidents(self, held: Sequence[Row]) -> list[Row]:
        """Rows of incidents that are new or have changed."""
        registry = Registry(held, [row["anomaly_id"] for row in self._rows], self._settings.gap)
        claimed: list[tuple[Identity, list[Row], str | None]] = []
        for own in self._groups():
            clusters = sorted({row["cluster"] for row in own})
            parent = None
            if len(clusters) > 1:
                parent = registry.claim(ALL_CLUSTERS, own, self._write.patterns(own))
                claimed.append((parent, own, None))
            for cluster in clusters:
                part = [row for row in own if row["cluster"] == cluster]
                who = registry.claim(cluster, part, self._write.patterns(part))
                claimed.append((who, part, None if parent is None else parent.incident_id))
        written: list[Row] = []
        if self._is_limited:
            # The worst first: there may be more than can be ranked at once.
            claimed.sort(key=lambda one: -max(row["score"] for row in one[1]))
        else:
            # What is one of before again is to find that.
            claimed.sort(key=lambda one: one[0].start)
        events = self._write.listen(own for who, own, _ in claimed if self._listens(who.held))
        for who, own, into in claimed:
            row = self._row(who, own, into, events)
            if row is not None:
                written.append(row)
            written += [self._closed(other, MERGED, who.incident_id) for other in who.taken_in]
        # Scored again, their anomalies are none any more.
        return written + [self._closed(row, WITHDRAWN, None) for row in registry.unclaimed()]

    def _groups(self) -> list[list[Row]]:
        """Anomalies that belong together, by the begin of the first."""
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
        known = {"state": state, "merged_into": into, "updated_at": self._now}
        return row | known | {"revision": row["revision"] + 1}

    def _row(
        self, who: Identity, own: Sequence[Row], into: str | None, events: HeardOfAll
    ) -> Row | None:
        """The incident's row; None where the held one says the same."""
        end = max(row["end"] for row in own)
        goes_on = any(row["state"] == "interim" for row in own)
        state = OPEN if goes_on or end + self._settings.gap > self._now else RESOLVED
        fresh = self._left > 0 and not self._stopping()
        if who.held is not None and self._is_told(who.held, own, end, state, into):
            waits = who.held["abstained"] == PENDING
            if not waits and not self._listens(who.held):
                return None
            if not fresh:
                # Whether there is news of it is looked at next time, too.
                self.pending = True
                return None
            known = json.loads(who.held["impact"]).get(HEARD)
            if not waits and known == self._write.heard(own, events):
                return None
        elif who.held is not None and not who.taken_in and self._stopping():
            # Told when it is started again: it must not lose the causes that it has.
            self.pending = True
            return None
        self._left -= 1
        self.pending |= not fresh
        return self._write.row(who, own, end, state, into, ranked=fresh)

    def _is_told(
        self, held: Row, own: Sequence[Row], end: datetime, state: str, into: str | None
    ) -> bool:
        """Whether a held row says what is known now, but for what nobody misses."""
        told = json.loads(held["impact"])["peak"]
        peak = finite(max(row["score"] for row in own))
        return (
            sorted(row["anomaly_id"] for row in own) == list(held["anomaly_ids"])
            and (state, into) == (held["state"], held["merged_into"])
            and abs(end - held["end"]) <= self._settings.onset
            and abs(peak - told) <= SAME_PEAK * max(peak, told)
        )

    def _listens(self, held: Row | None) -> bool:
        """Whether events that come late may change what causes it has."""
        return (
            held is not None
            and held["state"] == OPEN
            and self._now < held["start"] + self._settings.changes
            and json.loads(held["impact"]).get(HEARD) is not None
        )


def link(lake: Lake, incidents: Sequence[Row]) -> int | None:
    """Have anomalies name their cluster's incident, as they are in the lake by now.

    Gives the version of `anomalies` that holds what was written, None = nothing was.
    """
    of = {
        one: row["incident_id"]
        for row in incidents
        if row["cluster"] != ALL_CLUSTERS
        for one in row["anomaly_ids"]
    }
    if not of:
        return None
    snapshot = lake.snapshot()
    last = max(row["end"] for row in incidents)
    # Read again: while causes were ranked, a day may have been scored again.
    rows = members.anomalies(snapshot, last, last, incidents)
    due = [
        {
            **row,
            "incident_id": of[row["anomaly_id"]],
            # Of equally new versions of a row, the one that names an incident counts, and what a
            # tick writes meanwhile must count for more; one that named another is made older.
            "lake_version": row["lake_version"] + (row["incident_id"] is not None),
        }
        for row in rows
        if row["anomaly_id"] in of and row["incident_id"] != of[row["anomaly_id"]]
    ]
    return lake.anomalies.append(anomaly_rows.table(due)) if due else None


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of the lake's schema."""
    return pa.table(
        {
            field.name: pa.array([row[field.name] for row in rows], field.type)
            for field in INCIDENTS.schema
        },
        schema=INCIDENTS.schema,
    )
