"""Reading what people look at: clusters, anomalies, events, one series around an anomaly.

Everything is one SQL query over a snapshot, in pages (`orchestration.steps.paging`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lake import Lake, TimeRange
from orchestration.errors import NotFoundError
from orchestration.steps import paging
from orchestration.steps.anomaly_rows import LONGEST_INTERVAL
from orchestration.steps.paging import Page, Row


@dataclass(frozen=True, slots=True)
class Filter:
    """What a listing is narrowed to; empty or None = everything.

    `between` selects anomalies that overlap it and events within it; `visible` are the clusters
    that the reader may see at all, None = all.
    """

    between: TimeRange
    clusters: Sequence[str] = ()
    namespace: str | None = None
    metric: str | None = None
    min_score: float = 0.0
    source: str | None = None
    reason: str | None = None
    visible: Collection[str] | None = None


CLUSTERS = """
WITH fresh AS (
    SELECT cluster, max(time) AS last_sample, count(*) AS samples
    FROM samples WHERE date >= $day AND time >= $since GROUP BY cluster
), known AS (
    SELECT cluster, count(*) AS series, count(DISTINCT node) AS nodes,
           count(DISTINCT namespace) AS namespaces,
           count(DISTINCT (namespace, workload)) FILTER (WHERE workload IS NOT NULL) AS workloads,
           max(last_seen) AS last_seen
    FROM series WHERE $visible IS NULL OR list_contains($visible, cluster) GROUP BY cluster
), odd AS (
    SELECT cluster, count(*) AS anomalies, count(*) FILTER (state = 'interim') AS open
    FROM anomalies WHERE date >= $day AND "end" >= $since GROUP BY cluster
)
SELECT known.cluster, series, nodes, namespaces, workloads,
       coalesce(last_sample, last_seen) AS last_sample,
       coalesce(samples, 0) AS samples, coalesce(anomalies, 0) AS anomalies,
       coalesce(open, 0) AS open_anomalies
FROM known LEFT JOIN fresh USING (cluster) LEFT JOIN odd USING (cluster)
ORDER BY known.cluster
"""


def clusters(
    lake: Lake,
    now: datetime,
    window: timedelta = timedelta(hours=24),
    *,
    visible: Collection[str] | None = None,
) -> list[Row]:
    """One row a cluster: what it has, when it was last heard of, samples and anomalies of `window`.

    `freshness_seconds` is the age of its newest sample; beyond the window `last_sample` is exact to
    the day only. Of `visible` clusters alone; None = all.
    """
    between = TimeRange(now - window, now + window)
    params = {"since": between.start, "day": between.start.date(), "visible": _listed(visible)}
    rows = paging.rows(lake.sql(CLUSTERS, params, between=between))
    for row in rows:
        row["freshness_seconds"] = max(0.0, (now - row["last_sample"]).total_seconds())
    return rows


ANOMALIES = """
SELECT * EXCLUDE (date) FROM anomalies
WHERE date >= $first_day AND date <= $last_day AND start < $end AND "end" > $start
  AND ($clusters IS NULL OR list_contains($clusters, cluster))
  AND ($namespace IS NULL OR namespace = $namespace)
  AND ($metric IS NULL OR metric = $metric)
  AND score >= $min_score
  AND ($after_time IS NULL OR (start, anomaly_id) < ($after_time, $after_id))
ORDER BY start DESC, anomaly_id DESC LIMIT $rows
"""


def anomalies(lake: Lake, wanted: Filter, limit: int = 100, cursor: str | None = None) -> Page:
    """Anomalies that overlap the range, latest start first.

    Raises:
        FilterError: the cursor is not from this listing, or the limit is out of range.
    """
    reach = TimeRange(wanted.between.start - LONGEST_INTERVAL, wanted.between.end)
    params = {
        **_common(wanted, reach),
        "metric": wanted.metric,
        "min_score": wanted.min_score,
        **paging.after(cursor),
        "rows": paging.size(limit) + 1,
    }
    return paging.page(lake, ANOMALIES, params, reach, limit, ("start", "anomaly_id"))


EVENTS = """
SELECT * EXCLUDE (date) FROM events
WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
  AND ($clusters IS NULL OR list_contains($clusters, cluster))
  AND ($namespace IS NULL OR namespace = $namespace)
  AND ($source IS NULL OR source = $source)
  AND ($reason IS NULL OR reason = $reason)
  AND ($after_time IS NULL OR (time, uid || ':' || count) < ($after_time, $after_id))
ORDER BY time DESC, uid || ':' || count DESC LIMIT $rows
"""


def events(lake: Lake, wanted: Filter, limit: int = 100, cursor: str | None = None) -> Page:
    """Events in the range, latest first.

    Raises:
        FilterError: as `anomalies`.
    """
    params = {
        **_common(wanted, wanted.between),
        "source": wanted.source,
        "reason": wanted.reason,
        **paging.after(cursor),
        "rows": paging.size(limit) + 1,
    }
    page = paging.page(lake, EVENTS, params, wanted.between, limit, ("time", "event_key"))
    for row in page.rows:
        row["attributes"] = dict(row["attributes"] or [])
    return page


DENSITY = """
SELECT a.cluster, time_bucket($bucket, g.at) AS at, count(DISTINCT a.anomaly_id) AS anomalies,
       max(a.score) AS score
FROM anomalies a,
     LATERAL (SELECT unnest(generate_series(
         time_bucket($bucket, greatest(a.start, $start)),
         least(a."end", $end) - INTERVAL 1 MICROSECOND, $bucket)) AS at) g
WHERE a.date >= $first_day AND a.date <= $last_day AND a.start < $end AND a."end" > $start
GROUP BY a.cluster, 2 ORDER BY a.cluster, 2
"""


def density(lake: Lake, between: TimeRange, bucket: timedelta) -> list[Row]:
    """How many anomalies were going on per cluster and bucket of time: the heat map."""
    reach = TimeRange(between.start - LONGEST_INTERVAL, between.end)
    params = {**_days(reach), "start": between.start, "end": between.end, "bucket": bucket}
    return paging.rows(lake.sql(DENSITY, params, between=reach))


def anomaly(lake: Lake, anomaly_id: str, visible: Collection[str] | None = None) -> Row:
    """One anomaly by its id.

    Raises:
        NotFoundError: there is none, or it is not of the `visible` clusters (None = all).
    """
    sql = "SELECT * EXCLUDE (date) FROM anomalies WHERE anomaly_id = $id"
    rows = paging.rows(lake.sql(sql, {"id": anomaly_id}))
    if not rows or (visible is not None and rows[0]["cluster"] not in visible):
        raise NotFoundError(f"no anomaly has the id {anomaly_id!r}")
    return rows[0]


def _common(wanted: Filter, reach: TimeRange) -> dict[str, object]:
    return {
        **_days(reach),
        "start": wanted.between.start,
        "end": wanted.between.end,
        "clusters": _listed(_clusters(wanted)),
        "namespace": wanted.namespace,
    }


def _clusters(wanted: Filter) -> Collection[str] | None:
    """Those that may be listed; None = all, while none at all is none."""
    asked, visible = wanted.clusters, wanted.visible
    if visible is None:
        return asked or None
    return [cluster for cluster in asked if cluster in visible] if asked else visible


def _listed(names: Collection[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _days(between: TimeRange) -> dict[str, object]:
    return {"first_day": between.start.date(), "last_day": between.end.date()}
