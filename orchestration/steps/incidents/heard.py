"""What was heard of an incident: events of its entities and of those next to them.

Events may come after causes were ranked: an exporter of rollouts runs now and then, a cluster was
out of reach. What was heard is kept in short, so that it can be told whether there is news.
"""

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
    at = begin(members)
    between = TimeRange(at - settings.changes, at + window(members))
    return lake_events.happened(snapshot, known, in_question(known, members), between)


def in_short(events: Iterable[Happened]) -> str:
    """A text that is another one as soon as there is a further change or kind of warning.

    How often something is warned of is no news.
    """
    told = {
        (*one.place, one.what, one.time.isoformat() if one.change else "", one.change)
        for one in events
    }
    return xxhash.xxh3_64_hexdigest(repr(sorted(told)).encode())
