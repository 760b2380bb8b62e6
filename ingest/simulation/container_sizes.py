"""Requests and limits of containers, their owners, and why they last ended."""

from __future__ import annotations

import numpy as np

from ingest.simulation.catalogue import MIB, WorkloadSpec
from ingest.simulation.faults.memory_leak import MemoryLeak
from ingest.simulation.fleet import Cluster, Pod
from ingest.simulation.scene import Scene
from ingest.simulation.sheet import Sheet
from ingest.simulation.timeline import FloatArray, Timeline

_KUBE_STATE = {"job": "kube-state-metrics", "instance": "kube-state-metrics.monitoring.svc:8080"}

# Requests of one pod, cores and MiB, as teams have come to set them: most for an evening that
# never came, some by copying another's, some too little.
_ASKED: dict[str, tuple[float, float]] = {
    "frontend": (0.8, 384),
    "checkout": (0.5, 512),
    "cart": (0.25, 256),
    "payment": (0.5, 768),
    "catalogue": (0.25, 384),
    "search": (1.5, 2048),
    "recommendations": (0.6, 768),
    "shipping": (0.25, 256),
    "inventory": (0.1, 256),
    "report-worker": (2.0, 4096),
    "postgres": (2.0, 6144),
    "kafka": (1.0, 4096),
    "istio-ingressgateway": (0.1, 128),
    "coredns": (0.1, 70),
    "opa": (0.25, 192),
    "gatekeeper-controller-manager": (0.1, 256),
}


def asked(spec: WorkloadSpec) -> tuple[float, float]:
    """Requests of one pod: cores and bytes."""
    cores, mib = _ASKED[spec.name]
    return cores, mib * MIB


def expose_containers(sheet: Sheet, cluster: Cluster, scene: Scene) -> None:
    """kube-state-metrics' series about each pod's container, as long as the pod is there."""
    timeline = sheet.timeline
    for pod in cluster.pods:
        there = _there(pod, timeline)
        identity = _KUBE_STATE | {
            "namespace": pod.spec.namespace,
            "pod": pod.name,
            "container": pod.spec.name,
            "node": pod.node.name,
            "workload": pod.spec.name,
        }
        cores, memory = asked(pod.spec)
        for which, resource, unit, value in (
            ("requests", "cpu", "core", cores),
            ("requests", "memory", "byte", memory),
            ("limits", "cpu", "core", pod.spec.cpu_limit),
            ("limits", "memory", "byte", pod.spec.memory_limit),
        ):
            if value is not None:
                name = f"kube_pod_container_resource_{which}"
                labels = identity | {"resource": resource, "unit": unit}
                sheet.add(name, "gauge", cluster.spec, labels, there * value)
    for scenario in scene.script:
        if isinstance(scenario, MemoryLeak) and scenario.fault.cluster == cluster.name:
            _expose_kill(sheet, cluster, scenario)


def _there(pod: Pod, timeline: Timeline) -> FloatArray:
    """1 while the pod is there, else NaN, `[n]`."""
    there = np.full(timeline.n, np.nan)
    there[timeline.span(pod.born or timeline.start, pod.died or timeline.end)] = 1.0
    return there


def _expose_kill(sheet: Sheet, cluster: Cluster, leak: MemoryLeak) -> None:
    pod = leak.pod
    values = np.full(sheet.timeline.n, np.nan)
    values[sheet.timeline.index(leak.kills[0]) :] = 1.0
    labels = _KUBE_STATE | {
        "namespace": pod.spec.namespace,
        "pod": pod.name,
        "container": pod.spec.name,
        "node": pod.node.name,
        "workload": pod.spec.name,
        "reason": "OOMKilled",
    }
    name = "kube_pod_container_status_last_terminated_reason"
    sheet.add(name, "gauge", cluster.spec, labels, values)
