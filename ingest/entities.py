"""What a series is about: the entity columns, read off the labels that its exporter gives.

`ENTITY_LABELS` says which label fills which column. Three rules decide whose labels they are:

* An exporter is scraped in one pod and tells of others: what it says wins (`ingest.exporters`).
* A mesh measures each request at both ends. A series is about the end that reports it (`SIDES`):
  requests that a workload sent have `reporter="source"`, those that it got `"destination"`. So each
  end has a request once; a sum over both reporters has it twice.
* A pod's name carries its owner's, if no label names that.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from ingest.exporters import foreign_labels

ENTITY_LABELS: dict[str, tuple[str, ...]] = {
    "namespace": (
        "exported_namespace",
        "job_namespace",
        "namespace",
        "kubernetes_namespace",
        "k8s_namespace_name",
        "destination_workload_namespace",
        "source_workload_namespace",
    ),
    "workload": (
        "workload",
        "deployment",
        "statefulset",
        "daemonset",
        "cronjob",
        "owner_name",
        "created_by_name",
        "job_name",
        "replicaset",
        "replicationcontroller",
        "k8s_deployment_name",
        "k8s_statefulset_name",
        "k8s_daemonset_name",
        "k8s_cronjob_name",
        "k8s_job_name",
        "k8s_replicaset_name",
        "destination_workload",
        "source_workload",
        "scaletargetref_name",
        "horizontalpodautoscaler",
        "fluid_runtime",
    ),
    "pod": ("exported_pod", "pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name"),
    "container": ("exported_container", "container", "container_name", "k8s_container_name"),
    "node": (
        "exported_node",
        "node",
        "kubernetes_node",
        "k8s_node_name",
        "kubernetes_io_hostname",
        "nodename",
        "Hostname",
    ),
    "service": (
        "exported_service",
        "service",
        "kubernetes_name",
        "k8s_service_name",
        "service_name",
        "destination_service_name",
    ),
    "job": ("exported_job", "job"),
    "instance": ("exported_instance", "instance"),
}
"""Column to the labels that may fill it; the first that is there does."""

SIDES: dict[str, dict[str, str]] = {
    "source": {
        "source_workload": "workload",
        "source_workload_namespace": "namespace",
        "source_canonical_service": "service",
    },
    "destination": {
        "destination_workload": "workload",
        "destination_workload_namespace": "namespace",
        "destination_service_name": "service",
    },
}
SIDES["waypoint"] = SIDES["destination"]
"""Istio's `reporter` to the labels of its end."""

KEYS = {"dataset": "dataset_ufs_", "runtime": "runtime_s", "job_id": "volcano_"}
"""Labels that hold `namespace/name` (Fluid, Volcano), by the beginning of their metrics."""

KINDS = {"owner_name": "owner_kind", "created_by_name": "created_by_kind"}
"""Labels that name an owner, and those that say what it is."""

NOTHING = frozenset({"", "<none>", "unknown"})
"""What kube-state-metrics and Istio write for what is not there."""

# Kubernetes draws hashes from this alphabet (no vowels), so that words in names stay whole.
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_RUN = r"-\d{8,10}"
"""A CronJob's jobs are named by their minute; by their second before Kubernetes 1.21."""

POD_OWNERS = (
    re.compile(rf"(?P<owner>.+){_RUN}-{_SAFE}{{5}}\Z"),
    re.compile(rf"(?P<owner>.+)-{_SAFE}{{6,10}}-{_SAFE}{{5}}\Z"),
    re.compile(r"(?P<owner>.+)-\d{1,4}\Z"),
    re.compile(rf"(?P<owner>.+)-{_SAFE}{{5}}\Z"),
)
"""A pod's name after its owner's: <cronjob>-<minute>-<5>, <deployment>-<hash>-<5>,
<statefulset>-<ordinal>, <daemonset>-<5>."""

_JOB = re.compile(rf"{_RUN}\Z")
_REPLICA_SET = re.compile(rf"-{_SAFE}{{6,10}}\Z")
_OWNED = {
    "Job": _JOB,
    "ReplicaSet": _REPLICA_SET,
    "job_name": _JOB,
    "k8s_job_name": _JOB,
    "replicaset": _REPLICA_SET,
    "k8s_replicaset_name": _REPLICA_SET,
}
"""What to cut off for the owner's owner, by kind and by label."""

REMEMBERED = 1 << 14
"""Names that need not be taken apart again: a pod is named by each of its hundred series."""

LONGEST_REMEMBERED = 512
"""Characters of a pod's and its node's name together: Kubernetes allows 253 of each."""

_PLACES = {
    name: (column, rank)
    for column, names in ENTITY_LABELS.items()
    for rank, name in enumerate(names)
}


def entity_of(labels: Mapping[str, str]) -> dict[str, str]:
    """The entity columns that labels give, `__name__` among them.

    >>> entity_of({"pod": "cart-7c9d8f6b54-x2v9k"})
    {'pod': 'cart-7c9d8f6b54-x2v9k', 'workload': 'cart'}
    >>> entity_of({"pod": "dcgm-x2v9k", "exported_pod": "train-0", "gpu": "0"})
    {'pod': 'train-0', 'workload': 'train'}
    """
    foreign = foreign_labels(labels)
    found: dict[str, str] = {}
    ranks: dict[str, int] = {}
    for name in labels:
        if name in _PLACES and name not in foreign:
            column, rank = _PLACES[name]
            value = _owner(name, labels) if column == "workload" else labels[name]
            if value not in NOTHING and rank < ranks.get(column, len(_PLACES)):
                found[column], ranks[column] = value, rank
    if "reporter" in labels:
        _take_side(found, labels)
    _take_key(found, labels)
    if "workload" not in found and "pod" in found:
        owner = pod_owner(found["pod"], found.get("node"))
        if owner:
            found["workload"] = owner
    return found


def pod_owner(pod: str, node: str | None = None) -> str | None:
    """The owner that a pod's name tells of.

    >>> pod_owner("postgres-0"), pod_owner("backup-28391040-x2v9k"), pod_owner("standalone")
    ('postgres', 'backup', None)

    Args:
        pod: its name.
        node: where it runs, if that is known: static pods are named after it.
    """
    # Longer ones are no names of Kubernetes: a sender's texts must not be kept.
    kept = len(pod) + len(node or "") <= LONGEST_REMEMBERED
    return (_remembered_owner if kept else _owner_by_name)(pod, node)


def _owner_by_name(pod: str, node: str | None) -> str | None:
    if node and pod.endswith(f"-{node}"):
        return pod[: -len(node) - 1] or None
    for pattern in POD_OWNERS:
        match = pattern.match(pod)
        if match:
            return match["owner"]
    return None


_remembered_owner = lru_cache(REMEMBERED)(_owner_by_name)


def _owner(name: str, labels: Mapping[str, str]) -> str:
    """The workload that a label names: what owns the ReplicaSet, or the Job, if it is such."""
    value = labels[name]
    kind = labels.get(KINDS[name], "") if name in KINDS else name
    if kind in NOTHING or kind == "Node":  # static pods belong to their node
        return ""
    cut = _OWNED.get(kind)
    return value if cut is None else cut.sub("", value)


def _take_side(found: dict[str, str], labels: Mapping[str, str]) -> None:
    """Of a mesh: the end that reports, and its pod only where the pod is of that workload.

    A node's tunnel and a waypoint report for the pods of others; a sidecar is in the pod, but its
    container is not what the requests are about.
    """
    side = SIDES.get(labels["reporter"], {})
    if not any(name in labels for name in side):
        return
    for column in ("namespace", "workload", "service", "container"):
        found.pop(column, None)
    for name, column in side.items():
        if labels.get(name, "") not in NOTHING:
            found[column] = labels[name]
    if not found.get("pod", "").startswith(found.get("workload", "") + "-"):
        found.pop("pod", None)


def _take_key(found: dict[str, str], labels: Mapping[str, str]) -> None:
    for label, beginning in KEYS.items():
        if label in labels and labels.get("__name__", "").startswith(beginning):
            namespace, _, name = labels[label].partition("/")
            if namespace and name:
                found["namespace"], found["workload"] = namespace, name
