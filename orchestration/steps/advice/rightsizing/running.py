"""Which pods run now: those that tell of their use as long as any of their container."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.rightsizing.inventory import CPU, MEMORY, Inventory

RECENT = timedelta(hours=1)
"""What told nothing for so long does not run."""

LATE = timedelta(minutes=10)
"""Two slots: exporters tell at different times."""

LIVE = """
SELECT series_id, max(time) AS told FROM buckets(INTERVAL 5 MINUTE)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric) GROUP BY ALL
"""


def live(snapshot: Snapshot, inventory: Inventory, between: TimeRange) -> pl.DataFrame:
    """Rows of `of_pods` that run: in the last hour of a time, they tell as long as any of theirs.

    After a rollout, the pods before it tell nothing more while the new ones do.
    """
    recent = TimeRange(between.end - RECENT, between.end)
    params = {"start": recent.start, "end": recent.end, "metrics": [CPU, MEMORY]}
    told = pl.DataFrame(run(snapshot, LIVE, params, recent).rows)
    of_pods = inventory.of_pods.with_row_index("row")
    series = of_pods.select("row", "index", pl.concat_list("cpu", "memory").alias("series_id"))
    newest = (
        series.explode("series_id")
        .join(told, on="series_id")
        .group_by("row", "index")
        .agg(pl.col("told").max())
        .filter(pl.col("told") >= pl.col("told").max().over("index") - LATE)
    )
    return of_pods.join(newest, on="row", how="semi").drop("row")
