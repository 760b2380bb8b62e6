"""Of what kind the workload of each container is: whose template would have to be changed.

A pod tells its owner, a ReplicaSet or a Job that it is owned in turn; by a Deployment, by a Rollout
of Argo, by a CronJob, or by nothing. What nobody tells is not guessed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.rightsizing.releases import STILL

POD_OWNER = "kube_pod_owner"
HPA_INFO = "kube_horizontalpodautoscaler_info"

OWNERS_OF = {"kube_replicaset_owner": "replicaset", "kube_job_owner": "job_name"}
"""Metrics of the owner of an owner, and their label that names whose it is."""

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

METRICS = (POD_OWNER, HPA_INFO, *OWNERS_OF, *KIND_METRICS)

LABELS = (
    "owner_kind",
    "owner_name",
    "owner_is_controller",
    "replicaset",
    "job_name",
    "scaletargetref_kind",
)
"""Labels of these that are read."""

_BY_REPLICA_SETS = ("Deployment", "Rollout")
"""Kinds whose pods are a ReplicaSet's."""

_UNTOLD = "owner of a ReplicaSet"
"""In place of a kind, where a ReplicaSet's owner is not told."""

_NONE = ("", "<none>")
"""What kube-state-metrics writes where there is no owner."""

_WORKLOAD = ["cluster", "namespace", "workload"]
_OWNER = ["cluster", "namespace", "owner_kind", "owner_name"]

OBJECTS = """
SELECT cluster, coalesce(namespace, '') AS namespace, workload, name AS pod,
       arg_max(workload_kind, time) AS told_kind
FROM objects
WHERE date >= $first_day AND time < $now AND kind = 'Pod' AND workload IS NOT NULL
  AND workload_kind IS NOT NULL
GROUP BY ALL
"""


def workload_kinds(
    snapshot: Snapshot, series: pl.DataFrame, used: pl.DataFrame, now: datetime, history: timedelta
) -> pl.DataFrame:
    """A row a container of a workload: `workload_kind`, null = unknown, and `kinds`, where several.

    Workloads of several kinds may have one name, and containers of one name: these are not told
    apart. Pods that may run count. What Kubernetes told of a pod goes first, then its owner and
    what owns that; where its owner is not told, what else there is of the workload's name.

    Args:
        snapshot: where objects are.
        series: of `METRICS`, with `LABELS` as columns.
        used: series of containers of pods, with `last_seen`.
        now: the time; what is later is not looked at.
        history: how far back objects are looked at.
    """
    container = [*_WORKLOAD, "container"]
    params = {"first_day": (now - history).date(), "now": now}
    told = pl.DataFrame(run(snapshot, OBJECTS, params).rows)
    counted = _counted(series, now)
    last = pl.col("last_seen")
    pods = (
        used.group_by(*container, "pod")
        .agg(last.max())
        .filter(last >= pl.min_horizontal(last.max().over(container), now - STILL))
        .join(told, on=[*_WORKLOAD, "pod"], how="left")
        .join(_owned(series), on=["cluster", "namespace", "pod"], how="left")
        .join(counted, on=_WORKLOAD, how="left")
        .with_columns(pl.col("counted").fill_null([]))
    )
    own = pl.coalesce("told_kind", _by_owner())
    known = (
        pl.when(own.is_not_null())
        .then(pl.concat_list(own))
        .when(pl.col("owner_kind").is_null())
        .then("counted")
        .otherwise(pl.lit([_UNTOLD]))
    )
    kind = pl.col("kinds")
    found = pods.group_by(container).agg(
        known.explode().drop_nulls().unique().sort().alias("kinds")
    )
    # What is not told of one ReplicaSet, others of its owner may tell.
    may_be = kind.list.set_intersection(list(_BY_REPLICA_SETS)).list.len() > 0
    found = found.with_columns(
        pl.when(may_be).then(kind.list.set_difference([_UNTOLD])).otherwise(kind).alias("kinds")
    )
    one = pl.when(kind.list.len() == 1).then(kind.list.first())
    return found.select(
        *container,
        pl.when(one != _UNTOLD).then(one).alias("workload_kind"),
        pl.when(kind.list.len() > 1).then(kind.list.sort()).alias("kinds"),
    )


def _counted(series: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """What is told of workloads, by name: `counted`, kinds."""
    recent = series.filter(pl.col("last_seen") >= now - STILL)
    by_metric = recent.filter(pl.col("metric").is_in(list(KIND_METRICS))).select(
        *_WORKLOAD, pl.col("metric").replace_strict(KIND_METRICS).alias("kind")
    )
    scaled = recent.filter(pl.col("metric") == HPA_INFO).select(
        *_WORKLOAD, pl.col("scaletargetref_kind").alias("kind")
    )
    kind = pl.col("kind")
    return (
        pl.concat([by_metric, scaled])
        .drop_nulls()
        .unique()
        # A CronJob's jobs are told of by its name.
        .filter((kind != "Job") | ~(kind == "CronJob").any().over(_WORKLOAD))
        .group_by(_WORKLOAD)
        .agg(kind.sort().alias("counted"))
    )


def _owned(series: pl.DataFrame) -> pl.DataFrame:
    """By pod: `owner_kind`, `owner_name`, and `top`, the owner's owner, empty = it has none."""
    controls = pl.col("owner_is_controller").fill_null("true") != "false"
    owners = (
        series.filter(pl.col("metric") == POD_OWNER, controls)
        .filter(~pl.col("owner_kind").fill_null("").is_in(_NONE))
        .sort("last_seen")
        .unique(["cluster", "namespace", "pod"], keep="last", maintain_order=True)
        .select("cluster", "namespace", "pod", "owner_kind", "owner_name")
    )
    above = [
        series.filter(pl.col("metric") == metric, controls).select(
            "cluster",
            "namespace",
            pl.lit("ReplicaSet" if label == "replicaset" else "Job").alias("owner_kind"),
            pl.col(label).alias("owner_name"),
            pl.col("owner_kind").fill_null("").replace(dict.fromkeys(_NONE, "")).alias("top"),
        )
        for metric, label in OWNERS_OF.items()
    ]
    tops = pl.concat(above).group_by(_OWNER).agg(pl.col("top").max())
    return owners.join(tops, on=_OWNER, how="left")


def _by_owner() -> pl.Expr:
    """The kind of a pod's workload, by its owner; null = nothing tells."""
    kind, top, counted = pl.col("owner_kind"), pl.col("top"), pl.col("counted")
    # What is named otherwise than its ReplicaSet or Job, as by a hash, is not that itself.
    itself = pl.col("owner_name") == pl.col("workload")
    makers = counted.list.set_intersection(list(_BY_REPLICA_SETS))
    replica_set = (
        pl.when(top == "")
        .then(pl.when(itself).then(pl.lit("ReplicaSet")))
        .when(top.is_not_null())
        .then(top)
        .when(~itself & (makers.list.len() == 1))
        .then(makers.list.first())
    )
    job = (
        pl.when(top != "")
        .then(top)
        .when(top.is_null() & ~itself & counted.list.contains("CronJob"))
        .then(pl.lit("CronJob"))
        .otherwise(pl.lit("Job"))
    )
    return (
        pl.when(kind == "ReplicaSet")
        .then(replica_set)
        .when(kind == "Job")
        .then(job)
        .otherwise(kind)
    )
