"""Events of entities from the lake: what was changed before, what was complained of after."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ingest.entities import pod_owner
from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND
from orchestration.steps.causes.evidence import Evidence
from orchestration.steps.incidents.entities import node, target, workload
from orchestration.steps.incidents.topology import Place, Topology

LATE = timedelta(minutes=2)
"""A change that is found this much after an anomaly's begin may have brought it about: a column is
a minute, and the first of an interval may have begun before it."""

HALF_LIFE = timedelta(minutes=20)
"""A change that is so much older is half as likely to be it."""

STRONGEST = 20.0
"""Size of a change at the very moment."""

VAGUE = 0.7
"""Of that, a change that does not say to what: one pod more or less."""

JUST_BEFORE = timedelta(minutes=10)
"""Warnings from so long before the begin count as its own."""

WARNED = 5.0
"""Size of one warning where there was none before."""

MOST_EVENTS = 50_000
"""That are read at once: of more, the newest, since what comes late is to be found."""

CHANGED = re.compile(
    r"(?i)^(scal|rollout|rolledback|deployment|successfulrescale|nodenotready|cordon|drain|preempt"
    r"|evict|spot|reclaim|bundleactivated|imagechanged|.*(changed|applied|updated|deployed)$)"
)
"""Reasons of events that tell of something done, whoever tells it."""

SAYS_WHAT = re.compile(r"(?i)image|revision|version|\bset to\b|flag|migration|created|config")

CHANGE_SOURCE = "change"

ROLLOUT = "ScalingReplicaSet"
IMAGE = re.compile(r"\bimage (?:\S*/)?([^\s/,)]+)")

SIGNATURE = re.compile(r"\bimage (\S+?)[,)]|\brevision (\w*\d\w*)\b")
"""In a change's text, what is the same where the same change is made in another cluster."""

REFUSED = "%admission webhook%denied%"

OWNED_KINDS = frozenset({"ReplicaSet", "Job"})
CLAIM = "PersistentVolumeClaim"
POLICY_SOURCE = "opa"

EVENTS = """
SELECT * FROM (
SELECT cluster, time, source, type, reason, kind, namespace, name, message, count,
       attributes['workload'] AS workload, attributes['host'] AS host
FROM events
WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
  AND list_contains($clusters, cluster) AND source <> 'log' AND source <> 'feedback'
  AND (($warnings AND type = 'Warning') OR source = 'change'
       OR regexp_matches(coalesce(reason, ''), $changed))
ORDER BY time DESC, cluster, name, reason LIMIT $most
) ORDER BY time, cluster, name, reason
"""

DENIALS = """
SELECT DISTINCT cluster, kind, namespace, name, NULL AS workload, NULL AS host, source,
       time_bucket(INTERVAL 1 MINUTE, time) AS time
FROM events
WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
  AND list_contains($clusters, cluster) AND message LIKE $refused
ORDER BY ALL
"""


class Happened(NamedTuple):
    """An event of an entity.

    Attributes:
        place: the entity.
        time: when.
        change: whether something was done.
        what: source and reason.
        text: in a sentence.
        times: how often it was told.
    """

    place: Place
    time: datetime
    change: bool
    what: str
    text: str
    times: int


def happened(
    snapshot: Snapshot,
    known: Topology,
    places: Collection[Place],
    between: TimeRange,
    *,
    warnings: bool = True,
) -> tuple[list[Happened], datetime]:
    """Changes of entities, and warnings about them, in order of time, and since when they are all.

    That is the begin of the range, or later where there are more than `MOST_EVENTS`.

    Args:
        snapshot: what is known.
        known: what stands next to what.
        places: the entities.
        between: of this time.
        warnings: whether warnings are read, too.
    """
    params = {
        **_dated(between, {cluster for cluster, _ in places}),
        "changed": CHANGED.pattern,
        "warnings": warnings,
        "most": MOST_EVENTS,
    }
    wanted = frozenset(places)
    found = []
    rows = run(snapshot, EVENTS, params, between).rows.to_pylist()
    for row in rows:
        change = row["source"] == CHANGE_SOURCE or bool(CHANGED.match(row["reason"] or ""))
        what = f"{row['source']} {row['reason'] or row['type'] or ''}".strip()
        text = _told(row)
        for entity in entities_of(row, known):
            place = (row["cluster"], entity)
            if place in wanted:
                found.append(Happened(place, row["time"], change, what, text, row["count"]))
    # Of those at the time of the oldest, some may be missing.
    is_cut = len(rows) == MOST_EVENTS
    return found, rows[0]["time"] + MICROSECOND if is_cut else between.start


def _told(row: dict[str, Any]) -> str:
    """What an event tells, the image first where a rollout names one."""
    text = row["message"] or f"{row['reason']} {row['kind']} {row['name']}"
    image = IMAGE.search(text) if row["reason"] == ROLLOUT else None
    return f"rollout of {image[1]} ({text})" if image else str(text)


def refused(
    snapshot: Snapshot, known: Topology, clusters: Iterable[str], between: TimeRange
) -> dict[Place, list[datetime]]:
    """When an admission policy has refused an entity something, to the minute."""
    params = {**_dated(between, set(clusters)), "refused": REFUSED}
    found: dict[Place, list[datetime]] = defaultdict(list)
    for row in run(snapshot, DENIALS, params, between).rows.to_pylist():
        for entity in entities_of(row, known):
            found[row["cluster"], entity].append(row["time"])
    return found


def _dated(between: TimeRange, clusters: set[str]) -> dict[str, object]:
    return {
        "first_day": between.start.date(),
        "last_day": between.end.date(),
        "start": between.start,
        "end": between.end,
        "clusters": sorted(clusters),
    }


def entities_of(row: dict[str, Any], known: Topology) -> list[str]:
    """What an event is about; a pod's also of the target that is scraped in it, if there is one."""
    kind, namespace, name = row["kind"], row["namespace"], row["name"] or ""
    if row["workload"]:
        return [workload(namespace, row["workload"])]
    if kind == "Node":
        return [node(name)]
    if kind == CLAIM:
        owner = known.claims.get((row["cluster"], namespace, name))
        return [owner or f"volume {namespace}/{name}"]
    if row["source"] == POLICY_SOURCE:
        # A bundle is no workload: who enforces it is.
        return [workload(namespace, POLICY_SOURCE)]
    owner_name = pod_owner(name, row["host"]) if kind == "Pod" else None
    if kind in OWNED_KINDS:
        owner_name = pod_owner(f"{name}-x2v9k")
    found = [workload(namespace, owner_name or name)]
    if kind == "Pod" and row["host"]:
        found += [
            target(owner_name or name, instance)
            for instance in known.targets_on.get((row["cluster"], row["host"]), ())
        ]
    return found


def of_changes(
    events: Iterable[Happened], onsets: dict[Place, datetime], at: datetime
) -> list[tuple[Place, Evidence]]:
    """Evidence of what was changed before an entity was off, or else before the incident."""
    found = []
    for one in events:
        since = min(onsets.get(one.place, at), at)
        if not one.change or one.time > max(since, at) + LATE:
            continue
        ago = max(since - one.time, timedelta(0))
        size = STRONGEST * 0.5 ** (ago / HALF_LIFE)
        if not SAYS_WHAT.search(one.text):
            size *= VAGUE
        reason = f"{one.text}, {said_ago(since - one.time)}"
        found.append((one.place, Evidence(one.place[1], size, one.what, reason, one.time)))
    return found


def signature(text: str) -> str:
    """What the same change has in another cluster, too.

    >>> signature("rollout of cart:2 (Scaled up cart-1 from 0 to 1 (revision 27, image r/cart:2))")
    'r/cart:2'
    >>> signature("concurrency of report-worker set to 16")
    'concurrency of report-worker set to 16'
    """
    found = [image or revision for image, revision in SIGNATURE.findall(text)]
    return found[-1] if found else text


def said_ago(ago: timedelta) -> str:
    """How long before, as people say it.

    >>> said_ago(timedelta(minutes=4)), said_ago(timedelta(seconds=-20))
    ('4 min before', 'at that moment')
    """
    minutes = ago / timedelta(minutes=1)
    return f"{minutes:.0f} min before" if minutes >= 1 else "at that moment"


def of_warnings(events: Iterable[Happened], at: datetime) -> list[tuple[Place, Evidence]]:
    """Evidence of warnings that there were hardly any of before."""
    before: dict[tuple[Place, str], int] = defaultdict(int)
    after: dict[tuple[Place, str], list[Happened]] = defaultdict(list)
    for one in events:
        if one.change:
            continue
        if one.time < at - JUST_BEFORE:
            before[one.place, one.what] += 1
        else:
            after[one.place, one.what].append(one)
    found = []
    for (place, what), own in after.items():
        size = WARNED * len(own) / (1 + before[place, what])
        times = f" ({len(own)} times)" if len(own) > 1 else ""
        reason = f"{own[0].text}{times}"
        evidence = Evidence(
            place[1],
            size,
            what,
            reason,
            own[0].time,
            actual=float(len(own)),
            expected=float(before[place, what]),
        )
        found.append((place, evidence))
    return found
