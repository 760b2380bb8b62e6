"""Which containers an autoscaler scales by what they use, in per cent of their request."""

from __future__ import annotations

from collections.abc import Sequence
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
    WORKLOAD,
    Inventory,
)
from orchestration.steps.advice.rightsizing.running import RECENT

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """By what a HorizontalPodAutoscaler scales each of `n` containers.

    Attributes:
        cpu, memory: per cent of the request at which it holds it `[n]`, NaN = nothing scales by it.
        name: of the autoscaler, where it is the only one and scales by that alone: of others, all
            that they scale by would have to be known to change a part of it `[n]`.
    """

    cpu: Float64
    memory: Float64
    name: Sequence[str | None]

    @classmethod
    def nothing(cls, n: int) -> Scaled:
        """Nothing is scaled."""
        return cls(np.full(n, np.nan), np.full(n, np.nan), [None] * n)


def scaled(snapshot: Snapshot, inventory: Inventory, between: TimeRange) -> Scaled:
    """What scales each container.

    Args:
        snapshot: where targets are.
        inventory: of which containers.
        between: they are read in its last hour.
    """
    recent = TimeRange(between.end - RECENT, between.end)
    params = {"start": recent.start, "end": recent.end, "metrics": [HPA_TARGET, HPA_INFO]}
    values = pl.DataFrame(run(snapshot, NEWEST, params, recent).rows)
    name = pl.col("horizontalpodautoscaler")
    key = ["cluster", "namespace", "horizontalpodautoscaler"]
    # What it is of, newer versions of kube-state-metrics tell in a metric of its own.
    named = (
        inventory.of(HPA_INFO)
        .join(values, on="series_id")
        .sort("told_at", "series_id")
        .select(
            *key,
            pl.col("scaletargetref_name").alias("workload"),
            pl.col("scaletargetref_kind").alias("of_kind"),
        )
        .unique(key, keep="last", maintain_order=True)
    )
    by = pl.struct("metric_name", "metric_target_type").n_unique().over(key)
    scales = [*WORKLOAD, "of_kind"]
    targets = (
        inventory.of(HPA_TARGET)
        .drop("workload")
        .join(values, on="series_id")
        .join(named, on=key)
        .with_columns(by.alias("by"), name.n_unique().over(scales).alias("of"))
        .filter(pl.col("metric_target_type") == "utilization")
    )
    # Of two exporters that tell of the same one, each has its own series.
    lowest = targets.group_by(*scales, "metric_name").agg(pl.col("value").min())
    alone = targets.filter(pl.col("by") == 1, pl.col("of") == 1).unique(scales)

    def told(rows: pl.DataFrame, column: str) -> pl.Series:
        # Another workload may have the name of the one that is scaled.
        other = (pl.col("of_kind") != pl.col("workload_kind")).fill_null(value=False)
        joined = inventory.containers.select("index", *WORKLOAD, "workload_kind").join(
            rows.select(*scales, column), on=WORKLOAD, how="left"
        )
        own = joined.group_by("index").agg(pl.col(column).filter(~other).min())
        return own.sort("index")[column]

    def of(resource: str) -> Float64:
        rows = lowest.filter(pl.col("metric_name") == resource)
        return told(rows, "value").cast(pl.Float64).fill_null(np.nan).to_numpy()

    return Scaled(of("cpu"), of("memory"), told(alone, "horizontalpodautoscaler").to_list())
