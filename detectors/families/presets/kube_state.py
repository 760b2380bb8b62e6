"""kube-state-metrics: pods, containers, nodes, volumes, and what only describes.

States are series of 0 and 1, one a state: those that are told are the bad ones, on the side where
they do harm. What people or controllers set (requests, replicas, labels) is no finding.
Source: `docs/metrics` of kubernetes/kube-state-metrics.
"""

from detectors.families.family import MIB, Family, ignored

_BAD_WAIT = (
    "CrashLoopBackOff|ImagePullBackOff|ErrImagePull|ErrImageNeverPull|InvalidImageName|"
    "CreateContainerConfigError|CreateContainerError|RunContainerError"
)

FAMILIES = (
    Family(
        "kube-state-metrics: container restarts",
        ("kube_pod_(init_)?container_status_restarts_total",),
        reading="rate", direction="above", entity="pod",
    ),
    Family(
        "kube-state-metrics: container cannot start",
        ("kube_pod_(init_)?container_status_waiting_reason",), (("reason", _BAD_WAIT),),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="pod",
    ),
    Family(
        "kube-state-metrics: container was killed",
        ("kube_pod_(init_)?container_status_last_terminated_reason",
         "kube_pod_(init_)?container_status_terminated_reason"),
        (("reason", "OOMKilled|Error|ContainerCannotRun|DeadlineExceeded"),),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="pod",
    ),
    Family(
        "kube-state-metrics: container ready",
        ("kube_pod_container_status_ready",),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="pod",
    ),
    Family(
        "kube-state-metrics: pod ready",
        ("kube_pod_status_ready", "kube_pod_status_scheduled"), (("condition", "true"),),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="pod",
    ),
    Family(
        "kube-state-metrics: pod in a bad phase",
        ("kube_pod_status_phase",), (("phase", "Failed|Unknown|Pending"),),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="pod",
    ),
    Family(
        "kube-state-metrics: pod evicted or lost",
        ("kube_pod_status_reason", "kube_pod_status_unschedulable"),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="pod",
    ),
    ignored(
        "kube-state-metrics: what describes a pod",
        "kube_pod_(init_)?container_(resource|info|state|status|type)_?.*",
        "kube_pod_(info|owner|labels|annotations|created|deletion_timestamp|ips|overhead_.*|"
        "nodeselectors|restart_policy|runtimeclass_name_info|scheduler|service_account|"
        "spec_volumes_.*|tolerations|start_time|completion_time|status_.*)",
        entity="pod",
    ),
    Family(
        "kube-state-metrics: node ready",
        ("kube_node_status_condition",), (("condition", "Ready"), ("status", "true")),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="node",
    ),
    ignored(
        "kube-state-metrics: node ready, said otherwise",
        "kube_node_status_condition", labels=(("condition", "Ready"),), entity="node",
    ),
    Family(
        "kube-state-metrics: node in a bad condition",
        ("kube_node_status_condition",), (("status", "true"),),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="node",
    ),
    Family(
        "kube-state-metrics: what a node offers",
        ("kube_node_status_(allocatable|capacity)",),
        reading="level", direction="below", least_relative=0.02, entity="node",
    ),
    ignored(
        "kube-state-metrics: what describes a node",
        "kube_node_(info|labels|annotations|created|role|spec_.*|status_.*|deletion_timestamp)",
        entity="node",
    ),
    Family(
        "kube-state-metrics: volume or claim in a bad phase",
        ("kube_persistentvolume(claim)?_status_phase",), (("phase", "Failed|Lost|Pending"),),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0,
        entity="persistentvolumeclaim",
    ),
    Family(
        "kube-state-metrics: namespace that does not go",
        ("kube_namespace_status_phase",), (("phase", "Terminating"),),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="namespace",
    ),
    Family(
        "kube-state-metrics: quota used, bytes",
        ("kube_resourcequota",), (("type", "used"), ("resource", ".*(memory|storage).*")),
        reading="level", direction="above", least_absolute=64 * MIB, least_relative=0.1,
        entity="namespace",
    ),
    Family(
        "kube-state-metrics: quota used",
        ("kube_resourcequota",), (("type", "used"),),
        reading="level", direction="above", least_absolute=0.1, least_relative=0.1,
        entity="namespace",
    ),
    Family(
        "kube-state-metrics: endpoints not ready",
        ("kube_endpoint_address_not_ready",),
        reading="level", direction="above", least_absolute=0.5, entity="service",
    ),
    Family(
        "kube-state-metrics: endpoints ready",
        ("kube_endpoint_address_available",),
        reading="level", direction="below", least_absolute=0.5, least_relative=0.3,
        entity="service",
    ),
    Family(
        "kube-state-metrics: its own errors",
        ("kube_state_metrics_(list|watch)_total",), (("result", "error"),),
        reading="rate", direction="above", entity="cluster",
    ),
    ignored("kube-state-metrics: itself", "kube_state_metrics_.*", entity="cluster"),
)  # fmt: skip
