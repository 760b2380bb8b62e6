"""Which incident a group of anomalies is: a new one, one that is held, or several that met.

An id comes from the first anomaly, whose own id comes from what it is about and when it began; so
the same anomalies give the same incident, on whatever day they are grouped. An incident that is
held keeps its id as it grows. Where two meet, the earlier takes the other in; where they are of
different clusters, a new one of all clusters takes in both, since who may see one cluster alone
must not read of the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import xxhash

from lake.schema import ALL_CLUSTERS

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a group of anomalies is.

    Attributes:
        incident_id: its id.
        cluster: its cluster; `ALL_CLUSTERS` where it is of several.
        start: when its first anomaly began, as it was known when it was opened.
        held: its row in the lake; None = it is new.
        taken_in: rows of other incidents that are part of it now.
    """

    incident_id: str
    cluster: str
    start: datetime
    held: Row | None
    taken_in: tuple[Row, ...]


def identify(members: Sequence[Row], held: Mapping[str, Sequence[Row]]) -> Identity:
    """Who a group is.

    Args:
        members: its anomalies, by start.
        held: by anomaly id, the incidents that hold it.
    """
    clusters = {row["cluster"] for row in members}
    cluster = clusters.pop() if len(clusters) == 1 else ALL_CLUSTERS
    theirs = {one["incident_id"]: one for row in members for one in held.get(row["anomaly_id"], ())}
    known = sorted(theirs.values(), key=lambda row: (row["start"], row["incident_id"]))
    same = [row for row in known if row["cluster"] == cluster]
    if same:
        first = same[0]
        others = tuple(row for row in known if row is not first)
        return Identity(first["incident_id"], cluster, first["start"], first, others)
    founder = members[0]
    text = f"{cluster} {founder['anomaly_id']}"
    incident_id = xxhash.xxh3_128_hexdigest(text.encode())
    return Identity(incident_id, cluster, founder["start"], None, tuple(known))


def by_anomaly(incidents: Iterable[Row]) -> dict[str, list[Row]]:
    """By anomaly id, the incidents that hold it."""
    found: dict[str, list[Row]] = {}
    for row in incidents:
        for one in row["anomaly_ids"]:
            found.setdefault(one, []).append(row)
    return found
