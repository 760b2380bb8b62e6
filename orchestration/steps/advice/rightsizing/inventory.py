"""Which containers there are: series of what they use, what is set, and what tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.rightsizing.releases import since_release

CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"
REQUESTS = "kube_pod_container_resource_requests"
LIMITS = "kube_pod_container_resource_limits"
RESTARTS = "kube_pod_container_status_restarts_total"
LAST_TERMINATED = "kube_pod_container_status_last_terminated_reason"
OOM_EVENTS = "container_oom_events_total"
PERIODS = "container_cpu_cfs_periods_total"
THROTTLED_PERIODS = "container_cpu_cfs_throttled_periods_total"
THROTTLED_SECONDS = "container_cpu_cfs_throttled_seconds_total"
HPA_TARGET = "kube_horizontalpodautoscaler_spec_target_metric"
HPA_INFO = "kube_horizontalpodautoscaler_info"
ALLOCATABLE = "kube_node_status_allocatable"
POD_OWNER = "kube_pod_owner"
POD_INFO = "kube_pod_info"

INIT_METRICS = ("kube_pod_init_container_info", "kube_pod_init_container_resource_requests")
"""Metrics that only init containers have, those that stay as sidecars among them."""

KIND_METRICS = {
    "kube_deployment_spec_replicas": "Deployment",
    "kube_deployment_status_replicas_available": "Deployment",
    "kube_statefulset_replicas": "StatefulSet",
    "kube_statefulset_status_replicas_ready": "StatefulSet",
    "kube_daemonset_status_desired_number_scheduled": "DaemonSet",
    "kube_cronjob_status_last_schedule_time": "CronJob",
    "kube_job_info": "Job",
}
"""Metrics of workloads of one kind."""

OWNERS = {"ReplicaSet": "Deployment", "ReplicationController": "ReplicationController"}
"""Of pods, to what owns the owner; the others are workloads themselves."""

LABELS = (
    "resource",
    "unit",
    "reason",
    "owner_kind",
    "horizontalpodautoscaler",
    "metric_name",
    "metric_target_type",
    "scaletargetref_kind",
    "scaletargetref_name",
    "image",
    "cpu",
)

METRICS = (
    CPU,
    MEMORY,
    REQUESTS,
    LIMITS,
    RESTARTS,
    LAST_TERMINATED,
    OOM_EVENTS,
    PERIODS,
    THROTTLED_PERIODS,
    THROTTLED_SECONDS,
    HPA_TARGET,
    HPA_INFO,
    ALLOCATABLE,
    POD_OWNER,
    POD_INFO,
    *INIT_METRICS,
    *KIND_METRICS,
)

SERIES = """
SELECT cluster, metric, series_id, namespace, workload, pod, container, node, first_seen,
       last_seen,
       list_transform($names, lambda name: labels[name]) AS told
FROM series
WHERE list_contains($metrics, metric) AND last_seen >= $since AND first_seen < $until
ORDER BY cluster, metric, series_id
"""

OBJECTS = """
SELECT cluster, namespace, workload, arg_max(workload_kind, time) AS workload_kind FROM objects
WHERE date >= $first_day AND kind = 'Pod' AND workload IS NOT NULL AND workload_kind IS NOT NULL
GROUP BY ALL
"""

WHOLE = ("", "total")
"""The label `cpu` of what a container uses of all cores; a standalone cAdvisor tells of each."""

NO_CONTAINER = ("", "POD")
"""What cAdvisor calls the pod's sum, and its sandbox."""

WORKLOAD = ["cluster", "namespace", "workload"]
CONTAINER = [*WORKLOAD, "container"]
POD = ["cluster", "namespace", "pod", "container"]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the catalogue of series tells.

    Attributes:
        series: all that concern containers, with the labels that matter as columns.
        containers: a row each, `index` and what names it, and `workload_kind` (null = unknown);
            `release`, the newest image that it runs, `released` (null = unknown) and `returned`:
            whether that is an older one than others that it ran; and `before`: whether anything
            that it used with others is left out; `init`, whether it is an init container.
        of_pods: containers of pods: `index`, what names the pod's container, and its series of CPU
            and memory (`cpu`, `memory`, null = there is none) with `first_seen`.
    """

    series: pl.DataFrame
    containers: pl.DataFrame
    of_pods: pl.DataFrame

    def of(self, metric: str) -> pl.DataFrame:
        """The series of one metric."""
        return self.series.filter(pl.col("metric") == metric)


def take_inventory(
    snapshot: Snapshot, now: datetime, history: timedelta, release: timedelta | None = None
) -> Inventory:
    """All containers that used CPU or memory within a time before now.

    A workload is named after its owner where that is known, else after the pod.

    Args:
        snapshot: where they are.
        now: what is later is not looked at.
        history: how far back is looked.
        release: from what age on a release counts alone, without what was before it; None = never.
    """
    params = {
        "names": list(LABELS),
        "metrics": list(METRICS),
        # `last_seen` is exact to the day.
        "since": now - history - timedelta(days=1),
        "until": now,
    }
    series = pl.DataFrame(run(snapshot, SERIES, params).rows)
    series = series.with_columns(
        pl.col("told").list.get(place, null_on_oob=True).alias(name)
        for place, name in enumerate(LABELS)
    ).drop("told")
    series = series.with_columns(
        pl.coalesce("workload", "pod").alias("workload"), pl.col("namespace").fill_null("")
    )
    used = series.filter(
        pl.col("metric").is_in([CPU, MEMORY]),
        pl.col("pod").is_not_null(),
        pl.col("container").is_not_null() & ~pl.col("container").is_in(NO_CONTAINER),
        pl.col("cpu").fill_null("").is_in(WHOLE),
    )
    used = since_release(used, CONTAINER, now, release)
    containers = (
        used.group_by(CONTAINER)
        .agg(pl.col("release", "released", "returned").first(), pl.col("before").any())
        .sort(CONTAINER)
        .with_row_index("index")
    )
    init = series.filter(pl.col("metric").is_in(INIT_METRICS)).select(*CONTAINER, init=True)
    containers = containers.with_columns(pl.col("index").cast(pl.Int64)).join(
        _kinds(snapshot, series, now - history), on=WORKLOAD, how="left", maintain_order="left"
    )
    containers = containers.join(
        init.unique(), on=CONTAINER, how="left", maintain_order="left"
    ).with_columns(pl.col("init").fill_null(value=False))
    of_pods = (
        used.filter(~pl.col("before"))
        .join(containers.select("index", *CONTAINER), on=CONTAINER)
        .group_by("index", *POD)
        .agg(
            # One of a container that was started anew, where cAdvisor gave it another id.
            pl.col("series_id").filter(pl.col("metric") == CPU).alias("cpu"),
            pl.col("series_id").filter(pl.col("metric") == MEMORY).alias("memory"),
            pl.col("first_seen").min(),
        )
        .sort("index", *POD)
    )
    return Inventory(series, containers, of_pods)


def _kinds(snapshot: Snapshot, series: pl.DataFrame, since: datetime) -> pl.DataFrame:
    """The kind of each workload that something tells of: what Kubernetes told us goes first."""
    told = pl.DataFrame(run(snapshot, OBJECTS, {"first_day": since.date()}).rows)
    owner = pl.col("owner_kind")
    owned = series.filter(
        pl.col("metric") == POD_OWNER, owner.is_not_null() & ~owner.is_in(["", "<none>"])
    ).select(*WORKLOAD, owner.replace(OWNERS).alias("workload_kind"))
    counted = series.filter(pl.col("metric").is_in(list(KIND_METRICS))).select(
        *WORKLOAD, pl.col("metric").replace_strict(KIND_METRICS).alias("workload_kind")
    )
    columns = [*WORKLOAD, "workload_kind"]
    return (
        pl.concat([told.select(columns), owned, counted])
        .drop_nulls("workload_kind")
        .unique(WORKLOAD, keep="first", maintain_order=True)
    )
