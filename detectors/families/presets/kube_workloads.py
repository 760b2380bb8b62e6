"""kube-state-metrics: workloads, jobs and autoscalers, and what is left of `kube_*`.

How many replicas there shall be, and so how many there are, is set by people and autoscalers; told
is what is missing. Source: `docs/metrics` of kubernetes/kube-state-metrics.
"""

from detectors.families.family import Family, ignored

FAMILIES = (
    Family(
        "kube-state-metrics: replicas missing",
        ("kube_deployment_status_replicas_unavailable",
         "kube_daemonset_status_number_(unavailable|misscheduled)"),
        reading="level", direction="above", least_absolute=0.5, entity="workload",
    ),
    Family(
        "kube-state-metrics: replicas there",
        ("kube_deployment_status_replicas_(available|ready)",
         "kube_statefulset_status_replicas_(available|ready)"),
        reading="level", direction="below", least_absolute=0.5, least_relative=0.3,
        entity="workload",
    ),
    Family(
        "kube-state-metrics: rollout stuck or not available",
        ("kube_deployment_status_condition",),
        (("condition", "Available|Progressing"), ("status", "false")),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="workload",
    ),
    Family(
        "kube-state-metrics: replicas cannot be made",
        ("kube_deployment_status_condition",),
        (("condition", "ReplicaFailure"), ("status", "true")),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="workload",
    ),
    Family(
        "kube-state-metrics: autoscaler cannot scale",
        ("kube_horizontalpodautoscaler_status_condition",),
        (("condition", "ScalingActive|AbleToScale"), ("status", "false")),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="workload",
    ),
    Family(
        "kube-state-metrics: healthy pods of a disruption budget",
        ("kube_poddisruptionbudget_status_current_healthy",),
        reading="level", direction="below", least_absolute=0.5, least_relative=0.3,
        entity="workload",
    ),
    Family(
        "kube-state-metrics: job failed",
        ("kube_job_status_failed",),
        reading="level", direction="above", least_absolute=0.5, entity="workload",
    ),
    Family(
        "kube-state-metrics: job failed for good",
        ("kube_job_failed",), (("condition", "true"),),
        reading="level", direction="above", least_absolute=0.5, entity="workload",
    ),
    Family(
        "kube-state-metrics: runs of a cron job pile up",
        ("kube_cronjob_status_active",),
        reading="level", direction="above", least_absolute=1.5, entity="workload",
    ),
    ignored(
        "kube-state-metrics: what describes a workload, or how many it shall have",
        "kube_(deployment|statefulset|daemonset|replicaset|replicationcontroller|job|cronjob|"
        "horizontalpodautoscaler|poddisruptionbudget|verticalpodautoscaler)_.*",
        entity="workload",
    ),
    ignored(
        "kube-state-metrics: what describes an object",
        "kube_(certificatesigningrequest|clusterrole|clusterrolebinding|configmap|endpoint|"
        "endpointslice|ingress|ingressclass|lease|mutatingwebhookconfiguration|namespace|"
        "networkpolicy|persistentvolume|persistentvolumeclaim|resourcequota|role|rolebinding|"
        "secret|service|serviceaccount|storageclass|validatingwebhookconfiguration|"
        "volumeattachment)_.*",
        "kube_(limitrange|lease_owner|lease_renew_time|resourcequota|resourcequota_created)",
        entity="cluster",
    ),
    ignored(
        "kube-state-metrics: times and settings of objects of one's own",
        "kube_.*_(time|timestamp|generation|resource_version|spec_.*)",
    ),
)  # fmt: skip
