"""What the lake holds of queues, GPUs and data sets, by three queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot

Float64 = npt.NDArray[np.float64]

Role = Literal["allocated", "waiting", "requested", "capacity", "memory", "size", "cached"]

MILLI = 1e-3
MIB = 1024.0**2


@dataclass(frozen=True, slots=True)
class Told:
    """What a metric tells.

    Attributes:
        role: of what.
        queue: label that names the queue.
        factor: to GPUs, gangs or bytes.
        rank: of several that tell the same, the lowest counts.
    """

    role: Role
    queue: str | None = None
    factor: float = 1.0
    rank: int = 0


_VOLCANO = "queue_name"
_KUEUE = "cluster_queue"

METRICS: Mapping[str, Told] = {
    # Volcano counts scalar resources in thousandths.
    "volcano_queue_allocated_scalar_resources": Told("allocated", _VOLCANO, MILLI),
    "volcano_queue_request_scalar_resources": Told("requested", _VOLCANO, MILLI),
    # Of guaranteed and borrowed together; what the queue may use by its own words; its fair share.
    "volcano_queue_real_capacity_scalar_resources": Told("capacity", _VOLCANO, MILLI, 0),
    "volcano_queue_capacity_scalar_resources": Told("capacity", _VOLCANO, MILLI, 1),
    "volcano_queue_deserved_scalar_resources": Told("capacity", _VOLCANO, MILLI, 2),
    "volcano_queue_pod_group_pending_count": Told("waiting", _VOLCANO),
    "volcano_queue_pod_group_inqueue_count": Told("waiting", _VOLCANO),
    "kueue_cluster_queue_resource_usage": Told("allocated", _KUEUE),
    "kueue_cluster_queue_nominal_quota": Told("capacity", _KUEUE),
    "kueue_pending_workloads": Told("waiting", _KUEUE),
    "DCGM_FI_DEV_FB_USED": Told("memory", factor=MIB),
    "DCGM_FI_DEV_FB_FREE": Told("memory", factor=MIB),
    "dataset_ufs_total_size": Told("size"),
    "Cluster_CapacityUsed": Told("cached"),
}
"""By exact name: Volcano, Kueue, DCGM, Fluid, and Alluxio below Fluid."""

CHANGING = ("allocated", "waiting")
"""Roles whose past is read; of the others the newest value."""

RECENT = timedelta(minutes=30)
"""A value that is older says nothing of now."""

SERIES = """
SELECT cluster, metric, series_id, namespace, node, instance, labels
FROM series
WHERE list_contains($metrics, metric) AND first_seen < $until
  AND last_seen >= CASE WHEN list_contains($changing, metric) THEN $begin ELSE $since END
  AND ($clusters IS NULL OR list_contains($clusters, cluster))
ORDER BY cluster, metric, series_id
"""

CHANGES = """
SELECT series_id, epoch_us(time) / 3.6e9 AS hour, value
FROM samples
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
  AND series_id IN (SELECT unnest($ids)) AND isfinite(value)
WINDOW own AS (PARTITION BY series_id ORDER BY time)
QUALIFY value IS DISTINCT FROM lag(value) OVER own OR lead(value) OVER own IS NULL
ORDER BY series_id, time
"""
"""Steps, and the last sample: it tells how fresh the series is."""

NEWEST = """
SELECT series_id, arg_max(value, time) AS value, epoch_us(max(time)) / 3.6e9 AS hour
FROM samples
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
  AND series_id IN (SELECT unnest($ids)) AND isfinite(value)
GROUP BY ALL ORDER BY series_id
"""

FILLING = """
SELECT series_id, max((max - min) / (300 * ("count" - 1) / "count")) AS rate
FROM buckets(INTERVAL 5 MINUTE)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
  AND series_id IN (SELECT unnest($ids)) AND isfinite(sum) AND "count" > 1
GROUP BY ALL ORDER BY series_id
"""
"""How fast each cache was filled at most, bytes a second, from first to last sample of a slot."""


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a role.

    Attributes:
        cluster: of which.
        metric: its name.
        labels: all of them.
        told: what it tells.
        hour: of its samples, hours since 1970; of roles that do not change the newest alone.
        value: in GPUs, gangs or bytes.
        filling: of a cache, the most that came in a second, 0 = nothing was seen to come.
    """

    cluster: str
    metric: str
    labels: Mapping[str, str]
    told: Told
    hour: Float64
    value: Float64
    filling: float = 0.0


@dataclass(frozen=True, slots=True)
class State:
    """All series of queues, GPUs and data sets.

    Attributes:
        now: the time; nothing after it is read.
        lines: those that have samples.
    """

    now: datetime
    lines: Sequence[Line] = field(default_factory=list)

    def of(self, role: Role) -> list[Line]:
        """The series of one role."""
        return [line for line in self.lines if line.told.role == role]

    @property
    def hour(self) -> float:
        """Now, hours since 1970."""
        return self.now.timestamp() / 3600.0


def read_state(
    snapshot: Snapshot, now: datetime, history: timedelta, clusters: Collection[str] | None = None
) -> State:
    """Everything that placement needs of the lake.

    Args:
        snapshot: where it is.
        now: the time; nothing after it is looked at.
        history: how far back.
        clusters: only these; None = all.
    """
    params = {
        "metrics": sorted(METRICS),
        # An exporter that began again has other series: what it told before is history, too.
        "changing": sorted(name for name, told in METRICS.items() if told.role in CHANGING),
        # `last_seen` is exact to the day.
        "begin": now - history - timedelta(days=1),
        "since": now - timedelta(days=1),
        "until": now,
        "clusters": None if clusters is None else sorted(clusters),
    }
    series = run(snapshot, SERIES, params).rows.to_pylist()
    changing = [one for one in series if METRICS[one["metric"]].role in CHANGING]
    fixed = [one for one in series if METRICS[one["metric"]].role not in CHANGING]
    caches = [one for one in series if METRICS[one["metric"]].role == "cached"]
    long, short = TimeRange(now - history, now), TimeRange(now - RECENT, now)
    samples = pl.concat(
        [
            _asked(snapshot, CHANGES, changing, long),
            _asked(snapshot, NEWEST, fixed, short).select("series_id", "hour", "value"),
        ]
    )
    of = {key[0]: rows for key, rows in samples.partition_by("series_id", as_dict=True).items()}
    filled = dict(_asked(snapshot, FILLING, caches, long).select("series_id", "rate").iter_rows())
    lines = []
    for one in series:
        found = of.get(one["series_id"])
        if found is None:
            continue
        told = METRICS[one["metric"]]
        lines.append(
            Line(
                one["cluster"],
                one["metric"],
                dict(one["labels"]),
                told,
                found["hour"].to_numpy(),
                found["value"].to_numpy() * told.factor,
                filled.get(one["series_id"], 0.0),
            )
        )
    return State(now, lines)


def _asked(
    snapshot: Snapshot, sql: str, series: Sequence[Mapping[str, object]], between: TimeRange
) -> pl.DataFrame:
    params = {
        "metrics": sorted({str(one["metric"]) for one in series}),
        "ids": [one["series_id"] for one in series],
        "start": between.start,
        "end": between.end,
    }
    rows = pl.DataFrame(run(snapshot, sql, params, between).rows)
    figures = [name for name in rows.columns if name != "series_id"]
    return rows.with_columns(pl.col("series_id").cast(pl.Int64), pl.col(figures).cast(pl.Float64))
