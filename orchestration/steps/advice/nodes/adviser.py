"""The adviser on nodes: reads, packs each cluster, tells; and sees what became of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from detectors.packing import NOT_PLACED, Plan, empty
from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Advice, Followed
from orchestration.steps.advice.newest import newest
from orchestration.steps.advice.nodes import metrics
from orchestration.steps.advice.nodes.cluster import CPU, MEMORY, World, world
from orchestration.steps.advice.nodes.metrics import read
from orchestration.steps.advice.nodes.told import Shared, advice_of
from orchestration.steps.advice.nodes.use import together, use_of_pods
from orchestration.steps.advice.rows import APPLIED
from orchestration.steps.advice.silence import silent_clusters

logger = logging.getLogger(__name__)


def advise(snapshot: Snapshot, now: datetime, settings: AdviceSettings) -> Sequence[Advice]:
    """Which nodes of each cluster could be emptied, in their order.

    Clusters whose nodes' sizes or pods are not told have none.
    """
    found: list[Advice] = []
    for cluster, plan in plans(snapshot, now, settings):
        with _alone(cluster.name):
            found += _told(snapshot, cluster, plan, now, settings)
    return found


@contextmanager
def _alone(cluster: str) -> Iterator[None]:
    """What one cluster tells may be nonsense: the others are advised all the same."""
    try:
        yield
    except Exception:
        logger.exception("no advice on nodes", extra={"cluster": cluster})


def plans(snapshot: Snapshot, now: datetime, settings: AdviceSettings) -> list[tuple[World, Plan]]:
    """Each cluster as it is, and the plan for it: also what keeps each of the other nodes."""
    told = read(snapshot, now)
    if not told.clusters:
        return []
    use = use_of_pods(snapshot, now, settings.nodes.usage)
    found = []
    for name in told.clusters:
        own = use.filter(pl.col("cluster") == name).drop("cluster")
        with _alone(name):
            cluster = world(told, name, own, settings.nodes, now)
            if cluster is not None:
                found.append((cluster, empty(cluster.nodes, cluster.pods, cluster.rules)))
    return found


def _told(
    snapshot: Snapshot, cluster: World, plan: Plan, now: datetime, settings: AdviceSettings
) -> list[Advice]:
    if not len(plan.drained):
        return []
    cells = _together(snapshot, cluster, plan, now, settings.nodes.usage)
    shared = [_shared(cluster, plan, step, cells) for step in range(len(plan.drained))]
    return advice_of(cluster, plan, shared, settings)


def _together(
    snapshot: Snapshot, cluster: World, plan: Plan, now: datetime, over: timedelta
) -> pl.DataFrame:
    """What the pods of all nodes that take some would have used together, as shares of them."""
    node = cluster.pods.node.copy()
    node[plan.pod] = plan.target
    takes = np.isin(node, np.unique(plan.target)) & (node != NOT_PLACED)
    rows = np.flatnonzero(takes)
    names = cluster.machines["node"].to_numpy()
    was = cluster.pods.node[rows]
    placed = cluster.tenants[rows].select(
        pl.lit(cluster.name).alias("cluster"),
        "namespace",
        "pod",
        pl.Series("was", [None if at == NOT_PLACED else names[at] for at in was], pl.String),
        pl.Series("is", names[node[rows]], pl.String),
    )
    sizes = cluster.machines.select(
        "node", pl.col(CPU).alias("cores"), pl.col(MEMORY).alias("bytes")
    )
    used = together(snapshot, placed, now, over)
    return used.join(sizes, on="node").with_columns(
        pl.col("cpu") / pl.col("cores"), pl.col("memory") / pl.col("bytes")
    )


def _shared(cluster: World, plan: Plan, step: int, cells: pl.DataFrame) -> Shared | None:
    names = cluster.machines["node"]
    targets = names[np.unique(plan.target[plan.step == step])]
    own = cells.filter(pl.col("node").is_in(targets.implode()))
    if not own.height:
        return None
    short = pl.max_horizontal("cpu", "memory") > 1.0
    slots = own.group_by("after", "time").agg(short.any().alias("short"))
    share = dict(slots.group_by("after").agg(pl.col("short").mean()).iter_rows())
    # Of nodes whose own pods' use is not known there is no before.
    over = [None if (one := share.get(after)) is None else float(one) for after in (False, True)]
    most = own.filter("after").select(pl.col("cpu", "memory").max().fill_null(0.0)).row(0)
    return Shared(over=(over[0], over[1]), most=(float(most[0]), float(most[1])))


def follow(
    snapshot: Snapshot, rows: Sequence[dict[str, Any]], now: datetime, settings: AdviceSettings
) -> Mapping[str, Followed]:
    """Whether nodes are gone that could be emptied, and how much less there is since then.

    Of a cluster that tells of no node now and did within a day, advice stays what it is.
    """
    sizes = newest(snapshot, [metrics.ALLOCATABLE], ["resource"], now)
    cores = sizes.filter(pl.col("label resource") == "cpu")
    known = {
        str(cluster): set(part["node"])
        for (cluster,), part in cores.partition_by("cluster", as_dict=True).items()
    }
    untold = any(row["cluster"] not in known for row in rows)
    silent = silent_clusters(snapshot, metrics.ALLOCATABLE, now) if untold else frozenset()
    found = {}
    for row in rows:
        nodes = known.get(row["cluster"])
        if nodes is None:
            # The cluster tells nothing now: its nodes need not be gone.
            if row["cluster"] in silent:
                applied = row["state"] == APPLIED
                found[row["advice_id"]] = Followed(applied=applied, holds=True)
            continue
        gone = row["entity"] not in nodes
        effect = None
        if gone:
            effect = {
                "predicted": {"nodes": row["current"]["cluster_nodes"] - 1},
                "measured": {"nodes": len(nodes)},
            }
        found[row["advice_id"]] = Followed(gone, effect)
    return found
