"""OpenTelemetry's Kubernetes metrics, by their Prometheus names; and what things cost.

Their names have moved; both are accepted. Source: semantic conventions, `k8s.*`; OpenCost.
"""

from detectors.families.family import MIB, Family, ignored

FAMILIES = (
    Family(
        "OpenTelemetry: CPU, cores",
        ("(k8s_(pod|node)|container)_cpu_(usage|utilization)(_ratio)?",),
        reading="level", least_absolute=0.03, least_relative=0.15, entity="pod",
    ),
    Family(
        "OpenTelemetry: memory in use",
        ("(k8s_(pod|node)|container)_memory_working_set(_bytes)?",),
        reading="level", direction="above", least_absolute=16 * MIB, least_relative=0.05,
        entity="pod",
    ),
    Family(
        "OpenTelemetry: space left",
        ("k8s_node_(memory|filesystem)_available(_bytes)?",
         "k8s_(pod_)?volume_available(_bytes)?"),
        reading="level", direction="below", least_absolute=64 * MIB, least_relative=0.03,
        entity="node",
    ),
    Family(
        "OpenTelemetry: inodes left",
        ("k8s_(node_filesystem_inode|pod_volume_inode|volume_inodes)_free",),
        reading="level", direction="below", least_absolute=1000.0, least_relative=0.03,
        entity="node",
    ),
    Family(
        "OpenTelemetry: restarts",
        ("k8s_container_(restarts|restart_count)",),
        reading="level", direction="above", least_absolute=0.5, entity="pod",
    ),
    Family(
        "OpenTelemetry: ready",
        ("k8s_container_ready", "k8s_node_condition_ready"),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="pod",
    ),
    Family(
        "OpenTelemetry: node in a bad condition",
        ("k8s_node_condition_(memory_pressure|disk_pressure|pid_pressure|network_unavailable)",),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="node",
    ),
    Family(
        "OpenTelemetry: replicas there",
        ("k8s_(deployment|replicaset|replication_controller)_(pod_)?available",
         "k8s_statefulset_(pod_ready|ready_pods)"),
        reading="level", direction="below", least_absolute=0.5, least_relative=0.3,
        entity="workload",
    ),
    Family(
        "OpenTelemetry: pods that failed or run where they should not",
        ("k8s_job_(pod_failed|failed_pods)",
         "k8s_daemonset_(node_misscheduled|misscheduled_nodes)"),
        reading="level", direction="above", least_absolute=0.5, entity="workload",
    ),
    Family(
        "OpenTelemetry: quota used",
        ("k8s_resourcequota_.*_used", "k8s_resource_quota_used"),
        reading="level", direction="above", least_absolute=0.1, least_relative=0.1,
        entity="namespace",
    ),
    ignored(
        "OpenTelemetry: settings, phases, and how many there shall be",
        "k8s_.*_(desired|current|updated|limit|request|hard|hard_limit|phase|capacity|"
        "allocatable|min|max|desired_pods|current_pods|updated_pods|min_replicas|max_replicas|"
        "active_jobs|active_pods|successful_pods|uptime|uptime_seconds)(_ratio|_bytes)?",
        "k8s_(container|node|pod)_.*_(request|limit|desired|allocatable|capacity|"
        "limit_utilization|request_utilization)(_ratio|_bytes)?",
        "k8s_(hpa|namespace|pod)_(status_.*|phase)",
    ),
    Family(
        "OpenCost: cost an hour",
        ("(node|pv)_(cpu_|ram_|gpu_|total_)?hourly_cost",),
        reading="level", direction="above", least_relative=0.1, entity="node",
    ),
)  # fmt: skip
