"""What is set now: requests and limits of containers, of the pods that run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.rightsizing.inventory import (
    ALLOCATABLE,
    LIMITS,
    POD,
    POD_INFO,
    REQUESTS,
    Inventory,
)
from orchestration.steps.advice.rightsizing.sidecars import also_of_sidecars

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

LOOK_BACK = timedelta(days=1)

UNITS = {"cpu": "core", "memory": "byte"}
"""As kube-state-metrics has them."""

NEWEST = """
SELECT series_id, arg_max(last, time) FILTER (isfinite(last) AND last >= 0) AS value,
       bool_and(isfinite(last) AND last >= 0) AS sound, max(time) AS told_at
FROM buckets(INTERVAL 5 MINUTE)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True, eq=False)
class Configured:
    """What is set for each container, and where it runs.

    Attributes:
        cpu_request, cpu_limit, memory_request, memory_limit: cores and bytes `[n]`, NaN = not set
            or not known.
        known: whether anything tells what is set in its pods `[n]`.
        unit: a unit that is not the metric's, of what is set `[n]`, empty = all is well.
        unsound: whether an amount that is set cannot be: infinite, or negative `[n]`.
        pods: that run now `[n]`.
        cpu_requested, memory_requested: by all of these, each as it is set `[n]`.
        node_cpu, node_memory: allocatable on the largest node of its cluster `[n]`, NaN = unknown.
    """

    cpu_request: Float64
    cpu_limit: Float64
    memory_request: Float64
    memory_limit: Float64
    known: Bool
    unit: list[str]
    unsound: Bool
    pods: Float64
    cpu_requested: Float64
    memory_requested: Float64
    node_cpu: Float64
    node_memory: Float64


def configured(
    snapshot: Snapshot, inventory: Inventory, running: pl.DataFrame, between: TimeRange
) -> Configured:
    """Requests and limits as the youngest pod of each container has or had them.

    While a change is rolled out, the youngest has what will be.

    Args:
        snapshot: where they are.
        inventory: of which containers.
        running: rows of `inventory.of_pods`.
        between: they are read in its last day, so that what runs once a day is found.
    """
    n = inventory.containers.height
    recent = TimeRange(between.end - LOOK_BACK, between.end)
    metrics = also_of_sidecars([REQUESTS, LIMITS, ALLOCATABLE, POD_INFO])
    params = {"start": recent.start, "end": recent.end, "metrics": metrics}
    values = pl.DataFrame(run(snapshot, NEWEST, params, recent).rows)
    told = inventory.series.join(values, on="series_id")
    set_now = (
        told.filter(pl.col("metric").is_in([REQUESTS, LIMITS]))
        .join(inventory.of_pods.select("index", *POD, pl.col("first_seen").alias("born")), on=POD)
        # A pod of a StatefulSet keeps its name, and has other series when it is made anew.
        .sort("born", "pod", "told_at", "series_id")
    )
    youngest = set_now.group_by("index", "metric", "resource").agg(pl.col("value").last())

    def of(metric: str, resource: str) -> Float64:
        rows = youngest.filter(pl.col("metric") == metric, pl.col("resource") == resource)
        out = np.full(n, np.nan)
        out[rows["index"].to_numpy()] = rows["value"].to_numpy()
        return out

    each = set_now.group_by("index", "pod", "metric", "resource").agg(pl.col("value").last())
    run_now = running.select("index", "pod").unique()

    def by_all(resource: str, usual: Float64) -> Float64:
        """Of a pod of which nothing is told yet, as much as of the youngest."""
        own = each.filter(pl.col("metric") == REQUESTS, pl.col("resource") == resource)
        rows = run_now.join(own, on=["index", "pod"], how="left")
        who = rows["index"].to_numpy()
        told_of = rows["value"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        out = np.zeros(n)
        np.add.at(out, who, np.where(np.isnan(told_of), np.nan_to_num(usual)[who], told_of))
        return out

    cpu, memory = of(REQUESTS, "cpu"), of(REQUESTS, "memory")
    # Of a pod of which requests of any container are told, or at least that it is there.
    pods = told.filter(pl.col("metric").is_in([REQUESTS, LIMITS, POD_INFO]))
    known = np.zeros(n, dtype=np.bool_)
    covered = inventory.of_pods.join(pods, on=["cluster", "namespace", "pod"], how="semi")
    known[covered["index"].to_numpy()] = True
    return Configured(
        cpu,
        of(LIMITS, "cpu"),
        memory,
        of(LIMITS, "memory"),
        known,
        _odd_units(set_now, n),
        np.isin(np.arange(n), set_now.filter(~pl.col("sound"))["index"].to_numpy()),
        np.bincount(run_now["index"].to_numpy().astype(np.int64), minlength=n).astype(np.float64),
        by_all("cpu", cpu),
        by_all("memory", memory),
        _largest(told, inventory, "cpu"),
        _largest(told, inventory, "memory"),
    )


def _odd_units(set_now: pl.DataFrame, n: int) -> list[str]:
    expected = pl.col("resource").replace_strict(UNITS, default=None)
    # Absent, it is the metric's own.
    odd = set_now.filter(expected.is_not_null(), pl.col("unit").fill_null("") != "")
    odd = odd.filter(pl.col("unit") != expected)
    out = [""] * n
    for index, unit in odd.select("index", "unit").unique().sort("index", "unit").iter_rows():
        out[index] = unit
    return out


def _largest(told: pl.DataFrame, inventory: Inventory, resource: str) -> Float64:
    sizes = (
        told.filter(pl.col("metric") == ALLOCATABLE, pl.col("resource") == resource)
        .group_by("cluster")
        .agg(pl.col("value").max())
    )
    joined = inventory.containers.join(sizes, on="cluster", how="left", maintain_order="left")
    return joined["value"].cast(pl.Float64).fill_null(np.nan).to_numpy()
