"""What matters of each kind of object, as small plain JSON.

Left out is what changes by itself all the time (heartbeats, measured values: those are metrics),
what is long (annotations, volumes, environments, which may hold secrets) and what follows from the
rest. Quantities stay as they are written.
"""

from collections.abc import Callable
from typing import Any

from ingest.kubernetes.objects import items, mapping
from ingest.kubernetes.server import Json

State = Callable[[Json], Json]

REVISION = "deployment.kubernetes.io/revision"
GENERATION = "deprecated.daemonset.template.generation"

SPOT = {
    "karpenter.sh/capacity-type": "spot",
    "eks.amazonaws.com/capacityType": "SPOT",
    "cloud.google.com/gke-spot": "true",
    "cloud.google.com/gke-provisioning": "spot",
    "kubernetes.azure.com/scalesetpriority": "spot",
}
"""By provider, the label and value of a node that can be taken away."""


def node(raw: Json) -> Json:
    """A Node: health, size, what keeps pods away, what machine it is."""
    spec, status = mapping(raw.get("spec")), mapping(raw.get("status"))
    labels = mapping(mapping(raw.get("metadata")).get("labels"))
    return {
        "conditions": {
            str(one.get("type")): {
                "status": one.get("status"),
                "reason": one.get("reason"),
                "since": one.get("lastTransitionTime"),
            }
            for one in items(status.get("conditions"))
        },
        "allocatable": mapping(status.get("allocatable")),
        "capacity": mapping(status.get("capacity")),
        "taints": sorted(
            f"{one.get('key')}={one.get('value') or ''}:{one.get('effect')}"
            for one in items(spec.get("taints"))
        ),
        "unschedulable": bool(spec.get("unschedulable")),
        "instance_type": labels.get("node.kubernetes.io/instance-type"),
        "zone": labels.get("topology.kubernetes.io/zone"),
        "spot": any(labels.get(name) == value for name, value in SPOT.items()),
        "kubelet": mapping(status.get("nodeInfo")).get("kubeletVersion"),
        "address": next(
            (
                one.get("address")
                for one in items(status.get("addresses"))
                if one.get("type") == "InternalIP"
            ),
            None,
        ),
    }


def pod(raw: Json) -> Json:
    """A Pod: how it is, what its containers ask for and how often they died."""
    spec, status = mapping(raw.get("spec")), mapping(raw.get("status"))
    statuses = {
        one.get("name"): one
        for key in ("initContainerStatuses", "containerStatuses")
        for one in items(status.get(key))
    }
    containers = _containers(spec)
    for name, one in containers.items():
        one |= _lived(mapping(statuses.get(name)))
    return {
        "phase": status.get("phase"),
        "reason": status.get("reason"),
        "ready": any(
            one.get("type") == "Ready" and one.get("status") == "True"
            for one in items(status.get("conditions"))
        ),
        "containers": containers,
        "claims": sorted(
            str(claim["claimName"])
            for one in items(spec.get("volumes"))
            if (claim := mapping(one.get("persistentVolumeClaim"))).get("claimName")
        ),
        "priority_class": spec.get("priorityClassName"),
        "qos": status.get("qosClass"),
        "address": status.get("podIP"),
    }


def deployment(raw: Json) -> Json:
    """A Deployment; its revision is the controller's count of templates."""
    annotations = mapping(mapping(raw.get("metadata")).get("annotations"))
    status = mapping(raw.get("status"))
    found = _workload(raw, annotations.get(REVISION))
    return found | {
        "replicas": _replicas(raw),
        "paused": bool(mapping(raw.get("spec")).get("paused")),
        "ready": status.get("readyReplicas") or 0,
        "updated": status.get("updatedReplicas") or 0,
        "available": status.get("availableReplicas") or 0,
    }


def stateful_set(raw: Json) -> Json:
    """A StatefulSet; its revision is the name of the newest template."""
    status = mapping(raw.get("status"))
    return _workload(raw, status.get("updateRevision")) | {
        "replicas": _replicas(raw),
        "ready": status.get("readyReplicas") or 0,
        "updated": status.get("updatedReplicas") or 0,
    }


def daemon_set(raw: Json) -> Json:
    """A DaemonSet; how many there are follows from the nodes."""
    annotations = mapping(mapping(raw.get("metadata")).get("annotations"))
    status = mapping(raw.get("status"))
    return _workload(raw, annotations.get(GENERATION)) | {
        "desired": status.get("desiredNumberScheduled") or 0,
        "ready": status.get("numberReady") or 0,
        "updated": status.get("updatedNumberScheduled") or 0,
    }


def job(raw: Json) -> Json:
    """A Job: how far it is."""
    spec, status = mapping(raw.get("spec")), mapping(raw.get("status"))
    ended = [
        one.get("type")
        for one in items(status.get("conditions"))
        if one.get("status") == "True" and one.get("type") in {"Complete", "Failed"}
    ]
    return {
        "containers": _containers(_template(raw)),
        "completions": spec.get("completions"),
        "parallelism": spec.get("parallelism"),
        "suspended": bool(spec.get("suspend")),
        "active": status.get("active") or 0,
        "succeeded": status.get("succeeded") or 0,
        "failed": status.get("failed") or 0,
        "ended": ended[0] if ended else None,
    }


def claim(raw: Json) -> Json:
    """A PersistentVolumeClaim."""
    spec, status = mapping(raw.get("spec")), mapping(raw.get("status"))
    return {
        "request": mapping(mapping(spec.get("resources")).get("requests")).get("storage"),
        "capacity": mapping(status.get("capacity")).get("storage"),
        "storage_class": spec.get("storageClassName"),
        "access_modes": spec.get("accessModes") or [],
        "volume": spec.get("volumeName"),
        "phase": status.get("phase"),
    }


def autoscaler(raw: Json) -> Json:
    """A HorizontalPodAutoscaler: its bounds and aims; what it measures is in the metrics."""
    spec, status = mapping(raw.get("spec")), mapping(raw.get("status"))
    target, least = mapping(spec.get("scaleTargetRef")), spec.get("minReplicas")
    return {
        "target": {"kind": target.get("kind"), "name": target.get("name")},
        # None is one; zero is allowed (HPAScaleToZero), and is not the same.
        "min": 1 if least is None else least,
        "max": spec.get("maxReplicas"),
        "metrics": [_aim(one) for one in items(spec.get("metrics"))],
        "current": status.get("currentReplicas"),
        "desired": status.get("desiredReplicas"),
    }


def quota(raw: Json) -> Json:
    """A ResourceQuota."""
    spec, status = mapping(raw.get("spec")), mapping(raw.get("status"))
    return {"hard": mapping(spec.get("hard")), "used": mapping(status.get("used"))}


def disruption_budget(raw: Json) -> Json:
    """A PodDisruptionBudget."""
    spec, status = mapping(raw.get("spec")), mapping(raw.get("status"))
    return {
        "min_available": spec.get("minAvailable"),
        "max_unavailable": spec.get("maxUnavailable"),
        "selector": mapping(mapping(spec.get("selector")).get("matchLabels")),
        "allowed": status.get("disruptionsAllowed"),
        "healthy": status.get("currentHealthy"),
        "desired": status.get("desiredHealthy"),
    }


def config_map(raw: Json) -> Json:
    """A ConfigMap, of which only the metadata are fetched: that it changed, not how."""
    return {"version": mapping(raw.get("metadata")).get("resourceVersion")}


def _workload(raw: Json, revision: object) -> Json:
    selector = mapping(mapping(raw.get("spec")).get("selector"))
    return {
        "revision": None if revision is None else str(revision),
        "containers": _containers(_template(raw)),
        "selector": mapping(selector.get("matchLabels")),
    }


def _template(raw: Json) -> Json:
    return mapping(mapping(mapping(raw.get("spec")).get("template")).get("spec"))


def _replicas(raw: Json) -> Any:
    replicas = mapping(raw.get("spec")).get("replicas")
    return 1 if replicas is None else replicas


def _containers(spec: Json) -> dict[str, Json]:
    """By name; names are unique in a pod, whatever sort of container it is."""
    found: dict[str, Json] = {}
    for key, init in (("initContainers", True), ("containers", False)):
        for one in items(spec.get(key)):
            resources = mapping(one.get("resources"))
            found[str(one.get("name"))] = {
                "image": one.get("image"),
                "requests": mapping(resources.get("requests")),
                "limits": mapping(resources.get("limits")),
                **({"init": True} if init else {}),
            }
    return found


def _lived(status: Json) -> Json:
    """State in one word where it has a reason (`CrashLoopBackOff`), and the last death."""
    state = mapping(status.get("state"))
    kind = next(iter(state), "")
    died = mapping(mapping(status.get("lastState")).get("terminated"))
    return {
        "state": mapping(state.get(kind)).get("reason") or kind or None,
        "restarts": status.get("restartCount") or 0,
        "last_death": {"reason": died.get("reason"), "exit_code": died.get("exitCode")}
        if died
        else None,
    }


def _aim(metric: Json) -> Json:
    """`{"cpu": "70%"}`: what is measured and what it should be."""
    kind = str(metric.get("type"))
    about = mapping(metric.get(kind[:1].lower() + kind[1:]))
    name = about.get("name") or mapping(about.get("metric")).get("name") or kind
    target = mapping(about.get("target"))
    percent = target.get("averageUtilization")
    aim = f"{percent}%" if percent is not None else target.get("averageValue")
    return {str(name): aim or target.get("value")}
