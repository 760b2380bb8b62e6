"""The kinds of resources that are known: a metric, its limit, and what they have in common.

By the names of node exporter, kubelet, cAdvisor, kube-state-metrics, client libraries, Kueue,
cert-manager and blackbox exporter.
"""

from collections.abc import Sequence

from orchestration.forecast_settings import ForecastSettings, ResourceSettings

# What never fills, or always is full: memory shown as files, and images.
_NO_DISK = {
    "fstype": "(dev)?tmpfs|ramfs|rootfs|squashfs|iso9660|erofs|overlay|nsfs|proc|sysfs|autofs|"
    "fuse.lxcfs"
}
_DISK = ("instance", "device", "mountpoint")
_CLAIM = ("namespace", "persistentvolumeclaim")
_CONTAINER = ("namespace", "pod", "container")
_PROCESS = ("job", "instance", "namespace", "pod")

BUILT_IN: tuple[ResourceSettings, ...] = (
    ResourceSettings(
        name="filesystem",
        metric="node_filesystem_avail_bytes",
        reads="free",
        limit="node_filesystem_size_bytes",
        match=_DISK,
        but_not=_NO_DISK,
        subject=("mountpoint",),
    ),
    ResourceSettings(
        name="filesystem_inodes",
        metric="node_filesystem_files_free",
        reads="free",
        limit="node_filesystem_files",
        match=_DISK,
        but_not=_NO_DISK,
        subject=("mountpoint",),
    ),
    ResourceSettings(
        name="volume",
        metric="kubelet_volume_stats_available_bytes",
        reads="free",
        limit="kubelet_volume_stats_capacity_bytes",
        match=_CLAIM,
        subject=("persistentvolumeclaim",),
    ),
    # Where what is available is not collected.
    ResourceSettings(
        name="volume_used",
        metric="kubelet_volume_stats_used_bytes",
        limit="kubelet_volume_stats_capacity_bytes",
        match=_CLAIM,
        subject=("persistentvolumeclaim",),
    ),
    ResourceSettings(
        name="volume_inodes",
        metric="kubelet_volume_stats_inodes_free",
        reads="free",
        limit="kubelet_volume_stats_inodes",
        match=_CLAIM,
        subject=("persistentvolumeclaim",),
    ),
    ResourceSettings(
        name="container_memory",
        metric="container_memory_working_set_bytes",
        limit="kube_pod_container_resource_limits",
        match=_CONTAINER,
        # Without a container it is the pod's sum, or a slice of the node.
        labels={"container": ".+"},
        but_not={"container": "POD"},
        limit_labels={"resource": "memory"},
        subject=("container",),
    ),
    ResourceSettings(
        name="node_memory",
        metric="node_memory_MemAvailable_bytes",
        reads="free",
        limit="node_memory_MemTotal_bytes",
        match=("instance",),
    ),
    ResourceSettings(
        name="quota",
        metric="kube_resourcequota",
        limit="kube_resourcequota",
        match=("namespace", "resourcequota", "resource"),
        labels={"type": "used"},
        limit_labels={"type": "hard"},
        subject=("resourcequota", "resource"),
    ),
    ResourceSettings(
        name="cluster_queue",
        metric="kueue_cluster_queue_resource_usage",
        limit="kueue_cluster_queue_nominal_quota",
        match=("cluster_queue", "flavor", "resource"),
        # GPUs are meant to be in use: how long jobs wait for them is what placement tells.
        but_not={"resource": ".*/gpu"},
        subject=("cluster_queue", "resource"),
    ),
    ResourceSettings(
        name="file_descriptors",
        metric="process_open_fds",
        limit="process_max_fds",
        match=_PROCESS,
        subject=("job",),
    ),
    ResourceSettings(
        name="connection_tracking",
        metric="node_nf_conntrack_entries",
        limit="node_nf_conntrack_entries_limit",
        match=("instance",),
    ),
    ResourceSettings(
        name="connections_hikari",
        metric="hikaricp_connections_active",
        limit="hikaricp_connections_max",
        match=(*_PROCESS, "pool"),
        subject=("pool",),
    ),
    ResourceSettings(
        name="connections_go_sql",
        metric="go_sql_in_use_connections",
        limit="go_sql_max_open_connections",
        match=(*_PROCESS, "db_name"),
        subject=("db_name",),
    ),
    ResourceSettings(
        name="redis_memory",
        metric="redis_memory_used_bytes",
        limit="redis_memory_max_bytes",
        match=_PROCESS,
    ),
    ResourceSettings(
        name="certificate",
        metric="certmanager_certificate_expiration_timestamp_seconds",
        reads="expires_at",
        subject=("exported_namespace", "name"),
    ),
    ResourceSettings(
        name="certificate_file",
        metric="x509_cert_not_after",
        reads="expires_at",
        subject=("subject_CN", "filepath"),
    ),
    ResourceSettings(
        name="certificate_served",
        metric="probe_ssl_earliest_cert_expiry",
        reads="expires_at",
        subject=("target",),
    ),
    ResourceSettings(
        name="certificate_kubelet",
        metric="kubelet_certificate_manager_client_ttl_seconds",
        reads="expires_in",
    ),
)

INSTEAD = {"volume_used": "volume"}
"""A kind to that which tells of the same thing and goes first."""


def shown(kind: str) -> str:
    """What a kind is called in sentences.

    >>> shown("volume_used"), shown("container_memory")
    ('volume', 'container memory')
    """
    return INSTEAD.get(kind, kind).replace("_", " ")


def resources(settings: ForecastSettings) -> Sequence[ResourceSettings]:
    """All kinds: the built-in ones, those of the settings in their place and after them."""
    own = {one.name: one for one in settings.resources}
    known = [own.pop(one.name, one) for one in BUILT_IN] if settings.built_in else []
    return [*known, *own.values()]
