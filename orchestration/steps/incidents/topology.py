"""What stands next to what in the clusters at a time, by what the lake holds.

Pods lie on nodes and belong to workloads, by the labels of series and by the objects that were
seen; volumes belong to the pods of StatefulSets, by their names; callers and callees are known by a
mesh's metrics, and by the settings.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from lake.query import run
from lake.snapshot import Snapshot
from orchestration.incident_settings import Call
from orchestration.steps.incidents.entities import node, workload

Place = tuple[str, str]
"""A cluster and an entity in it."""

DAY = timedelta(days=1)

UNCALLED = (None, "unknown")
"""What a mesh calls a workload that it does not know."""

PODS = """
SELECT DISTINCT cluster, namespace, workload, pod, node FROM series
WHERE pod IS NOT NULL AND workload IS NOT NULL AND list_contains($clusters, cluster)
  AND first_seen <= $at AND last_seen >= $since
UNION
SELECT cluster, namespace, workload, name AS pod, arg_max(node, time) AS node FROM objects
WHERE kind = 'Pod' AND workload IS NOT NULL AND list_contains($clusters, cluster)
  AND date >= $first_day AND date <= $last_day AND time <= $at
GROUP BY ALL HAVING arg_max(change, time) <> 'deleted'
ORDER BY ALL
"""

LABELLED = """
SELECT DISTINCT cluster, namespace, labels['persistentvolumeclaim'] AS claim,
       labels['source_workload_namespace'] AS source_namespace,
       labels['source_workload'] AS source,
       labels['destination_workload_namespace'] AS target_namespace,
       labels['destination_workload'] AS target
FROM series
WHERE list_contains($clusters, cluster) AND last_seen >= $since
  AND (claim IS NOT NULL OR (source <> 'unknown' AND target <> 'unknown'))
ORDER BY ALL
"""
"""Claims and calls at once: labels are most of what a series takes to read."""

ENGINES = """
SELECT DISTINCT cluster, namespace, workload FROM series
WHERE list_contains($clusters, cluster) AND last_seen >= $since AND workload IS NOT NULL
  AND (starts_with(metric, 'opa_') OR starts_with(metric, 'gatekeeper_'))
ORDER BY ALL
"""

TARGETS = """
SELECT DISTINCT cluster, instance, node FROM series
WHERE list_contains($clusters, cluster) AND last_seen >= $since AND metric = 'up'
  AND instance IS NOT NULL AND node IS NOT NULL
ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Topology:
    """Who stands next to whom.

    Attributes:
        nodes_of: the nodes on which a workload's pods are.
        on_node: the workloads that have pods on a node (an entity of its own).
        callers: who calls a workload; whom a policy engine judges.
        callees: whom it calls.
        claims: by cluster, namespace and claim, the workload whose volume it is.
        targets_on: by cluster and node, the instances that are scraped on it.
        engines: by cluster, the workloads that enforce policies.
    """

    nodes_of: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    on_node: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    callers: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    callees: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    claims: dict[tuple[str, str | None, str], str] = field(default_factory=dict)
    targets_on: dict[Place, list[str]] = field(default_factory=lambda: defaultdict(list))
    engines: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add_call(self, cluster: str, source: str, target: str) -> None:
        """Note that one calls another."""
        if source != target:
            self.callees[cluster, source].add(target)
            self.callers[cluster, target].add(source)

    def copy(self) -> "Topology":
        """Another one, to which calls may be added: all else is the same."""
        callers, callees = (
            defaultdict(set, {place: set(names) for place, names in of.items()})
            for of in (self.callers, self.callees)
        )
        return replace(self, callers=callers, callees=callees)

    def around(self, place: Place) -> set[str]:
        """What is next to an entity, and what shares a node with it if it is one."""
        return set().union(
            *(of.get(place, ()) for of in (self.nodes_of, self.on_node, self.callers, self.callees))
        )


ReadTopology = Callable[[Snapshot, Collection[str], datetime, Sequence[Call]], Topology]
"""What gives the topology of some clusters at a time, with these calls; see `topology`."""


def topology(
    snapshot: Snapshot, clusters: Collection[str], at: datetime, calls: Sequence[Call] = ()
) -> Topology:
    """What stood next to what at a time.

    Args:
        snapshot: what is known.
        clusters: of these.
        at: the time; `last_seen` of series is exact to the day, objects to the moment.
        calls: who calls whom, beside what a mesh tells.
    """
    names = sorted(set(clusters))
    since = at - DAY
    params = {"clusters": names, "since": since}
    dated = {"at": at, "first_day": since.date(), "last_day": at.date()}
    known = Topology()
    owners: dict[tuple[str, str | None, str], str] = {}
    for row in run(snapshot, PODS, params | dated).rows.to_pylist():
        cluster, entity = row["cluster"], workload(row["namespace"], row["workload"])
        owners[cluster, row["namespace"], row["pod"]] = entity
        if row["node"]:
            known.nodes_of[cluster, entity].add(node(row["node"]))
            known.on_node[cluster, node(row["node"])].add(entity)
    for row in run(snapshot, LABELLED, params).rows.to_pylist():
        _add_labelled(known, owners, row)
    for call in calls:
        for cluster in names if call.cluster is None else [call.cluster]:
            known.add_call(cluster, call.source, call.target)
    for row in run(snapshot, ENGINES, params).rows.to_pylist():
        known.engines[row["cluster"]].add(workload(row["namespace"], row["workload"]))
    for row in run(snapshot, TARGETS, params).rows.to_pylist():
        known.targets_on[row["cluster"], row["node"]].append(row["instance"])
    return known


def _add_labelled(
    known: Topology, owners: dict[tuple[str, str | None, str], str], row: dict[str, Any]
) -> None:
    cluster, claim = row["cluster"], row["claim"]
    if claim is not None:
        owner = _owner(owners, cluster, row["namespace"], claim)
        if owner is not None:
            known.claims[cluster, row["namespace"], claim] = owner
    if row["source"] not in UNCALLED and row["target"] not in UNCALLED:
        source = workload(row["source_namespace"], row["source"])
        known.add_call(cluster, source, workload(row["target_namespace"], row["target"]))


def _owner(
    owners: dict[tuple[str, str | None, str], str], cluster: str, namespace: str | None, claim: str
) -> str | None:
    """Whose a claim is: a StatefulSet names them <template>-<pod>."""
    parts = claim.split("-")
    candidates = ("-".join(parts[cut:]) for cut in range(1, len(parts)))
    return next(
        (owners[key] for pod in candidates if (key := (cluster, namespace, pod)) in owners), None
    )
