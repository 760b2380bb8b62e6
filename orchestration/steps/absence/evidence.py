"""What tells that a silence was wanted: objects that are gone or scaled to nothing, and events."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot

BEFORE = timedelta(hours=1)
"""A node is cordoned, a workload scaled down, some time before the last sample."""

SOON = timedelta(minutes=5)
"""What is seen so long after the last sample may have come first: snapshots come each minute."""

OBJECTS = """
SELECT cluster, time, kind, namespace, name,
       TRY_CAST(state->>'desired' AS INTEGER) AS desired,
       coalesce(change = 'removed' OR state->>'replicas' = '0' OR state->>'desired' = '0'
                OR (kind = 'Job' AND state->>'ended' IS NOT NULL), false) AS over
FROM objects
WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
  AND list_contains($clusters, cluster) AND list_contains($names, name)
  AND kind IN ('Node', 'Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob')
  AND (kind <> 'Node' OR change = 'removed')
"""

# `name` of an event is that of a ReplicaSet or pod where one of these brings the news.
EVENTS = """
SELECT cluster, time, kind, namespace, name, reason, coalesce(message, '') AS message
FROM events
WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
  AND list_contains($clusters, cluster) AND list_contains($reasons, reason)
  AND EXISTS (SELECT 1 FROM (SELECT unnest($names) AS own)
              WHERE name = own OR starts_with(name, own || '-'))
"""

ENDED_NODE = frozenset({"NodeRemoved", "RemovingNode", "DeletingNode"})
AWAY = frozenset({"NodeCordoned", "NodeNotSchedulable", "ScaleDown", "Drain", "Draining"})
FAILED = frozenset({"NodeNotReady", "NodeConditionChanged"})
ENDED = frozenset(
    {"DeploymentRemoved", "StatefulSetRemoved", "DaemonSetRemoved", "Completed", "SawCompletedJob"}
)
DOWN = {
    "Scaled": re.compile(r"→ 0$"),
    "ScalingReplicaSet": re.compile(r"^Scaled down .* to 0\b"),
    "SuccessfulDelete": re.compile(""),
}
UP = {"ScalingReplicaSet": re.compile("^Scaled up"), "SuccessfulCreate": re.compile("")}
"""A rollout, an eviction and a drained node take pods away, too, but make others: then it is not
wanted that none is there. Pods that are killed say nothing: for a failed probe, or for good?"""

_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
OWNED = re.compile(rf"(-{_SAFE}{{6,10}})?(-{_SAFE}{{5}}|-\d{{1,4}})?|-\d{{8,10}}(-{_SAFE}{{5}})?")
"""What Kubernetes puts behind a workload's name for its ReplicaSets, jobs and pods."""

REASONS = sorted(ENDED_NODE | AWAY | FAILED | ENDED | DOWN.keys() | UP.keys())


@dataclass(frozen=True, slots=True)
class Question:
    """A silence of a node or workload that may have been wanted.

    Attributes:
        cluster: where.
        namespace: of the workload.
        name: of the node or workload.
        node: it is a node.
        since: the time of its last sample, and
        known: when its silence became a finding.
        wanted: how many pods of a DaemonSet reported; fewer may be desired now.
    """

    cluster: str
    namespace: str | None
    name: str
    node: bool
    since: datetime
    known: datetime
    wanted: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the thing.

    Attributes:
        planned: it was wanted, as was known by the time that it would have been a finding.
        failed: somebody has said that it failed.
        over: when it was taken away later on; None = it was not.
    """

    planned: bool = False
    failed: bool = False
    over: datetime | None = None


def ask(snapshot: Snapshot, questions: Sequence[Question], until: datetime) -> list[Answer]:
    """What the lake knows up to a time, by two queries; in the order of the questions."""
    if not questions:
        return []
    between = TimeRange(min(one.since for one in questions) - BEFORE, until)
    params: dict[str, object] = {
        "first_day": between.start.date(),
        "last_day": between.end.date(),
        "start": between.start,
        "end": between.end,
        "clusters": sorted({one.cluster for one in questions}),
        "names": sorted({one.name for one in questions}),
    }
    objects = run(snapshot, OBJECTS, params, between).rows.to_pylist()
    events = run(snapshot, EVENTS, params | {"reasons": REASONS}, between).rows.to_pylist()
    return [_answer(one, objects, events) for one in questions]


def _answer(
    asked: Question, objects: Iterable[dict[str, Any]], events: Iterable[dict[str, Any]]
) -> Answer:
    own = [row for row in events if _about(asked, row)]
    failed = asked.node and any(_failed(row) for row in own if row["time"] >= asked.since - SOON)
    ends = sorted(_ends(asked, objects, own))
    ends = [at for at in ends if at >= asked.since - BEFORE]
    if not ends:
        return Answer(failed=failed)
    if ends[0] <= asked.known:
        return Answer(planned=True, failed=failed)
    return Answer(failed=failed, over=ends[0])


def _about(asked: Question, row: dict[str, Any]) -> bool:
    if row["cluster"] != asked.cluster:
        return False
    if asked.node:
        return bool(row["kind"] in {None, "Node"} and row["name"] == asked.name)
    name = str(row["name"] or "")
    of_it = name.startswith(asked.name) and OWNED.fullmatch(name[len(asked.name) :]) is not None
    return bool(of_it and row["kind"] != "Node" and row["namespace"] == asked.namespace)


def _failed(row: dict[str, Any]) -> bool:
    if row["reason"] == "NodeConditionChanged":
        return str(row["message"]).startswith("condition Ready: True")
    return bool(row["reason"] == "NodeNotReady")


def _ends(
    asked: Question, objects: Iterable[dict[str, Any]], events: Sequence[dict[str, Any]]
) -> Iterator[datetime]:
    for row in objects:
        if _same_object(asked, row):
            yield row["time"]
    for row in events:
        reason = row["reason"]
        if asked.node:
            if reason in ENDED_NODE or (reason in AWAY and row["time"] <= asked.since + SOON):
                yield row["time"]
        elif reason in ENDED or (asked.wanted is None and _down_for_good(asked, row, events)):
            yield row["time"]


def _same_object(asked: Question, row: dict[str, Any]) -> bool:
    if (row["cluster"], row["name"]) != (asked.cluster, asked.name):
        return False
    if asked.node or row["kind"] == "Node":
        return asked.node and row["kind"] == "Node"
    if row["namespace"] != asked.namespace:
        return False
    fewer = asked.wanted is not None and row["kind"] == "DaemonSet" and row["desired"] is not None
    return bool(row["over"] or (fewer and row["desired"] < asked.wanted))


def _down_for_good(asked: Question, row: dict[str, Any], events: Iterable[dict[str, Any]]) -> bool:
    if not _says(DOWN, row) or not asked.since - 2 * SOON <= row["time"] <= asked.known:
        return False
    return not any(
        _says(UP, other) and row["time"] - 2 * SOON <= other["time"] <= asked.known
        for other in events
    )


def _says(words: Mapping[str, re.Pattern[str]], row: dict[str, Any]) -> bool:
    pattern = words.get(row["reason"])
    return pattern is not None and pattern.search(row["message"]) is not None
