"""Which incident a group of anomalies is: a new one, one that is held, or several that met.

An id comes from the first anomaly, whose own id comes from what it is about and when it began; so
the same anomalies give the same incident, on whatever day they are grouped. An incident that is
held keeps its id as it grows. Where two of a cluster meet, the earlier takes the other in; where
one falls apart, the part that began first stays it. What goes on in several clusters is one
incident of all of them, and one of each, since who may see one cluster alone must not read of the
others.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import xxhash

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a group of anomalies is.

    Attributes:
        incident_id: its id.
        cluster: its cluster; `lake.schema.ALL_CLUSTERS` where it is of several.
        start: when its first anomaly began, as it was known when it was opened.
        held: its row in the lake; None = it is new.
        taken_in: rows of other incidents of the cluster that are part of it now.
    """

    incident_id: str
    cluster: str
    start: datetime
    held: Row | None
    taken_in: tuple[Row, ...]


class Registry:
    """The incidents that are held; each is claimed by one group at most.

    Args:
        held: their rows.
        present: the ids of all anomalies that there are now.
        gap: how far apart in time two may be and still be the same, scored again.
    """

    def __init__(self, held: Sequence[Row], present: Collection[str], gap: timedelta) -> None:
        self._held = held
        there = set(present)
        self._gone = [row for row in held if there.isdisjoint(row["anomaly_ids"])]
        self._gap = gap
        self._by_anomaly = by_anomaly(held)
        self._claimed: set[str] = set()

    def claim(self, cluster: str, members: Sequence[Row], patterns: Iterable[str]) -> Identity:
        """Who a group is; to be asked of groups in the order of their begin.

        Args:
            cluster: whose incident it is to be.
            members: its anomalies, by start.
            patterns: what it consists of, whenever it happens.
        """
        theirs = self._holding(cluster, members) or self._like(cluster, members, set(patterns))
        if theirs:
            first, *others = theirs
            self._claimed |= {row["incident_id"] for row in theirs}
            return Identity(first["incident_id"], cluster, first["start"], first, tuple(others))
        founder = members[0]
        incident_id = _id_of(cluster, founder["anomaly_id"])
        while incident_id in self._claimed:
            # What it fell apart from has this id, by an anomaly that is no longer in it.
            incident_id = _id_of(cluster, incident_id)
        self._claimed.add(incident_id)
        return Identity(incident_id, cluster, founder["start"], None, ())

    def unclaimed(self) -> list[Row]:
        """Those that no group is."""
        return [row for row in self._held if row["incident_id"] not in self._claimed]

    def _holding(self, cluster: str, members: Sequence[Row]) -> list[Row]:
        """Those that hold a member, by start."""
        found = {
            one["incident_id"]: one
            for row in members
            for one in self._by_anomaly.get(row["anomaly_id"], ())
            if one["cluster"] == cluster and one["incident_id"] not in self._claimed
        }
        return sorted(found.values(), key=lambda row: (row["start"], row["incident_id"]))

    def _like(self, cluster: str, members: Sequence[Row], patterns: set[str]) -> list[Row]:
        """The one that went on at the same time with the same: scored again, it began elsewhere."""
        start = min(row["start"] for row in members) - self._gap
        end = max(row["end"] for row in members) + self._gap
        return [
            row
            for row in self._gone
            if row["cluster"] == cluster
            and row["incident_id"] not in self._claimed
            and row["start"] <= end
            and row["end"] >= start
            and patterns & set(row["patterns"])
        ][:1]


def _id_of(cluster: str, name: str) -> str:
    return xxhash.xxh3_128_hexdigest(f"{cluster} {name}".encode())


def by_anomaly(incidents: Iterable[Row]) -> Mapping[str, list[Row]]:
    """By anomaly id, the incidents that hold it."""
    found: dict[str, list[Row]] = {}
    for row in incidents:
        for one in row["anomaly_ids"]:
            found.setdefault(one, []).append(row)
    return found
