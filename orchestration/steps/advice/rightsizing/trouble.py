"""What became of containers as they are set: killed, throttled, or scaled by what they use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.rightsizing.configured import NEWEST
from orchestration.steps.advice.rightsizing.inventory import (
    HPA_INFO,
    HPA_TARGET,
    LAST_TERMINATED,
    LIMITS,
    OOM_EVENTS,
    PERIODS,
    POD,
    THROTTLED_PERIODS,
    THROTTLED_SECONDS,
    WORKLOAD,
    Inventory,
)
from orchestration.steps.advice.rightsizing.usage import RECENT

Float64 = npt.NDArray[np.float64]

HOURS = """
SELECT series_id, metric, sum(increase) AS increase, max(max) AS top,
       count(*) * 3600 AS seconds
FROM buckets(INTERVAL 1 HOUR)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
GROUP BY ALL
"""

KILLED_EVENTS = """
SELECT cluster, namespace, name AS pod, count(*) AS kills FROM events
WHERE time >= $start AND time < $end AND kind = 'Pod' AND reason IN ('OOMKilled', 'OOMKilling')
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True, eq=False)
class Trouble:
    """What happened to each container `[n]`.

    Attributes:
        kills: for want of memory.
        killed_at: the highest limit at which it was killed, bytes, NaN = it was not, or unknown.
        throttled: share of periods (or of time) in which it was throttled, NaN = not told.
    """

    kills: Float64
    killed_at: Float64
    throttled: Float64


def trouble(snapshot: Snapshot, inventory: Inventory, between: TimeRange) -> Trouble:
    """Kills and throttling of all containers within a time.

    Args:
        snapshot: where it is told.
        inventory: of which containers.
        between: of which time.
    """
    n = inventory.containers.height
    metrics = [
        OOM_EVENTS,
        LAST_TERMINATED,
        LIMITS,
        PERIODS,
        THROTTLED_PERIODS,
        THROTTLED_SECONDS,
    ]
    params = {"start": between.start, "end": between.end, "metrics": metrics}
    sums = pl.DataFrame(run(snapshot, HOURS, params, between).rows)
    told = inventory.series.select("series_id", *POD, "resource", "reason").join(
        sums, on="series_id"
    )
    told = told.join(inventory.of_pods.select("index", *POD), on=POD)
    return Trouble(*_kills(snapshot, inventory, told, between, n), _throttled(told, n))


def _kills(
    snapshot: Snapshot,
    inventory: Inventory,
    told: pl.DataFrame,
    between: TimeRange,
    n: int,
) -> tuple[Float64, Float64]:
    by_counter = told.filter(pl.col("metric") == OOM_EVENTS, pl.col("increase") > 0)
    # It stays until the next end of the container: of each pod it tells of one kill.
    by_state = told.filter(
        pl.col("metric") == LAST_TERMINATED, pl.col("reason") == "OOMKilled", pl.col("top") > 0
    ).with_columns(pl.lit(1.0).alias("increase"))
    params = {"start": between.start, "end": between.end}
    events = pl.DataFrame(run(snapshot, KILLED_EVENTS, params).rows)
    # Events name the pod: where it has one container, that was it.
    alone = inventory.of_pods.filter(pl.len().over("cluster", "namespace", "pod") == 1)
    by_event = events.join(
        alone.select("index", *POD), on=["cluster", "namespace", "pod"]
    ).with_columns(pl.col("kills").cast(pl.Float64).alias("increase"))
    columns = ["index", *POD, "increase"]
    kills = pl.concat([one.select(columns) for one in (by_counter, by_state, by_event)])
    # The same kill is told in several ways.
    kills = kills.group_by("index", *POD).agg(pl.col("increase").max())
    counted = np.zeros(n)
    np.add.at(counted, kills["index"].to_numpy(), kills["increase"].to_numpy())
    limits = told.filter(pl.col("metric") == LIMITS, pl.col("resource") == "memory")
    at = kills.join(limits.select(*POD, "top"), on=POD)
    killed_at = np.full(n, np.nan)
    np.fmax.at(killed_at, at["index"].to_numpy(), at["top"].to_numpy())
    return counted, killed_at


def _throttled(told: pl.DataFrame, n: int) -> Float64:
    def total(metric: str, column: str) -> Float64:
        rows = told.filter(pl.col("metric") == metric)
        out = np.zeros(n)
        np.add.at(out, rows["index"].to_numpy(), rows[column].to_numpy())
        return out

    periods = total(PERIODS, "increase")
    seconds = total(THROTTLED_SECONDS, "seconds")
    share = np.full(n, np.nan)
    # Seconds that its threads waited: with many threads more than there are.
    np.divide(total(THROTTLED_SECONDS, "increase"), seconds, out=share, where=seconds > 0)
    np.divide(total(THROTTLED_PERIODS, "increase"), periods, out=share, where=periods > 0)
    return np.where(np.isnan(share), np.nan, np.clip(share, 0.0, 1.0))


def scaled(snapshot: Snapshot, inventory: Inventory, between: TimeRange) -> tuple[Float64, Float64]:
    """Per cent of the request at which a HorizontalPodAutoscaler holds each container.

    Args:
        snapshot: where targets are.
        inventory: of which containers.
        between: they are read in its last hour.

    Returns:
        Of CPU and of memory `[n]`, NaN = nothing scales by it.
    """
    recent = TimeRange(between.end - RECENT, between.end)
    params = {"start": recent.start, "end": recent.end, "metrics": [HPA_TARGET]}
    values = pl.DataFrame(run(snapshot, NEWEST, params, recent).rows)
    key = ["cluster", "namespace", "horizontalpodautoscaler"]
    # What it is of, newer versions of kube-state-metrics tell in a metric of its own.
    named = inventory.of(HPA_INFO).select(*key, pl.col("scaletargetref_name").alias("workload"))
    targets = (
        inventory.of(HPA_TARGET)
        .filter(pl.col("metric_target_type") == "utilization")
        .drop("workload")
        .join(values, on="series_id")
        .join(named.unique(key), on=key)
        .group_by(*WORKLOAD, "metric_name")
        .agg(pl.col("value").min())
    )

    def of(resource: str) -> Float64:
        rows = targets.filter(pl.col("metric_name") == resource)
        joined = inventory.containers.join(rows, on=WORKLOAD, how="left", maintain_order="left")
        return joined["value"].cast(pl.Float64).fill_null(np.nan).to_numpy()

    return of("cpu"), of("memory")
