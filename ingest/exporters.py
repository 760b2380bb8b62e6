"""Exporters, which are scraped in one pod and tell of others.

Prometheus adds the pod that it scraped (`SCRAPED`), under the names that exporters use too. Where
both are there, the exporter's become `exported_…`: those are true, and the rest of the scraped pod
does not count. With `honor_labels`, and where the exporter says nothing of a kind, only the name of
the metric tells that the pod is not what it is about (`EXPORTERS`).
"""

import re
from collections.abc import Mapping
from functools import lru_cache

SCRAPED: dict[str, str] = {
    name: column
    for column, names in {
        "namespace": ("namespace", "kubernetes_namespace", "k8s_namespace_name"),
        "pod": ("pod", "kubernetes_pod_name", "k8s_pod_name"),
        "container": ("container", "k8s_container_name"),
        "node": ("node", "kubernetes_node", "k8s_node_name"),
        "service": ("service", "kubernetes_name", "k8s_service_name", "service_name"),
        "workload": tuple(
            f"k8s_{kind}_name"
            for kind in (
                "deployment", "statefulset", "daemonset", "cronjob", "job", "replicaset",
            )
        ),
    }.items()
    for name in names
}  # fmt: skip
"""Labels that may be of the pod that was scraped, and their columns."""

_POD = ("namespace", "pod", "node")
_CONTAINER = (*_POD, "container")
_EVERYTHING = (*_CONTAINER, "service", "workload")

EXPORTERS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    # kube-state-metrics, which honours its own labels in most installations: those that an object
    # has are its own, all others of the pod that was scraped.
    (("kube_state_metrics_",), _EVERYTHING),
    (("kube_pod_container_", "kube_pod_init_container_"), _CONTAINER),
    (("kube_pod_",), _POD),
    (("kube_service_", "kube_endpoint_", "kube_endpoints_"), ("namespace", "service")),
    (("kube_node_", "kube_volumeattachment_"), ("node",)),
    (
        (
            "kube_persistentvolume_",
            "kube_storageclass_",
            "kube_certificatesigningrequest_",
            "kube_mutatingwebhook",
            "kube_validatingwebhook",
            "kube_clusterrole",
            "kube_ingressclass_",
        ),
        (),
    ),
    (("kube_",), ("namespace",)),
    # cAdvisor, and OpenCost's allocations; the kubelet's volumes; GPUs.
    (("container_", "pod_pvc_allocation", "kubelet_volume_stats_", "DCGM_FI_"), _CONTAINER),
    # node_exporter's collectors, and OpenCost's prices. Other programs begin names with `node_`.
    (
        tuple(
            f"node_{collector}"
            for collector in (
                "arp_", "bonding_", "boot_time_", "context_switches_", "cooling_device_", "cpu_",
                "disk_", "dmi_", "edac_", "entropy_", "filefd_", "filesystem_", "forks_", "hwmon_",
                "infiniband_", "intr_", "ipvs_", "load1", "load5", "md_", "memory_", "netstat_",
                "network_", "nf_conntrack_", "nfs_", "nvme_", "os_", "pressure_", "procs_",
                "schedstat_", "scrape_collector_", "selinux_", "sockstat_", "softnet_", "systemd_",
                "textfile_", "thermal_zone_", "time_", "timex_", "udp_", "uname_info", "vmstat_",
                "xfs_", "zfs_", "gpu_hourly_", "ram_hourly_", "total_hourly_",
            )
        ),
        ("node",),
    ),
    # Schedulers and caches: about queues, jobs and data sets.
    (("volcano_queue_", "volcano_e2e_job_", "volcano_job_", "volcano_unschedule_task_"), ()),
    (("volcano_namespace_", "kueue_local_queue_"), ("namespace",)),
    (("kueue_",), ()),
    (("dataset_ufs_", "runtime_setup_error_", "runtime_sync_healthcheck_error_"), ()),
)  # fmt: skip
"""Beginnings of metrics that are not about the pod that is scraped, and the columns that labels
which may be of either still fill. The first that fits counts; recording rules (`a:b:c`) keep only
labels that they mean, so none of this is for them."""

_EXPORTER = re.compile(
    "|".join(f"({'|'.join(map(re.escape, beginnings))})" for beginnings, _ in EXPORTERS)
)
_FOREIGN = tuple(
    frozenset(name for name, column in SCRAPED.items() if column not in columns)
    for _, columns in EXPORTERS
)
_NONE: frozenset[str] = frozenset()
_OF_EXPORTER = frozenset(
    name for name, column in SCRAPED.items() if column in {"pod", "container", "service"}
)


def foreign_labels(labels: Mapping[str, str]) -> frozenset[str]:
    """Labels of the pod that was scraped, where the series is not about it.

    >>> sorted(foreign_labels({"__name__": "node_load1", "pod": "node-exporter-x2v9k"}))[:2]
    ['container', 'k8s_container_name']
    >>> foreign_labels({"__name__": "http_requests_total", "pod": "cart-0"})
    frozenset()
    """
    metric = labels.get("__name__", "")
    # A sender's long texts must not be kept.
    foreign = (_remembered if len(metric) <= LONGEST_REMEMBERED else _foreign_to)(metric)
    if "exported_namespace" in labels or "exported_pod" in labels:
        foreign |= _OF_EXPORTER
    return foreign


def _foreign_to(metric: str) -> frozenset[str]:
    match = None if ":" in metric else _EXPORTER.match(metric)
    return _FOREIGN[match.lastindex - 1] if match and match.lastindex else _NONE


LONGEST_REMEMBERED = 256
_remembered = lru_cache(1 << 13)(_foreign_to)
