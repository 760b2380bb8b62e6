"""What the settings' advisers read: use by hour, limits and requests, autoscalers, requests."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.newest import newest

MEMORY = "container_memory_working_set_bytes"
CPU = "container_cpu_usage_seconds_total"
THROTTLED = "container_cpu_cfs_throttled_seconds_total"
PERIODS = "container_cpu_cfs_periods_total"
THROTTLED_PERIODS = "container_cpu_cfs_throttled_periods_total"
LIMITS = "kube_pod_container_resource_limits"
REQUESTS = "kube_pod_container_resource_requests"
ISTIO = "istio_requests_total"
HPA = "kube_horizontalpodautoscaler"
DEMANDED = f"{HPA}_status_target_metric"

WORKLOAD = ["cluster", "namespace", "workload"]
CONTAINER = [*WORKLOAD, "container"]
HOUR = timedelta(hours=1)

_HOURS = """
hours AS (
    SELECT s.cluster, s.namespace, s.workload, s.container, s.pod, b.time,
           sum(b.increase) FILTER (b.metric = $cpu) / 3600 AS used,
           sum(b.increase) FILTER (b.metric = $throttled) / 3600 AS throttled,
           sum(b.increase) FILTER (b.metric = $bad) AS bad,
           sum(b.increase) FILTER (b.metric = $periods) AS periods,
           sum(b."count") FILTER (b.metric = $cpu) AS samples
    FROM buckets(INTERVAL 1 HOUR) b JOIN series s USING (cluster, metric, series_id)
    WHERE b.time >= $start AND b.time < $end
      AND list_contains([$cpu, $throttled, $bad, $periods], b.metric)
      AND s.namespace IS NOT NULL AND s.workload IS NOT NULL AND s.pod IS NOT NULL
      AND s.container IS NOT NULL AND s.container NOT IN ('', 'POD')
    GROUP BY ALL
)
"""

USE = f"""
WITH {_HOURS}
SELECT cluster, namespace, workload, container, count(*) AS hours,
       avg(used) AS used_mean, quantile_cont(used, 0.95) AS used_most,
       CASE WHEN sum(periods) > 0 THEN sum(bad) / sum(periods)
            ELSE sum(throttled) / nullif(sum(throttled) + sum(used), 0) END AS throttled,
       coalesce(sum(periods) > 0, false) AS by_periods
FROM hours GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 - constants of ours
"""Where periods are not told, the share of time is taken: less than that of periods, as a rule."""

REPLICAS = f"""
WITH {_HOURS}
SELECT cluster, namespace, workload, pod, time, used FROM (
    SELECT cluster, namespace, workload, pod, time, sum(used) AS used, sum(samples) AS samples
    FROM hours WHERE used IS NOT NULL GROUP BY ALL
)
QUALIFY samples >= $whole * max(samples) OVER (PARTITION BY cluster, namespace, workload)
ORDER BY ALL
"""  # noqa: S608 - constants of ours
"""Of hours in which a replica was there all the time: a new one does less than its siblings."""

WHOLE = 0.9
"""Of the samples of an hour."""

AUTOSCALED = """
SELECT s.cluster, s.namespace, labels['horizontalpodautoscaler'] AS name, b.metric, b.time,
       sum(b.sum) / sum(b."count") AS value
FROM buckets(INTERVAL 1 HOUR) b JOIN series s USING (cluster, metric, series_id)
WHERE b.time >= $start AND b.time < $end AND list_contains($metrics, b.metric)
GROUP BY ALL ORDER BY ALL
"""

HELD = """
SELECT s.cluster, s.namespace, s.workload, b.time, sum(b.sum) / max(b."count") AS used
FROM buckets(INTERVAL 1 HOUR) b JOIN series s USING (cluster, metric, series_id)
WHERE b.time >= $start AND b.time < $end AND b.metric = $metric AND isfinite(b.sum)
  AND s.namespace IS NOT NULL AND s.workload IS NOT NULL AND s.pod IS NOT NULL
  AND s.container IS NOT NULL AND s.container NOT IN ('', 'POD')
GROUP BY ALL ORDER BY ALL
"""
"""Who was there for a part of an hour counts for that part: in a roll-out, old and new are one."""

DEMANDS = """
SELECT s.cluster, s.namespace, labels['horizontalpodautoscaler'] AS name,
       labels['metric_name'] AS metric_name, labels['metric_target_type'] AS metric_target_type,
       b.time, max(b.sum / b."count") AS value
FROM buckets(INTERVAL 1 HOUR) b JOIN series s USING (cluster, metric, series_id)
WHERE b.time >= $start AND b.time < $end AND b.metric = $metric AND isfinite(b.sum)
GROUP BY ALL ORDER BY ALL
"""

EDGES = """
SELECT s.cluster, s.labels['source_workload_namespace'] AS source_namespace,
       s.labels['source_workload'] AS source,
       s.labels['destination_workload_namespace'] AS namespace,
       s.labels['destination_workload'] AS workload, b.time,
       sum(b.increase) FILTER (s.labels['reporter'] = 'source') AS made,
       sum(b.increase) FILTER (s.labels['reporter'] = 'destination') AS arrived,
       sum(b.increase) FILTER (s.labels['reporter'] = 'destination'
                               AND starts_with(s.labels['response_code'], '5')) AS failed
FROM buckets(INTERVAL 5 MINUTE) b JOIN series s USING (cluster, metric, series_id)
WHERE b.time >= $start AND b.time < $end AND b.metric = $metric
  AND coalesce(s.labels['source_workload'], 'unknown') <> 'unknown'
  AND coalesce(s.labels['destination_workload'], 'unknown') <> 'unknown'
GROUP BY ALL ORDER BY ALL
"""


def use(snapshot: Snapshot, now: datetime, over: timedelta) -> pl.DataFrame:
    """A row a container of a workload, by `CONTAINER`.

    Columns: `hours` (of all replicas), `used_mean` and `used_most` (cores a replica), `throttled`
    (share), `by_periods` (whether it is one of periods).
    """
    return _frame(snapshot, USE, TimeRange(now - over, now), _counters())


def replicas(snapshot: Snapshot, now: datetime, over: timedelta) -> pl.DataFrame:
    """A row a pod and whole hour: `WORKLOAD`, `pod`, `time`, `used` (cores)."""
    params = _counters() | {"whole": WHOLE}
    return _frame(snapshot, REPLICAS, TimeRange(now - over, now), params)


def configured(snapshot: Snapshot, now: datetime) -> pl.DataFrame:
    """A row a container of a workload, by `CONTAINER`.

    Columns: `limit`, `request` (cores, the largest of its replicas), `memory_limit`,
    `memory_request` (bytes), `replicas`.
    """
    rows = newest(snapshot, [LIMITS, REQUESTS], ["resource"], now)
    rows = rows.drop_nulls([*CONTAINER, "pod"])

    def of(metric: str, resource: str) -> pl.Expr:
        own = (pl.col("metric") == metric) & (pl.col("label resource") == resource)
        return pl.col("value").filter(own).max()

    return rows.group_by(CONTAINER).agg(
        of(LIMITS, "cpu").alias("limit"),
        of(REQUESTS, "cpu").alias("request"),
        of(LIMITS, "memory").alias("memory_limit"),
        of(REQUESTS, "memory").alias("memory_request"),
        pl.col("pod").n_unique().alias("replicas"),
    )


def autoscaled(snapshot: Snapshot, now: datetime, over: timedelta) -> pl.DataFrame:
    """A row an autoscaler, metric and hour: `cluster`, `namespace`, `name`, `metric`, `value`."""
    names = ("spec_min_replicas", "spec_max_replicas", "status_current_replicas")
    metrics: dict[str, object] = {"metrics": [f"{HPA}_{name}" for name in names]}
    return _frame(snapshot, AUTOSCALED, TimeRange(now - over, now), metrics)


def memory(snapshot: Snapshot, now: datetime, over: timedelta) -> pl.DataFrame:
    """A row a workload and hour: `WORKLOAD`, `time`, `used`, bytes of all its replicas together."""
    return _frame(snapshot, HELD, TimeRange(now - over, now), {"metric": MEMORY})


def demanded(snapshot: Snapshot, now: datetime, over: timedelta) -> pl.DataFrame:
    """A row an autoscaler, metric by which it scales and hour: `value`, as it sees it."""
    return _frame(snapshot, DEMANDS, TimeRange(now - over, now), {"metric": DEMANDED})


def edges(snapshot: Snapshot, now: datetime, over: timedelta) -> pl.DataFrame:
    """A row a caller, callee and five minutes: what was made, what arrived, what of it failed."""
    return _frame(snapshot, EDGES, TimeRange(now - over, now), {"metric": ISTIO})


def _counters() -> dict[str, object]:
    return {
        "cpu": CPU,
        "throttled": THROTTLED,
        "periods": PERIODS,
        "bad": THROTTLED_PERIODS,
    }


def _frame(
    snapshot: Snapshot, sql: str, between: TimeRange, params: dict[str, object]
) -> pl.DataFrame:
    params = params | {"start": between.start, "end": between.end}
    return pl.DataFrame(run(snapshot, sql, params, between).rows)
