"""How limits and bounds are set now; what is merely not told is neither changed nor gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import Enum

import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.newest import newest, newest_and_unsound
from orchestration.steps.advice.settings import reads
from orchestration.steps.advice.silence import FORGOTTEN

LIMIT, MAXIMUM, MINIMUM = "setting_cpu_limit", "setting_hpa_maximum", "setting_hpa_minimum"

Key = tuple[str, str, str]
"""Cluster, kind of advice, entity."""

LONG_ENOUGH = timedelta(minutes=30)
"""So long its object's other series have to have gone on without it: what an exporter tells at
once may come in parts, and a pod that is made anew is told of bit by bit."""

_SLOT = timedelta(minutes=5)

_BOUNDS = {
    f"{reads.HPA}_spec_max_replicas": MAXIMUM,
    f"{reads.HPA}_spec_min_replicas": MINIMUM,
}

ENDED = """
WITH told AS (
    SELECT s.cluster, s.namespace, s.workload, s.container, b.time, b.metric = $limits AS is_limit,
           b.metric = $limits AND s.labels['resource'] = 'cpu' AS is_it
    FROM buckets(INTERVAL 5 MINUTE) b JOIN series s USING (cluster, metric, series_id)
    WHERE b.time >= $start AND b.time < $end AND list_contains([$limits, $requests], b.metric)
      AND s.namespace IS NOT NULL AND s.workload IS NOT NULL AND s.container IS NOT NULL
), ends AS (
    SELECT cluster, namespace, workload, container, bool_or(is_limit) AS limited,
           max(time) FILTER (is_it) AS ended
    FROM told GROUP BY ALL
)
SELECT cluster, namespace, workload, container, limited, max(time) AS seen,
       min(time) FILTER (NOT is_it AND (ended IS NULL OR time > ended)) AS without
FROM told JOIN ends USING (cluster, namespace, workload, container)
GROUP BY ALL
"""
"""By container: whether any limit of it was told, when anything was told last, and since when
the rest is told without its limit of CPU."""


class Untold(Enum):
    """Why no number tells what is set."""

    TAKEN_AWAY = "taken away"
    """It is set no more."""
    UNKNOWN = "unknown"
    """Nothing tells: its exporter is down, or tells this no more."""


def set_now(
    snapshot: Snapshot, wanted: Collection[Key], now: datetime
) -> Mapping[Key, float | Untold]:
    """What is set; things that are gone themselves are left out.

    A limit is taken away where its container is told without it for long enough while limits of
    others are told, or it was the only one. A thing is gone where nothing is told of it while the
    same is of others in its cluster.

    Args:
        snapshot: where that is told.
        wanted: of what.
        now: what is later is not looked at.
    """
    containers = reads.configured(snapshot, now)
    bounds = newest(snapshot, list(_BOUNDS), ["horizontalpodautoscaler"], now)
    told: dict[Key, float | Untold] = {
        (row["cluster"], LIMIT, _container(row)): row["limit"]
        for row in containers.iter_rows(named=True)
        if row["limit"] is not None
    }
    for row in bounds.iter_rows(named=True):
        name = f"{row['namespace']}/{row['label horizontalpodautoscaler']}"
        told[row["cluster"], _BOUNDS[row["metric"]], name] = row["value"]
    missing = set(wanted) - told.keys()
    if any(kind == LIMIT for _, kind, _ in missing):
        told |= _limits_untold(snapshot, containers, now)
    if any(kind != LIMIT for _, kind, _ in missing):
        told |= _bounds_untold(snapshot, set(bounds["cluster"]), now)
    return {key: told[key] for key in wanted if key in told}


def _limits_untold(
    snapshot: Snapshot, containers: pl.DataFrame, now: datetime
) -> dict[Key, float | Untold]:
    """Of containers of which no limit of CPU is told now, what is known of it."""
    between = TimeRange(now - FORGOTTEN, now)
    params = {
        "start": between.start,
        "end": between.end,
        "limits": reads.LIMITS,
        "requests": reads.REQUESTS,
    }
    before = pl.DataFrame(run(snapshot, ENDED, params, between).rows)
    if not before.height:
        return {}
    rows = before.join(containers, on=reads.CONTAINER, how="left")
    there = pl.col("replicas").is_not_null()
    has_any = pl.col("limit").is_not_null() | pl.col("memory_limit").is_not_null()
    # Of those that are still there: how many had one, and whether any is told now.
    rows = rows.with_columns(
        there.any().over("cluster").alias("exporter is up"),
        has_any.any().over("cluster").alias("limits are told"),
        (there & pl.col("limited")).sum().over("cluster").alias("had one"),
    ).filter(pl.col("limit").is_null())
    alone = pl.col("had one") - pl.col("limited").cast(pl.UInt32) == 0
    gone_on = pl.col("seen") + _SLOT - pl.col("without") >= LONG_ENOUGH
    taken_away = there & gone_on.fill_null(value=False) & (pl.col("limits are told") | alone)
    # One that is told as no number is set.
    _, odd = newest_and_unsound(snapshot, [reads.LIMITS], [], now)
    odd = odd.select(*reads.CONTAINER, odd=True).unique()
    rows = rows.join(odd, on=reads.CONTAINER, how="left").with_columns(
        (taken_away & pl.col("odd").is_null()).alias("taken away")
    )
    rows = rows.filter(there | ~pl.col("exporter is up"))
    return {
        (row["cluster"], LIMIT, _container(row)): (
            Untold.TAKEN_AWAY if row["taken away"] else Untold.UNKNOWN
        )
        for row in rows.iter_rows(named=True)
    }


def _bounds_untold(
    snapshot: Snapshot, told: Collection[str], now: datetime
) -> dict[Key, float | Untold]:
    """Autoscalers of clusters that tell of none now, and did within a day."""
    before = reads.autoscaled(snapshot, now, FORGOTTEN).filter(
        pl.col("metric").is_in(list(_BOUNDS)), ~pl.col("cluster").is_in(list(told))
    )
    return {
        (row["cluster"], _BOUNDS[row["metric"]], f"{row['namespace']}/{row['name']}"): (
            Untold.UNKNOWN
        )
        for row in before.iter_rows(named=True)
    }


def _container(row: Mapping[str, object]) -> str:
    return f"{row['namespace']}/{row['workload']}/{row['container']}"
