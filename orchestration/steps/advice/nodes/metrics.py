"""What kube-state-metrics tells of nodes, pods, volumes and disruption budgets, at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lake.snapshot import Snapshot
from orchestration.steps.advice.newest import newest_and_unsound

ALLOCATABLE = "kube_node_status_allocatable"
CONDITION = "kube_node_status_condition"
CORDONED = "kube_node_spec_unschedulable"
TAINT = "kube_node_spec_taint"
ROLE = "kube_node_role"
CREATED = "kube_node_created"
COST = "node_total_hourly_cost"
NODE_LABELS = "kube_node_labels"
INFO = "kube_pod_info"
OWNER = "kube_pod_owner"
PHASE = "kube_pod_status_phase"
REQUESTS = "kube_pod_container_resource_requests"
INIT_REQUESTS = "kube_pod_init_container_resource_requests"
INIT_INFO = "kube_pod_init_container_info"
OVERHEAD = {
    "kube_pod_overhead_cpu_cores": "cpu",
    "kube_pod_overhead_memory_bytes": "memory",
}
"""With the resource that each is of."""
TOLERATIONS = "kube_pod_tolerations"
SELECTORS = "kube_pod_nodeselectors"
POD_CLAIMS = "kube_pod_spec_volumes_persistentvolumeclaims_info"
CLAIM = "kube_persistentvolumeclaim_info"
VOLUME = "kube_persistentvolume_info"
ALLOWED = "kube_poddisruptionbudget_status_pod_disruptions_allowed"
EXPECTED = "kube_poddisruptionbudget_status_expected_pods"

_OF_NODES = {
    ALLOCATABLE: ("resource",),
    CONDITION: ("condition", "status"),
    CORDONED: (),
    TAINT: ("key", "value", "effect"),
    ROLE: ("role",),
    CREATED: (),
    COST: (),
}
_OF_PODS = {
    INFO: ("created_by_kind",),
    OWNER: ("owner_kind",),
    PHASE: ("phase",),
    REQUESTS: ("resource",),
    INIT_REQUESTS: ("resource",),
    INIT_INFO: ("restart_policy",),
    **dict.fromkeys(OVERHEAD, ()),
    TOLERATIONS: ("key", "operator", "value", "effect"),
    POD_CLAIMS: ("persistentvolumeclaim",),
}
_OF_THE_REST = {
    CLAIM: ("persistentvolumeclaim", "storageclass", "volumename"),
    VOLUME: ("persistentvolume", "local_path", "host_path", "nfs_server"),
    ALLOWED: ("poddisruptionbudget",),
    EXPECTED: ("poddisruptionbudget",),
}
_METRICS = _OF_NODES | _OF_PODS | _OF_THE_REST
_WHOLE = (NODE_LABELS, SELECTORS)


@dataclass(frozen=True, slots=True)
class Told:
    """Rows of `newest`, by cluster and metric.

    Attributes:
        clusters: those whose nodes' size is told.
        unsound: by cluster the metrics of series whose values or labels cannot be, one each.
    """

    clusters: tuple[str, ...]
    unsound: Mapping[str, Sequence[str]]
    _rows: dict[tuple[str, str], pl.DataFrame]
    _empty: pl.DataFrame

    def of(self, cluster: str, metric: str) -> pl.DataFrame:
        """Of one metric; without rows where it is not collected."""
        return self._rows.get((cluster, metric), self._empty)

    def has(self, cluster: str, metric: str) -> bool:
        """Whether the metric is collected."""
        return (cluster, metric) in self._rows


def read(snapshot: Snapshot, now: datetime) -> Told:
    """All of it, of all clusters whose nodes' size is told."""
    names = sorted({label for labels in _METRICS.values() for label in labels})
    known, bad = newest_and_unsound(snapshot, list(_METRICS), names, now)
    whole, worse = newest_and_unsound(snapshot, _WHOLE, [], now, whole=True)
    unsound = pl.concat([bad, worse]).partition_by("cluster", as_dict=True)
    rows = pl.concat([known, whole], how="diagonal_relaxed")
    parts = {
        (str(cluster), str(metric)): part
        for (cluster, metric), part in rows.partition_by(
            "cluster", "metric", as_dict=True, maintain_order=True
        ).items()
    }
    sized = sorted({cluster for cluster, metric in parts if metric == ALLOCATABLE})
    left_out = {str(cluster): part["metric"].to_list() for (cluster,), part in unsound.items()}
    return Told(tuple(sized), left_out, parts, rows.clear())
