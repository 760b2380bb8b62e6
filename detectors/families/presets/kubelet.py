"""The kubelet and its cAdvisor: containers, volumes, and the kubelet's own health.

Source: `docs/storage/prometheus.md` of google/cadvisor; metrics of kubernetes/kubernetes
(`pkg/kubelet/metrics`).
"""

from detectors.families.family import MIB, Family, ignored

_POD_TOTAL = (("id", "/.+"), ("pod", ".+"), ("container", ""))
"""cAdvisor's sum over a pod's containers: each of them is scored already."""

FAMILIES = (
    ignored("cAdvisor: pause containers", "container_.*", labels=(("container", "POD"),),
            entity="pod"),
    ignored("cAdvisor: sums over a pod", "container_(cpu|memory|fs|pressure)_.*",
            labels=_POD_TOTAL, entity="pod"),
    Family(
        "cAdvisor: CPU, cores",
        ("container_cpu_usage_seconds_total",),
        reading="rate", least_absolute=0.03, least_relative=0.15, entity="pod",
    ),
    Family(
        "cAdvisor: throttled, share of the time",
        ("container_cpu_cfs_throttled_seconds_total",),
        reading="rate", direction="above", least_absolute=0.02, entity="pod",
    ),
    Family(
        "cAdvisor: memory in use",
        ("container_memory_working_set_bytes",),
        reading="level", direction="above", least_absolute=16 * MIB, least_relative=0.05,
        entity="pod",
    ),
    Family(
        "cAdvisor: out of memory",
        ("container_oom_events_total", "container_memory_failcnt"),
        reading="rate", direction="above", entity="pod",
    ),
    Family(
        "cAdvisor: major page faults",
        ("container_memory_failures_total",),
        (("failure_type", "pgmajfault"), ("scope", "container")),
        reading="rate", direction="above", least_absolute=5.0, least_relative=0.5, entity="pod",
    ),
    Family(
        "cAdvisor: network errors",
        ("container_network_(receive|transmit)_(errors|packets_dropped)_total",),
        reading="rate", direction="above", least_absolute=0.1, entity="pod",
    ),
    Family(
        "cAdvisor: network, bytes",
        ("container_network_(receive|transmit)_bytes_total",),
        reading="rate", least_absolute=10e3, least_relative=0.3, entity="pod",
    ),
    Family(
        "cAdvisor: disk, bytes",
        ("container_fs_(reads|writes)_bytes_total",),
        reading="rate", direction="above", least_absolute=1e6, least_relative=0.5, entity="pod",
    ),
    Family(
        "cAdvisor: disk space in use",
        ("container_fs_usage_bytes",),
        reading="level", direction="above", least_absolute=64 * MIB, least_relative=0.1,
        entity="pod",
    ),
    Family(
        "cAdvisor: processes, threads, files, sockets",
        ("container_(processes|threads|file_descriptors|sockets)",),
        reading="level", direction="above", least_absolute=20.0, least_relative=0.5, entity="pod",
    ),
    Family(
        "cAdvisor: pressure, share of the time",
        ("container_pressure_(cpu|memory|io)_(waiting|stalled)_seconds_total",),
        reading="rate", direction="above", least_absolute=0.03, entity="pod",
    ),
    ignored(
        "cAdvisor: limits, times, and what others tell already",
        "container_(spec_.*|start_time_seconds|last_seen|tasks_state|ulimits_soft|scrape_error|"
        "cpu_.*|memory_.*|fs_.*|blkio_.*|network_.*|threads_max|hugetlb_.*|perf_.*|llc_.*)",
        "(machine|cadvisor)_.*",
        entity="pod",
    ),
    Family(
        "kubelet: volume space left",
        ("kubelet_volume_stats_available_bytes",),
        reading="level", direction="below", least_absolute=64 * MIB, least_relative=0.03,
        entity="persistentvolumeclaim",
    ),
    Family(
        "kubelet: volume space in use",
        ("kubelet_volume_stats_used_bytes",),
        reading="level", direction="above", least_absolute=64 * MIB, least_relative=0.02,
        entity="persistentvolumeclaim",
    ),
    Family(
        "kubelet: volume inodes left",
        ("kubelet_volume_stats_inodes_free",),
        reading="level", direction="below", least_absolute=1000.0, least_relative=0.03,
        entity="persistentvolumeclaim",
    ),
    Family(
        "kubelet: volume not healthy",
        ("kubelet_volume_stats_health_status_abnormal",),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0,
        entity="persistentvolumeclaim",
    ),
    ignored("kubelet: volume sizes", "kubelet_volume_stats_.*", entity="persistentvolumeclaim"),
    Family(
        "kubelet: pods that run",
        ("kubelet_running_(pods|pod_count)",),
        reading="level", direction="below", least_absolute=3.0, least_relative=0.3, entity="node",
    ),
    Family(
        "kubelet: errors and evictions",
        ("kubelet_(runtime_operations_errors|evictions|started_(pods|containers)_errors|"
         "device_plugin_.*_errors|image_pull_.*_errors|pleg_discard_events|"
         "orphan_pod_cleaned_volumes_errors)(_total)?",
         "kubelet_evictions"),
        reading="rate", direction="above", least_absolute=0.02, entity="node",
    ),
    Family(
        "kubelet: seconds spent, all calls together",
        ("kubelet_(pleg_relist|runtime_operations|pod_worker|pod_start|cgroup_manager|"
         "pod_start_sli|pod_worker_start)_duration_seconds_sum",
         "storage_operation_duration_seconds_sum"),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.5, entity="node",
    ),
    ignored(
        "kubelet: times and what others tell already",
        "kubelet_(node_name|certificate_manager_.*|server_expiration_.*|running_containers?.*|"
        "desired_pods|active_pods|mirror_pods|pleg_last_seen_seconds|"
        "pod_resources_.*|http_.*|.*_count|.*_sum)",
        "(volume_manager|storage_operation|csi_operations|plugin_manager)_.*",
        entity="node",
    ),
)  # fmt: skip
