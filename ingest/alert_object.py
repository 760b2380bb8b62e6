"""Which object an alert is about, by its labels."""

from collections.abc import Mapping

from ingest.entities import entity_of

OBJECTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Pod", ("exported_pod", "k8s_pod_name")),
    ("PersistentVolumeClaim", ("persistentvolumeclaim",)),
    ("PersistentVolume", ("persistentvolume",)),
    ("HorizontalPodAutoscaler", ("horizontalpodautoscaler",)),
    ("PodDisruptionBudget", ("poddisruptionbudget",)),
    ("ResourceQuota", ("resourcequota",)),
    ("Deployment", ("deployment", "k8s_deployment_name")),
    ("StatefulSet", ("statefulset", "k8s_statefulset_name")),
    ("DaemonSet", ("daemonset", "k8s_daemonset_name")),
    ("CronJob", ("cronjob", "k8s_cronjob_name")),
    ("Job", ("job_name", "k8s_job_name")),
    ("ReplicaSet", ("replicaset",)),
    ("Pod", ("pod", "pod_name")),
    ("Node", ("exported_node", "node", "nodename", "k8s_node_name")),
    ("Service", ("exported_service", "service", "destination_service_name")),
    ("Namespace", ("exported_namespace", "namespace")),
)
"""Kinds by the labels that name one; the first that is there counts. A `pod` comes late: beside a
deployment it is the exporter that was scraped."""

EXPORTERS = ("kube-state-metrics", "node-exporter", "dcgm-exporter")
"""In the names of pods that tell of other objects: an alert is about those, if it names one."""

CLUSTER_WIDE = frozenset({"Node", "PersistentVolume", "Namespace"})


def object_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Kind, namespace and name, as far as labels give them.

    >>> object_of({"alertname": "KubeJobFailed", "namespace": "shop", "job_name": "backup-1"})
    {'kind': 'Job', 'name': 'backup-1', 'namespace': 'shop'}
    >>> object_of({"alertname": "NodeFull", "node": "n1", "pod": "node-exporter-x2v9k"})
    {'kind': 'Node', 'name': 'n1'}
    >>> object_of({"alertname": "TargetDown", "instance": "10.0.0.1:9100"})
    {'name': '10.0.0.1:9100'}
    """
    found = [(kind, labels[name]) for kind, names in OBJECTS for name in names if labels.get(name)]
    # By their own exporter is better than by none.
    found.sort(key=_is_exporter)
    namespace = entity_of(labels).get("namespace")
    if not found:
        return {"name": labels["instance"]} if labels.get("instance") else {}
    kind, name = found[0]
    about = {"kind": kind, "name": name}
    if namespace and kind not in CLUSTER_WIDE:
        about["namespace"] = namespace
    return about


def _is_exporter(named: tuple[str, str]) -> bool:
    kind, name = named
    return kind == "Pod" and any(exporter in name for exporter in EXPORTERS)
