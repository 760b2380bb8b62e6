"""What became of containers as they are set: killed or throttled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.rightsizing.by_limit import (
    ByLimit,
    limit_changes,
    limit_spans,
)
from orchestration.steps.advice.rightsizing.inventory import (
    LAST_TERMINATED,
    OOM_EVENTS,
    PERIODS,
    POD,
    RESTARTS,
    THROTTLED_PERIODS,
    THROTTLED_SECONDS,
    Inventory,
)
from orchestration.steps.advice.rightsizing.sidecars import also_of_sidecars

Float64 = npt.NDArray[np.float64]

STARTED_AND_KILLED = """
SELECT series_id, epoch_us(time) AS moment, increase FROM buckets(INTERVAL 1 HOUR)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric) AND increase > 0
"""

LAST_KILLED = """
SELECT series_id, epoch_us(time) AS moment FROM buckets(INTERVAL 1 HOUR)
JOIN (SELECT unnest(CAST($ids AS BIGINT[])) AS series_id) USING (series_id)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric) AND max > 0
"""

KILLED_EVENTS = """
SELECT cluster, namespace, name AS pod, epoch_us(time_bucket(INTERVAL 1 HOUR, time)) AS moment,
       CAST(count(*) AS DOUBLE) AS kills FROM events
WHERE time >= $start AND time < $end AND kind = 'Pod' AND reason IN ('OOMKilled', 'OOMKilling')
GROUP BY ALL
"""

PERIODS_UNDER = """
SELECT series_id, metric, since, sum(increase) AS increase, count(*) * 3600.0 AS seconds
FROM buckets(INTERVAL 1 HOUR)
JOIN (SELECT unnest(CAST($ids AS BIGINT[])) AS series_id,
             unnest(CAST($since AS BIGINT[])) AS since, unnest(CAST($until AS BIGINT[])) AS until)
USING (series_id)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
  AND epoch_us(time) >= since AND epoch_us(time) < until
GROUP BY ALL
"""

_EVER = (1 << 62) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Trouble:
    """What happened to each container, by the limit that was set.

    Attributes:
        kills: for want of memory.
        throttled: periods (or seconds) in which it was throttled.
        periods: periods (or seconds) in which it ran, of those of which throttling is told.
    """

    kills: ByLimit
    throttled: ByLimit
    periods: ByLimit

    @classmethod
    def none(cls, n: int) -> Trouble:
        """Nothing happened, or nothing tells of it."""
        return cls(*(ByLimit.nothing(n) for _ in range(3)))

    def throttled_by(self, limits: npt.ArrayLike) -> Float64:
        """Share of the past that a limit would have throttled, at least, 0 to 1 `[n]`.

        NaN = nothing tells.
        """
        return _share(self.throttled.under(limits), self.periods.total)

    def throttled_under(self, limits: npt.ArrayLike) -> Float64:
        """The same, of the time in which the limit was so high or higher `[n]`."""
        return _share(self.throttled.under(limits), self.periods.under(limits))


def trouble(snapshot: Snapshot, inventory: Inventory, between: TimeRange) -> Trouble:
    """Kills and throttling of all containers within a time.

    Args:
        snapshot: where it is told.
        inventory: of which containers.
        between: of which time.
    """
    n = inventory.containers.height
    told = limit_changes(snapshot, between)
    of_memory, of_cpu = (
        limit_spans(told, inventory, resource, between) for resource in ("memory", "cpu")
    )
    kills = _kills(snapshot, inventory, of_memory, between)
    throttled, periods = _throttled(snapshot, inventory, of_cpu, between)
    return Trouble(
        ByLimit.of(kills, n, "kills"),
        ByLimit.of(throttled, n, "amount"),
        ByLimit.of(periods, n, "amount"),
    )


def _kills(
    snapshot: Snapshot, inventory: Inventory, spans: pl.DataFrame, between: TimeRange
) -> pl.DataFrame:
    """`index`, `limit` (null = unknown), `kills`."""
    params = {"start": between.start, "end": between.end}
    asked = params | {"metrics": also_of_sidecars([OOM_EVENTS, RESTARTS])}
    risen = pl.DataFrame(run(snapshot, STARTED_AND_KILLED, asked, between).rows).join(
        inventory.series.select("series_id", "metric", *POD), on="series_id"
    )
    # Of two exporters that tell of the same one, each has its own series.
    by_counter = (
        risen.filter(pl.col("metric") == OOM_EVENTS)
        .group_by(*POD, "moment")
        .agg(pl.col("increase").max().alias("kills"))
    )
    events = pl.DataFrame(run(snapshot, KILLED_EVENTS, params).rows)
    # Events name the pod: where it has one container, that was it.
    alone = inventory.of_pods.filter(pl.len().over("cluster", "namespace", "pod") == 1)
    by_event = events.join(alone.select(*POD), on=["cluster", "namespace", "pod"])
    restarts = risen.filter(pl.col("metric") == RESTARTS)
    columns = [*POD, "moment", "kills"]
    ways = [
        by_counter.select(columns),
        _by_state(snapshot, inventory, restarts, between).select(columns),
        by_event.select(columns),
    ]
    told = pl.concat(one.with_columns(pl.lit(way).alias("way")) for way, one in enumerate(ways))
    told = told.join(inventory.of_pods.select("index", *POD), on=POD).sort("moment")
    told = told.join_asof(
        spans.sort("since"), left_on="moment", right_on="since", by=POD, check_sortedness=False
    )
    # The same kill is told in several ways.
    each = told.group_by("way", "index", *POD, "limit").agg(pl.col("kills").sum())
    each = each.group_by("index", *POD, "limit").agg(pl.col("kills").max())
    return each.group_by("index", "limit").agg(pl.col("kills").sum())


def _by_state(
    snapshot: Snapshot, inventory: Inventory, restarts: pl.DataFrame, between: TimeRange
) -> pl.DataFrame:
    """What the state of pods tells: how each container ended last, until it ends again.

    So a kill is the hour in which that is told first, and each in which it is started anew while it
    is told. What was so before the time that is looked at, was then.
    """
    killed = inventory.of(LAST_TERMINATED).filter(pl.col("reason") == "OOMKilled")
    params = {
        "start": between.start,
        "end": between.end,
        "metrics": also_of_sidecars([LAST_TERMINATED]),
        "ids": killed["series_id"].to_list(),
    }
    told = pl.DataFrame(run(snapshot, LAST_KILLED, params, between).rows)
    told = told.join(killed.select("series_id", *POD, "first_seen"), on="series_id")
    first = (
        told.filter(pl.col("first_seen") >= between.start)
        .group_by(*POD)
        .agg(pl.col("moment").min(), pl.lit(1.0).alias("kills"))
    )
    again = (
        restarts.join(told.select(*POD, "moment").unique(), on=[*POD, "moment"])
        .group_by(*POD, "moment")
        .agg(pl.col("increase").max().alias("kills"))
    )
    both = pl.concat([one.select(*POD, "moment", "kills") for one in (first, again)])
    return both.group_by(*POD, "moment").agg(pl.col("kills").max())


def _throttled(
    snapshot: Snapshot, inventory: Inventory, spans: pl.DataFrame, between: TimeRange
) -> Sequence[pl.DataFrame]:
    """Throttled, and all there were: `index`, `limit` (null = unknown), `amount`."""
    metrics = [PERIODS, THROTTLED_PERIODS, THROTTLED_SECONDS]
    series = inventory.series.filter(pl.col("metric").is_in(metrics)).select("series_id", *POD)
    own = series.join(inventory.of_pods.select("index", *POD), on=POD)
    own = own.join(spans, on=POD, how="left").with_columns(
        pl.col("since").fill_null(0), pl.col("until").fill_null(_EVER)
    )
    params = {
        "start": between.start,
        "end": between.end,
        "metrics": metrics,
        "ids": own["series_id"].to_list(),
        "since": own["since"].to_list(),
        "until": own["until"].to_list(),
    }
    sums = pl.DataFrame(run(snapshot, PERIODS_UNDER, params, between).rows)
    told = sums.join(own.select("series_id", "since", "index", "limit"), on=["series_id", "since"])
    counted = told.filter(pl.col("metric") == PERIODS, pl.col("increase") > 0)["index"].implode()
    by_period = pl.col("index").is_in(counted)

    def of(periods: str, column: str) -> pl.DataFrame:
        # Seconds, where no periods are told, are those that its threads waited: with many threads
        # more than there are.
        rows = told.filter(
            pl.when(by_period)
            .then(pl.col("metric") == periods)
            .otherwise(pl.col("metric") == THROTTLED_SECONDS)
        )
        amount = pl.when(by_period).then(pl.col("increase")).otherwise(pl.col(column))
        return rows.group_by("index", "limit").agg(amount.sum().alias("amount"))

    return of(THROTTLED_PERIODS, "increase"), of(PERIODS, "seconds")


def _share(part: Float64, whole: Float64) -> Float64:
    out = np.full(len(whole), np.nan)
    np.divide(part, whole, out=out, where=whole > 0.0)
    return np.where(np.isnan(out), np.nan, np.clip(out, 0.0, 1.0))
