"""Nodes, pods' places, disruption budgets and autoscalers, as kube-state-metrics tells of them."""

from __future__ import annotations

import numpy as np

from ingest.simulation.fleet import Cluster, Pod
from ingest.simulation.scene import Scene
from ingest.simulation.sheet import Sheet
from ingest.simulation.timeline import FloatArray, Timeline

_KUBE_STATE = {"job": "kube-state-metrics", "instance": "kube-state-metrics.monitoring.svc:8080"}
# What the kubelet and the system keep for themselves of a node.
_KEPT_CORES, _KEPT_MEMORY = 0.1, 0.05
_PODS_A_NODE = 110.0
_MACHINES = {"aws": "m6i.2xlarge", "gcp": "n2-standard-8", "azure": "Standard_D8s_v5"}
_ZONES = {"aws": ("a", "b", "c"), "gcp": ("-b",), "azure": ("-1", "-2", "-3")}
_DEDICATED = {"key": "dedicated", "value": "data", "effect": "NoSchedule"}
_TAINTED = {"ap-3"}
"""Where the node of the database is for data alone; what ran there before runs on."""

# Workload -> pods that must be left. One of one: an eviction is never allowed.
_BUDGETS = {"frontend": 2, "kafka": 1, "postgres": 1}
# (workload, cluster) -> (min, max) of its autoscaler; by default that of the workload.
_AUTOSCALERS = {"frontend": (3, 9), "search": (2, 6)}
_OTHER_BOUNDS = {("search", "us-2"): (1, 2)}
# Percent of its requests that each is to use.
_TARGETS = {"frontend": 70.0, "search": 40.0}


def expose_state(sheet: Sheet, cluster: Cluster, scene: Scene) -> None:
    """All of it for one cluster; the scene's faults change none of it."""
    del scene
    _expose_nodes(sheet, cluster)
    _expose_pods(sheet, cluster)
    _expose_budgets(sheet, cluster)
    _expose_autoscalers(sheet, cluster)


def _expose_nodes(sheet: Sheet, cluster: Cluster) -> None:
    spec = cluster.spec
    sizes = {
        "cpu": (spec.cores - _KEPT_CORES, "core"),
        "memory": (spec.memory * (1.0 - _KEPT_MEMORY), "byte"),
        "pods": (_PODS_A_NODE, "integer"),
    }
    zones = _ZONES[spec.cloud]
    database = cluster.pods_of("postgres")[0].node
    for number, node in enumerate(cluster.nodes):
        own = _KUBE_STATE | {"node": node.name}
        for resource, (value, unit) in sizes.items():
            _tell(sheet, cluster, "kube_node_status_allocatable", value, own, resource=resource,
                  unit=unit)  # fmt: skip
        _tell(sheet, cluster, "kube_node_status_condition", 1.0, own, condition="Ready",
              status="true")  # fmt: skip
        _tell(sheet, cluster, "kube_node_labels", 1.0, own,
              label_topology_kubernetes_io_zone=f"{spec.region}{zones[number % len(zones)]}",
              label_node_kubernetes_io_instance_type=_MACHINES[spec.cloud])  # fmt: skip
        if spec.name in _TAINTED and node == database:
            _tell(sheet, cluster, "kube_node_spec_taint", 1.0, own | _DEDICATED)


def _expose_pods(sheet: Sheet, cluster: Cluster) -> None:
    for pod in cluster.pods:
        own = _KUBE_STATE | {
            "namespace": pod.spec.namespace,
            "pod": pod.name,
            "container": pod.spec.name,
            "node": pod.node.name,
            "workload": pod.spec.name,
        }
        there = _there(pod, sheet.timeline)
        kind, name = _owner(pod)
        _tell(sheet, cluster, "kube_pod_info", there, own, created_by_kind=kind,
              created_by_name=name)  # fmt: skip
        _tell(sheet, cluster, "kube_pod_owner", there, own, owner_kind=kind, owner_name=name,
              owner_is_controller="true")  # fmt: skip
        if pod.spec.namespace == "data":
            _tell(sheet, cluster, "kube_pod_tolerations", there, own | _DEDICATED,
                  operator="Equal")  # fmt: skip
        if pod.spec.disk:
            _tell(sheet, cluster, "kube_pod_spec_volumes_persistentvolumeclaims_info", there, own,
                  volume="data", persistentvolumeclaim=f"data-{pod.name}")  # fmt: skip


def _there(pod: Pod, timeline: Timeline) -> FloatArray:
    """1 while the pod is there, else NaN, `[n]`."""
    there = np.full(timeline.n, np.nan)
    there[timeline.span(pod.born or timeline.start, pod.died or timeline.end)] = 1.0
    return there


def _owner(pod: Pod) -> tuple[str, str]:
    if pod.template:
        return "ReplicaSet", f"{pod.spec.name}-{pod.template}"
    return "StatefulSet", pod.spec.name


def _expose_budgets(sheet: Sheet, cluster: Cluster) -> None:
    for spec in cluster.workloads:
        if spec.name not in _BUDGETS:
            continue
        own = _KUBE_STATE | {
            "namespace": spec.namespace,
            "poddisruptionbudget": f"{spec.name}-pdb",
        }
        allowed = float(spec.replicas - _BUDGETS[spec.name])
        name = "kube_poddisruptionbudget_status"
        _tell(sheet, cluster, f"{name}_pod_disruptions_allowed", allowed, own)
        _tell(sheet, cluster, f"{name}_expected_pods", float(spec.replicas), own)


def _expose_autoscalers(sheet: Sheet, cluster: Cluster) -> None:
    name = "kube_horizontalpodautoscaler"
    for spec in cluster.workloads:
        if spec.name not in _AUTOSCALERS:
            continue
        least, most = _OTHER_BOUNDS.get((spec.name, cluster.name), _AUTOSCALERS[spec.name])
        own = _KUBE_STATE | {"namespace": spec.namespace, "horizontalpodautoscaler": spec.name}
        _tell(sheet, cluster, f"{name}_info", 1.0, own, scaletargetref_kind=spec.kind,
              scaletargetref_name=spec.name)  # fmt: skip
        _tell(sheet, cluster, f"{name}_spec_target_metric", _TARGETS[spec.name], own,
              metric_name="cpu", metric_target_type="utilization")  # fmt: skip
        for what, value in (
            ("spec_min_replicas", least),
            ("spec_max_replicas", most),
            ("status_current_replicas", spec.replicas),
            ("status_desired_replicas", spec.replicas),
        ):
            _tell(sheet, cluster, f"{name}_{what}", float(value), own)


def _tell(
    sheet: Sheet,
    cluster: Cluster,
    name: str,
    values: FloatArray | float,
    own: dict[str, str],
    **labels: str,
) -> None:
    every = np.array(np.broadcast_to(values, sheet.timeline.n), dtype=np.float64)
    sheet.add(name, "gauge", cluster.spec, own | labels, every)
