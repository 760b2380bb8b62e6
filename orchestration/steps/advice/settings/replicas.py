"""Replicas: one that does much more than its siblings, and all of them on one node."""

from __future__ import annotations

import numpy as np
import polars as pl

from detectors.configuration import uneven
from orchestration.steps.advice.advice import Advice, Evidence
from orchestration.steps.advice.rows import Row
from orchestration.steps.advice.settings.reads import CPU, WORKLOAD

INFO = "kube_pod_info"
PHASE = "kube_pod_status_phase"

LEAST_CORES = 0.05
"""Used by the busiest replica: below it, uneven is not worth a look."""


def unbalanced(used: pl.DataFrame, over: str) -> list[Advice]:
    """Workloads of which one replica does most, hour after hour, and does not so elsewhere.

    Where it is so in every other cluster, too, it is how the workload is made: a leader.

    Args:
        used: `reads.replicas`.
        over: of which time that is, for people.
    """
    if not used.height:
        return []
    wide = used.pivot("time", index=[*WORKLOAD, "pod"], values="used", aggregate_function="sum")
    wide = wide.sort(*WORKLOAD, "pod")
    group = wide.select(pl.struct(WORKLOAD).rank("dense").cast(pl.Int64) - 1).to_series()
    values = wide.select(pl.exclude(*WORKLOAD, "pod")).cast(pl.Float64).fill_null(np.nan).to_numpy()
    told = uneven(values, group.to_numpy())
    groups = (
        wide.select(WORKLOAD)
        .unique(maintain_order=True)
        .with_columns(
            pl.Series("row", told.row),
            pl.Series("factor", told.factor, nan_to_null=True),
            pl.Series("share", told.share),
            pl.Series("lopsided", told.lopsided),
        )
    )
    found = []
    for at in np.flatnonzero(told.lopsided).tolist():
        row = groups.row(at, named=True)
        most = float(np.nanmean(values[told.row[at]]))
        others = groups.filter(
            pl.col("namespace") == row["namespace"],
            pl.col("workload") == row["workload"],
            pl.col("cluster") != row["cluster"],
            pl.col("row") >= 0,
        )
        if most < LEAST_CORES or (others.height and bool(others["lopsided"].all())):
            continue
        found.append(_unbalanced(row, str(wide["pod"][int(told.row[at])]), most, others, over))
    return found


def _unbalanced(row: Row, pod: str, most: float, others: pl.DataFrame, over: str) -> Advice:
    even = others.filter(~pl.col("lopsided"))["cluster"].to_list()
    beside = (
        "in another cluster its replicas share alike"
        if even
        else "no other cluster runs several of it, so nothing tells whether it is made so"
    )
    factor = float(row["factor"])
    return Advice(
        cluster=str(row["cluster"]),
        kind="setting_balance",
        entity=f"{row['namespace']}/{row['workload']}",
        namespace=str(row["namespace"]),
        workload=str(row["workload"]),
        title=f"one replica of {row['namespace']}/{row['workload']} of {row['cluster']} uses "
        f"{factor:.1f} times the CPU of its siblings",
        reason="requests or partitions are not dealt out evenly (session affinity, long-lived "
        "connections, a hot key): the others are paid for idle, and limits and autoscaling by the "
        f"mean do not fit the one; {beside}",
        current={"busiest_times_siblings": round(factor, 2)},
        proposed={"busiest_times_siblings": 1.0},
        evidence=[
            Evidence("the replica", pod),
            Evidence("it used, on average", round(most, 4), "cores", over, CPU),
            Evidence("share of hours in which it used twice as much as its siblings",
                     round(float(row["share"]), 4), "share", over, CPU),
            Evidence("other clusters that run several of it", others.height, "clusters"),
        ],
        confidence=0.8 if even else 0.5,
    )  # fmt: skip


def together(pods: pl.DataFrame) -> list[Advice]:
    """Workloads whose replicas are all on one node, in clusters of several nodes.

    Args:
        pods: `newest` of `kube_pod_info`.
    """
    placed = pods.drop_nulls([*WORKLOAD, "pod", "node"]).filter(pl.col("value") > 0.0)
    nodes = placed.group_by("cluster").agg(pl.col("node").n_unique().alias("cluster_nodes"))
    spread = (
        placed.group_by(WORKLOAD)
        .agg(
            pl.col("pod").n_unique().alias("replicas"),
            pl.col("node").n_unique().alias("nodes"),
            pl.col("node").first(),
        )
        .join(nodes, on="cluster")
        .sort(WORKLOAD)
    )
    alone = spread.filter(pl.col("replicas") > 1, pl.col("nodes") == 1, pl.col("cluster_nodes") > 1)
    found = []
    for row in alone.iter_rows(named=True):
        others = spread.filter(
            pl.col("namespace") == row["namespace"],
            pl.col("workload") == row["workload"],
            pl.col("cluster") != row["cluster"],
            pl.col("replicas") > 1,
        )
        apart = others.filter(pl.col("nodes") > 1)["cluster"].to_list()
        beside = "in another cluster they are apart" if apart else "no other cluster has them apart"
        found.append(
            Advice(
                cluster=row["cluster"],
                kind="setting_spread",
                entity=f"{row['namespace']}/{row['workload']}",
                namespace=row["namespace"],
                workload=row["workload"],
                node=row["node"],
                title=f"all {row['replicas']} replicas of {row['namespace']}/{row['workload']} of "
                f"{row['cluster']} are on node {row['node']}",
                reason="if that node fails or is emptied, all are away at once; expected of a "
                f"spread constraint or anti-affinity: all but one stay; {beside}",
                current={"nodes": 1},
                proposed={"nodes": min(row["replicas"], row["cluster_nodes"])},
                evidence=[
                    Evidence("replicas", row["replicas"], "pods", metric=INFO),
                    Evidence("nodes of the cluster that run pods", row["cluster_nodes"], "nodes"),
                    Evidence("other clusters that have them apart", len(apart), "clusters"),
                ],
                confidence=0.8 if apart else 0.6,
            )
        )
    return found
