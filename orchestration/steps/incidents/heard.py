"""What was heard of an incident: events of its entities and of those next to them.

Events may come after causes were ranked: an exporter of rollouts runs now and then, a cluster was
out of reach. What was heard is kept in short, so that it can be told whether there is news.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import xxhash

from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.incident_settings import IncidentSettings
from orchestration.steps.incidents import lake_events
from orchestration.steps.incidents.lake_events import Happened
from orchestration.steps.incidents.topology import Place, Topology

Row = dict[str, Any]
Members = Sequence[tuple[Place, Row]]
"""An incident's anomalies, and what each is about."""

SHORTEST, LONGEST = timedelta(minutes=10), timedelta(minutes=30)
"""How long an incident is looked at: less is noise, and later comes the repair."""


def begin(members: Members) -> datetime:
    """When an incident began."""
    moment: datetime = min(row["start"] for _, row in members)
    return moment


def window(members: Members) -> timedelta:
    """How long after its begin it is looked at."""
    lasted: timedelta = max(row["end"] for _, row in members) - begin(members)
    return min(max(lasted, SHORTEST), LONGEST)


def in_question(known: Topology, members: Members) -> list[Place]:
    """Who is in it and who is next to that."""
    found = dict.fromkeys(place for place, _ in members)
    for place in list(found):
        for name in sorted(known.around(place)):
            found.setdefault((place[0], name))
    return list(found)


def heard(
    snapshot: Snapshot, settings: IncidentSettings, known: Topology, members: Members
) -> list[Happened]:
    """Changes of `settings.changes` before, and warnings, of all who are in question."""
    between = _reach(settings, members)
    events, _ = lake_events.happened(snapshot, known, in_question(known, members), between)
    return events


def _reach(settings: IncidentSettings, members: Members) -> TimeRange:
    at = begin(members)
    return TimeRange(at - settings.changes, at + window(members))


class HeardOfAll:
    """What was heard of each of some incidents: read for all at once, for the first that is asked.

    Args:
        snapshot: what is known.
        settings: how far back changes are looked for.
        known: what stands next to what.
        incidents: of these.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        settings: IncidentSettings,
        known: Topology,
        incidents: Sequence[Members],
    ) -> None:
        self._snapshot = snapshot
        self._settings = settings
        self._known = known
        self._incidents = incidents
        self._read: tuple[dict[Place, list[Happened]], datetime] | None = None

    def of(self, members: Members) -> list[Happened]:
        """The same as `heard`, in another order."""
        if self._read is None:
            self._read = self._read_all()
        events, since = self._read
        between = _reach(self._settings, members)
        if between.start < since:
            # There are too many to be read for all: one's own clusters and time have fewer.
            return heard(self._snapshot, self._settings, self._known, members)
        return [
            one
            for place in in_question(self._known, members)
            for one in events.get(place, ())
            if between.start <= one.time < between.end
        ]

    def _read_all(self) -> tuple[dict[Place, list[Happened]], datetime]:
        """Events by entity, and since when they are all."""
        places = {one for of in self._incidents for one in in_question(self._known, of)}
        reach = [_reach(self._settings, of) for of in self._incidents]
        between = TimeRange(min(one.start for one in reach), max(one.end for one in reach))
        found, since = lake_events.happened(self._snapshot, self._known, places, between)
        events: dict[Place, list[Happened]] = defaultdict(list)
        for one in found:
            events[one.place].append(one)
        return events, since


def in_short(events: Iterable[Happened]) -> str:
    """A text that is another one as soon as there is a further change or kind of warning.

    How often something is warned of is no news.
    """
    told = {
        (*one.place, one.what, one.time.isoformat() if one.change else "", one.change)
        for one in events
    }
    return xxhash.xxh3_64_hexdigest(repr(sorted(told)).encode())
