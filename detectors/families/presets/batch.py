"""Batch work: Volcano, Kueue, Fluid.

Queues of batch work are bursty by trade: told is what waits and fails, and not how much runs.
Source: volcano-sh/volcano `pkg/scheduler/metrics`; Kueue's "Prometheus metrics"; Fluid.
"""

from detectors.families.family import Family, ignored

FAMILIES = (
    Family(
        "Volcano: groups that wait",
        ("volcano_queue_pod_group_(pending|inqueue)_count",),
        reading="level", direction="above", least_absolute=3.0, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "Volcano: groups in an unknown state",
        ("volcano_queue_pod_group_unknown_count",),
        reading="level", direction="above", least_absolute=0.5, entity="cluster",
    ),
    Family(
        "Volcano: work that finds no place",
        ("volcano_unschedule_(job|task)_count",),
        reading="level", direction="above", least_absolute=3.0, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "Volcano: queue above its share",
        ("volcano_queue_overused",),
        reading="level", direction="above", least_absolute=0.5, ceiling=1.0, entity="cluster",
    ),
    Family(
        "Volcano: attempts without success",
        ("volcano_schedule_attempts_total",), (("result", "error|unschedulable"),),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "Volcano: preempted, tried again",
        ("volcano_total_preemption_attempts", "volcano_job_retry_counts"),
        reading="rate", direction="above", least_absolute=0.02, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "Volcano: pods preempted",
        ("volcano_pod_preemption_victims",),
        reading="level", direction="above", least_absolute=1.0, entity="cluster",
    ),
    Family(
        "Volcano: time spent scheduling, together",
        ("volcano_(e2e|e2e_job|task|plugin|action)_scheduling_latency_"
         "(milliseconds|microseconds)_sum",),
        reading="rate", direction="above", least_relative=0.5, entity="cluster",
    ),
    ignored("Volcano: shares, quotas, and what runs", "volcano_.*", entity="cluster"),
    Family(
        "Kueue: workloads that wait",
        ("kueue_(local_queue_)?pending_workloads",),
        reading="level", direction="above", least_absolute=3.0, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "Kueue: workloads evicted or preempted",
        ("kueue_(local_queue_)?(evicted|preempted)_workloads(_once)?_total",),
        reading="rate", direction="above", least_absolute=0.01, entity="cluster",
    ),
    Family(
        "Kueue: seconds waited, all workloads together",
        ("kueue_(local_queue_)?(admission|quota_reserved|admission_checks)_wait_time_seconds_sum",),
        reading="rate", direction="above", least_absolute=1.0, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "Kueue: queue active",
        ("kueue_cluster_queue_status",),
        (("status", "active"),),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="cluster",
    ),
    ignored("Kueue: quotas, and what runs", "kueue_.*", entity="cluster"),
    Family(
        "Fluid: data sets that fail",
        ("(fluid_)?runtime_(setup|sync_healthcheck)_error_total",),
        reading="rate", direction="above", entity="namespace",
    ),
    ignored("Fluid: sizes", "(fluid_)?dataset_ufs_(total_size|file_num)", entity="namespace"),
)  # fmt: skip
