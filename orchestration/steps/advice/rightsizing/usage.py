"""What containers used, from the rollups, as counts: bounded memory, however many minutes.

CPU is the mean of five minutes, since all that is kept of a counter is by how much it rose; a slot
after a gap has the mean of the gap. Memory is the highest of five minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.rightsizing import GROWTH, NOTHING, Usage
from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros
from orchestration.steps.advice.rightsizing.inventory import CPU, MEMORY, POD, RESTARTS, Inventory
from orchestration.steps.advice.rightsizing.sidecars import also_of_sidecars
from orchestration.steps.panels import align

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

SLOT = timedelta(minutes=5)
BLOCK = timedelta(days=1)
TOLD = (0.5, 0.95)
"""Quantiles that are told as evidence."""

AT_ONCE = 2_000
"""Series a query: it holds their slots, 4,000 of a fortnight each, in some hundred megabytes."""

_SLOTS = """
    SELECT series_id, container, epoch_us(time) AS moment, begin, {columns}
    FROM buckets(INTERVAL 5 MINUTE)
    JOIN (SELECT unnest($ids) AS series_id, unnest($containers) AS container,
                 unnest($begins) AS begin) USING (series_id)
    WHERE time >= $start AND time < $end AND metric = $metric
      AND cluster BETWEEN $first AND $last AND series_id BETWEEN $least AND $most
      AND isfinite(sum)
"""

_READ = {
    CPU: (
        'increase, "count", lag(epoch_us(time)) OVER (PARTITION BY series_id ORDER BY time) '
        "AS before",
        # Of its first sample a counter's rise is unknown. After an hour without samples, it is
        # taken to have stood still.
        'CASE WHEN before IS NOT NULL OR "count" > 1 '
        "THEN increase * 1e6 / least(coalesce(moment - before, 300000000), 3600000000) END",
    ),
    MEMORY: ("min, max", "CASE WHEN min < 0 THEN min ELSE max END"),
}

COUNTS = """
WITH slots AS ({slots}),
used AS (
    SELECT container, moment, ({value}) AS value,
           (begin > $start_us AND moment < begin + $startup_us)
           OR (series_id, moment) IN (SELECT unnest($start_ids), unnest($start_slots)) AS starting
    FROM slots
)
SELECT container, (moment - $start_us) // $block_us AS block, starting,
       CASE WHEN value > 0 THEN CAST(floor(ln(value) / $log) AS BIGINT) ELSE $nothing END AS bin,
       count(*) AS slots, max(value) AS top, count_if(value < 0) AS negative,
       min(moment) AS oldest, max(moment) AS newest
FROM used WHERE isfinite(value) GROUP BY ALL
"""

RESTARTED = """
SELECT series_id, epoch_us(time) AS moment FROM buckets(INTERVAL 5 MINUTE)
WHERE time >= $start AND time < $end AND list_contains($metrics, metric) AND increase > 0
"""


@dataclass(frozen=True, slots=True, eq=False)
class Used:
    """What containers used of one thing, `n` of them.

    Attributes:
        whole: all slots.
        steady: those that are not soon after a start.
        blocks: the highest of each day, starts included `[n, days]`, NaN = none.
        peak: the highest of steady slots `[n]`.
        start_peak: the highest soon after a start `[n]`.
        whole_quantiles: what was used half of the time at most, and 95 % of it `[n, 2]`.
        negative: slots with a negative value `[n]`.
        oldest, newest: µs since 1970 of the first and last slot `[n]`, 0 = there is none.
        ran: µs of that in which it ran, to a day's first and last slot `[n]`.
    """

    whole: Usage
    steady: Usage
    blocks: Float64
    peak: Float64
    start_peak: Float64
    whole_quantiles: Float64
    negative: Int64
    oldest: Int64
    newest: Int64
    ran: Int64

    @property
    def top(self) -> Float64:
        """The highest of all `[n]`."""
        return np.fmax(self.peak, self.start_peak)


def window(now: datetime, history: timedelta) -> TimeRange:
    """Whole days before now, and whole slots."""
    end = align(now, SLOT)
    return TimeRange(end - history, end)


def used(
    snapshot: Snapshot,
    inventory: Inventory,
    metric: str,
    between: TimeRange,
    startup: timedelta,
) -> Used:
    """What each container used of CPU or memory.

    Args:
        snapshot: where it is.
        inventory: of which containers.
        metric: `CPU` or `MEMORY`.
        between: of which time.
        startup: after a start, what counts apart.
    """
    column = "cpu" if metric == CPU else "memory"
    pairs = inventory.of_pods.explode(column).drop_nulls(column).rename({column: "series_id"})
    pairs = pairs.sort("cluster", "series_id")
    starts = _starts(snapshot, inventory, pairs, between, startup)
    parts = [
        _reduced(_counts(snapshot, part, starts, metric, between, startup))
        for part in pairs.iter_slices(AT_ONCE)
    ]
    days = -(-(between.end - between.start) // BLOCK)
    return _used(parts, inventory.containers.height, days)


def used_of(counts: pl.DataFrame, n: int, days: int) -> Used:
    """What counts by container, day, start and bin, as the query gives them, tell.

    Args:
        counts: `container`, `block`, `starting`, `bin`, `slots`, `top`, `negative`, `oldest`,
            `newest`.
        n: containers.
        days: blocks.
    """
    return _used([_reduced(counts)], n, days)


def _starts(
    snapshot: Snapshot,
    inventory: Inventory,
    pairs: pl.DataFrame,
    between: TimeRange,
    startup: timedelta,
) -> pl.DataFrame:
    """Slots soon after a container was started anew in its pod: `series_id`, `moment`."""
    metrics = also_of_sidecars([RESTARTS])
    params = {"start": between.start, "end": between.end, "metrics": metrics}
    found = pl.DataFrame(run(snapshot, RESTARTED, params, between).rows)
    restarts = found.join(inventory.of(RESTARTS).select("series_id", *POD), on="series_id")
    # Not the slot before: what a leak took until it was killed is no start.
    slots = range(max(1, -(-startup // SLOT)))
    return (
        restarts.drop("series_id")
        .join(pairs.select("series_id", *POD), on=POD)
        .with_columns(pl.lit([n * (SLOT // MICROSECOND) for n in slots]).alias("after"))
        .explode("after")
        .select("series_id", (pl.col("moment") + pl.col("after")).alias("moment"))
        .unique()
    )


def _counts(
    snapshot: Snapshot,
    part: pl.DataFrame,
    starts: pl.DataFrame,
    metric: str,
    between: TimeRange,
    startup: timedelta,
) -> pl.DataFrame:
    columns, value = _READ[metric]
    own = starts.join(part.select("series_id"), on="series_id", how="semi")
    params = {
        "start": between.start,
        "end": between.end,
        "metric": metric,
        "first": part["cluster"].min(),
        "last": part["cluster"].max(),
        "least": part["series_id"].min(),
        "most": part["series_id"].max(),
        "ids": part["series_id"].to_list(),
        "containers": part["index"].to_list(),
        "begins": part["first_seen"].dt.epoch("us").to_list(),
        "start_us": to_micros(between.start),
        "block_us": BLOCK // MICROSECOND,
        "startup_us": startup // MICROSECOND,
        "start_ids": own["series_id"].to_list(),
        "start_slots": own["moment"].to_list(),
        "log": float(np.log(GROWTH)),
        "nothing": NOTHING,
    }
    sql = COUNTS.format(slots=_SLOTS.format(columns=columns), value=value)
    return pl.DataFrame(run(snapshot, sql, params, between).rows)


Reduced = tuple[pl.DataFrame, pl.DataFrame]
"""Counts by container, start and bin; and the highest by container and day. What the two have
together is ten times as much, of all containers some gigabytes."""


def _reduced(counts: pl.DataFrame) -> Reduced:
    return (
        counts.group_by("container", "starting", "bin").agg(
            pl.col("slots").sum(), pl.col("top").max()
        ),
        counts.group_by("container", "block").agg(
            pl.col("top").max(),
            pl.col("negative").sum(),
            pl.col("oldest").min(),
            pl.col("newest").max(),
        ),
    )


def _used(parts: Sequence[Reduced], n: int, days: int) -> Used:
    if not parts:
        empty = Usage.of([], [], [], n)
        nothing, none = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
        unknown = np.full((n, days), np.nan)
        return Used(
            empty, empty, unknown, nothing, nothing, empty.quantiles(TOLD), none, none, none, none
        )
    counts = pl.concat([one for one, _ in parts])
    daily = pl.concat([one for _, one in parts])
    blocks = np.full((n, days), np.nan)
    place = daily["container"].to_numpy()
    np.fmax.at(blocks, (place, daily["block"].to_numpy()), daily["top"].to_numpy())
    negative, newest = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    np.add.at(negative, place, daily["negative"].to_numpy())
    np.maximum.at(newest, place, daily["newest"].to_numpy())
    oldest = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(oldest, place, daily["oldest"].to_numpy())
    ran = np.zeros(n, dtype=np.int64)
    slot = SLOT // MICROSECOND
    np.add.at(ran, place, (daily["newest"] - daily["oldest"]).to_numpy() + slot)
    who, bins = counts["container"].to_numpy(), counts["bin"].to_numpy()
    slots, starting = counts["slots"].to_numpy(), counts["starting"].to_numpy()
    peaks = np.full((2, n), np.nan)
    np.fmax.at(peaks, (starting.astype(np.int64), who), counts["top"].to_numpy())
    steady = ~starting
    whole = Usage.of(who, bins, slots, n)
    return Used(
        whole,
        Usage.of(who[steady], bins[steady], slots[steady], n),
        blocks,
        peaks[0],
        peaks[1],
        whole.quantiles(TOLD),
        negative,
        np.where(newest > 0, oldest, 0),
        newest,
        np.minimum(ran, whole.slots * slot),
    )
