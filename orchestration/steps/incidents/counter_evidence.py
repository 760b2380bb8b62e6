"""What speaks against a cause: the same elsewhere does no harm, others were off before."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.causes.evidence import Evidence
from orchestration.steps.incidents.lake_events import signature
from orchestration.steps.incidents.topology import Place, Topology

Row = dict[str, Any]

ELSEWHERE = timedelta(days=1)
"""How far apart in time the same change in another cluster may be."""

CLEARLY = timedelta(minutes=3)

SAME_CHANGE = """
WITH same AS (
    SELECT cluster, min(time) AS time FROM events
    WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
      AND cluster <> $cluster AND source || ' ' || reason = $what AND contains(message, $text)
    GROUP BY cluster
)
SELECT same.cluster FROM same
WHERE NOT EXISTS (
    SELECT 1 FROM anomalies a
    WHERE a.date >= $first_day AND a.date <= $last_day AND a.cluster = same.cluster
      AND coalesce(a.workload, a.service) = $workload
      AND a."end" >= same.time AND a.start < same.time + INTERVAL 2 HOUR
)
ORDER BY 1
"""


def against(
    snapshot: Snapshot,
    known: Topology,
    place: Place,
    change: Evidence | None,
    onsets: Mapping[Place, datetime],
    members: Sequence[tuple[Place, Row]],
) -> list[str]:
    """Sentences; none where nothing speaks against it.

    Args:
        snapshot: what is known.
        known: what stands next to what.
        place: the cause.
        change: what was done to it, if something was.
        onsets: when each was off.
        members: the incident's anomalies, and what each is about.
    """
    found = []
    if change is not None and change.onset is not None:
        healthy = _healthy(snapshot, place, change, change.onset)
        if healthy:
            # Not in which: who may see this cluster alone must not read of others.
            many = "another cluster" if healthy == 1 else f"{healthy} other clusters"
            found.append(f"the same change does no harm in {many}")
    mine = onsets.get(place)
    earlier = sorted(
        (onset, name)
        for (cluster, name), onset in onsets.items()
        if mine is not None and cluster == place[0] and onset < mine - CLEARLY
    )
    if earlier:
        minutes = (mine - earlier[0][0]) / timedelta(minutes=1) if mine else 0.0
        found.append(f"{earlier[0][1]} was off {minutes:.0f} min before it")
    inside, near = {other for other, _ in members}, _near(known, place)
    apart = [
        name
        for cluster, name in sorted(inside)
        if (cluster, name) != place and (cluster != place[0] or name not in near)
    ]
    if len(apart) > len(inside) / 2:
        found.append(f"{len(apart)} of {len(inside)} neither call it nor share a node with it")
    return found


def _near(known: Topology, place: Place) -> set[str]:
    """Its neighbours, and who shares a node with it."""
    near = known.around(place)
    for name in list(near):
        near = near | known.on_node.get((place[0], name), set())
    return near


def _healthy(snapshot: Snapshot, place: Place, change: Evidence, at: datetime) -> int:
    between = TimeRange(at - ELSEWHERE, at + ELSEWHERE)
    params = {
        "first_day": between.start.date(),
        "last_day": between.end.date(),
        "start": between.start,
        "end": between.end,
        "cluster": place[0],
        "what": change.what,
        "text": signature(change.reason.rpartition(", ")[0]),
        "workload": place[1].split("/")[-1],
    }
    return int(run(snapshot, SAME_CHANGE, params, between).rows.num_rows)
