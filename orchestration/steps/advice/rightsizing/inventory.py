"""Which containers there are: series of what they use, what is set, and what tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.rightsizing import kinds, sidecars
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
HPA_INFO = kinds.HPA_INFO
ALLOCATABLE = "kube_node_status_allocatable"
POD_INFO = "kube_pod_info"

LABELS = (
    "resource",
    "unit",
    "reason",
    "horizontalpodautoscaler",
    "metric_name",
    "metric_target_type",
    "scaletargetref_name",
    "image",
    "cpu",
    *kinds.LABELS,
    *sidecars.LABELS,
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
    ALLOCATABLE,
    POD_INFO,
    *sidecars.METRICS,
    *kinds.METRICS,
)

SERIES = """
SELECT cluster, metric, series_id, namespace, workload, pod, container, node, first_seen,
       last_seen,
       list_transform($names, lambda name: labels[name]) AS told
FROM series
WHERE list_contains($metrics, metric) AND last_seen >= $since AND first_seen < $until
ORDER BY cluster, metric, series_id
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
        series: all that concern containers, with the labels that matter as columns; those of
            sidecars have the metrics of other containers.
        containers: a row each, `index` and what names it, and `workload_kind` (null = unknown), and
            `kinds` where it is of several workloads that have one name, else null;
            `release`, the newest image that it runs, `released` (null = unknown) and `returned`:
            whether that is an older one than others that it ran; and `before`: whether anything
            that it used with others is left out; `init`, whether it is an init container that
            ends, and `sidecar`, whether one that goes on.
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
    init = sidecars.init_containers(series, CONTAINER)
    series = sidecars.named_alike(series, init, CONTAINER)
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
    containers = containers.with_columns(pl.col("index").cast(pl.Int64)).join(
        kinds.workload_kinds(snapshot, series, used.filter(~pl.col("before")), now, history),
        on=CONTAINER,
        how="left",
        maintain_order="left",
    )
    containers = containers.join(
        init, on=CONTAINER, how="left", maintain_order="left"
    ).with_columns(
        (~pl.col("sidecar")).fill_null(value=False).alias("init"),
        pl.col("sidecar").fill_null(value=False),
    )
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
