"""What pods really used: each over some time, and those that would share a node together."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot

CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"

_SLOT_SECONDS = 300.0
_SOUND = "isfinite(b.increase) AND isfinite(b.sum) AND b.min >= 0"
"""Infinite and negative ones are an exporter's mistake."""

_CELLS = f"""
cells AS (
    SELECT s.cluster, s.namespace, s.pod, b.time,
           sum(b.increase) FILTER (b.metric = $cpu AND {_SOUND}) / $seconds AS cpu,
           sum(b.sum / b."count") FILTER (b.metric = $memory AND {_SOUND}) AS memory,
           bool_and({_SOUND}) AS sound
    FROM buckets(INTERVAL 5 MINUTE) b JOIN series s USING (cluster, metric, series_id)
    WHERE b.time >= $start AND b.time < $end AND list_contains([$cpu, $memory], b.metric)
      AND s.pod IS NOT NULL AND s.container IS NOT NULL AND s.container NOT IN ('', 'POD')
      AND ($clusters IS NULL OR list_contains($clusters, b.cluster))
    GROUP BY ALL
)
"""  # noqa: S608 - constants of ours
"""Without a container it is the pod's sum, or a slice of the node."""

USE = f"""
WITH {_CELLS}
SELECT cluster, namespace, pod, quantile_cont(cpu, 0.95) AS cpu_used, max(memory) AS memory_used,
       bool_and(sound) AS sound
FROM cells GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 - constants of ours

TOGETHER = f"""
WITH placed AS (
    SELECT unnest($cluster) AS cluster, unnest($namespace) AS namespace, unnest($pod) AS pod,
           unnest($was) AS was, unnest($is) AS "is"
), {_CELLS}, sides AS (
    SELECT cluster, time, was AS node, false AS after, cpu, memory FROM cells JOIN placed
        USING (cluster, namespace, pod)
    UNION ALL
    SELECT cluster, time, "is", true, cpu, memory FROM cells JOIN placed
        USING (cluster, namespace, pod)
)
SELECT cluster, node, after, time, sum(cpu) AS cpu, sum(memory) AS memory
FROM sides WHERE node IS NOT NULL AND (cpu IS NOT NULL OR memory IS NOT NULL)
GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 - constants of ours


def use_of_pods(snapshot: Snapshot, now: datetime, over: timedelta) -> pl.DataFrame:
    """A row a pod: `cpu_used` in cores, `memory_used` in bytes, `sound`: nothing is left out.

    Of CPU what 95 % of five minutes stayed below, of memory the most of any five minutes' mean.
    """
    between = TimeRange(now - over, now)
    params = _params(between) | {"clusters": None}
    return pl.DataFrame(run(snapshot, USE, params, between).rows)


def together(
    snapshot: Snapshot, placed: pl.DataFrame, now: datetime, over: timedelta
) -> pl.DataFrame:
    """What the pods of each node used at the same time: `node`, `after`, `time`, `cpu`, `memory`.

    Args:
        snapshot: where they are.
        placed: `cluster`, `namespace`, `pod`, `was`, `is`: the nodes of each pod before and after.
        now: what is later is not looked at.
        over: how far back.
    """
    between = TimeRange(now - over, now)
    columns = {
        name: placed[name].to_list() for name in ("cluster", "namespace", "pod", "was", "is")
    }
    params = _params(between) | columns | {"clusters": sorted(set(columns["cluster"]))}
    return pl.DataFrame(run(snapshot, TOGETHER, params, between).rows)


def _params(between: TimeRange) -> dict[str, object]:
    return {
        "cpu": CPU,
        "memory": MEMORY,
        "seconds": _SLOT_SECONDS,
        "start": between.start,
        "end": between.end,
    }
