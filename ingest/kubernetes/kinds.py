"""The kinds of objects that a snapshot holds, and where the API has them."""

from dataclasses import dataclass

from ingest.kubernetes import states
from ingest.kubernetes.objects import mapping
from ingest.kubernetes.server import METADATA_ONLY, Json
from ingest.kubernetes.states import State

LEADER = "control-plane.alpha.kubernetes.io/leader"
"""Annotation of ConfigMaps that are locks, written every few seconds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind.

    Attributes:
        name: as the API writes it.
        group: path of its API group.
        plural: the last part of its path.
        state: what matters of one; None = it is only read to know who owns whom.
        accept: how to ask for it.
        namespaced: whether it lives in namespaces.
    """

    name: str
    group: str
    plural: str
    state: State | None
    accept: str = "application/json"
    namespaced: bool = True

    def path(self, namespace: str | None = None) -> str:
        """Where to list it, in one namespace or in all.

        >>> KINDS[0].path(), KINDS[1].path("shop")
        ('/api/v1/nodes', '/api/v1/namespaces/shop/pods')
        """
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.group}{within}/{self.plural}"


CONFIG_MAP = Kind("ConfigMap", "/api/v1", "configmaps", states.config_map, METADATA_ONLY)

REPLICA_SET = Kind("ReplicaSet", "/apis/apps/v1", "replicasets", None, METADATA_ONLY)
"""Ten old ones stay for each Deployment: of them only the owner is of use."""

KINDS = (
    Kind("Node", "/api/v1", "nodes", states.node, namespaced=False),
    Kind("Pod", "/api/v1", "pods", states.pod),
    REPLICA_SET,
    Kind("Deployment", "/apis/apps/v1", "deployments", states.deployment),
    Kind("StatefulSet", "/apis/apps/v1", "statefulsets", states.stateful_set),
    Kind("DaemonSet", "/apis/apps/v1", "daemonsets", states.daemon_set),
    Kind("Job", "/apis/batch/v1", "jobs", states.job),
    Kind("PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims", states.claim),
    Kind(
        "HorizontalPodAutoscaler",
        "/apis/autoscaling/v2",
        "horizontalpodautoscalers",
        states.autoscaler,
    ),
    Kind("ResourceQuota", "/api/v1", "resourcequotas", states.quota),
    Kind(
        "PodDisruptionBudget", "/apis/policy/v1", "poddisruptionbudgets", states.disruption_budget
    ),
    CONFIG_MAP,
)


def is_lock(raw: Json) -> bool:
    """Whether a ConfigMap is a lock that says who leads."""
    return LEADER in mapping(mapping(raw.get("metadata")).get("annotations"))
