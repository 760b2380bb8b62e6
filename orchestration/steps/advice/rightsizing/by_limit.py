"""What happened to containers, by the limit that was set when it did.

What happened under a small limit says nothing against a larger one: else advice that is followed
would raise it again and again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from lake.timerange import to_micros
from orchestration.steps.advice.rightsizing.inventory import LIMITS, POD, Inventory
from orchestration.steps.advice.rightsizing.sidecars import also_of_sidecars

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

HOUR = 3_600_000_000
"""Microseconds: limits are known by the hour."""

_SAME = 1e-6
"""Limits that differ by less are the same."""

CHANGES = """
SELECT series_id, moment, value FROM (
    SELECT series_id, epoch_us(time) AS moment, last AS value,
           lag(last) OVER (PARTITION BY series_id ORDER BY time) AS before
    FROM buckets(INTERVAL 1 HOUR)
    WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
) WHERE before IS NULL OR value <> before
"""


@dataclass(frozen=True, slots=True, eq=False)
class ByLimit:
    """How much of something happened to each of `n` containers under which limit.

    Attributes:
        n: containers.
        who: container `[rows]`.
        limit: that was set `[rows]`, NaN = unknown.
        amount: how much, not negative `[rows]`.
    """

    n: int
    who: Int64
    limit: Float64
    amount: Float64

    @classmethod
    def of(cls, rows: pl.DataFrame, n: int, column: str) -> ByLimit:
        """Rows with `index`, `limit` (null = unknown) and a column of how much."""
        return cls(
            n,
            rows["index"].cast(pl.Int64).to_numpy(),
            rows["limit"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            rows[column].cast(pl.Float64).to_numpy(),
        )

    @classmethod
    def nothing(cls, n: int) -> ByLimit:
        """Of which nothing happened."""
        none = np.zeros(0)
        return cls(n, none.astype(np.int64), none, none)

    @property
    def total(self) -> Float64:
        """Under any limit `[n]`."""
        return self._sum(np.ones(len(self.who), dtype=np.bool_))

    @property
    def lowest(self) -> Float64:
        """The lowest limit under which anything happened `[n]`; NaN = under none."""
        rows = self.amount > 0.0
        out = np.full(self.n, np.nan)
        np.fmin.at(out, self.who[rows], self.limit[rows])
        return out

    def under(self, limits: npt.ArrayLike) -> Float64:
        """What would have happened under other limits, at least `[n]`.

        What happened under a limit does so under each smaller one; what happened where none is
        known to have been set, as where a node ran short, under any.

        Args:
            limits: NaN = none `[n]`.
        """
        own = np.asarray(limits, dtype=np.float64)[self.who]
        return self._sum((self.limit >= own * (1.0 - _SAME)) | np.isnan(self.limit))

    def highest(self, least: npt.ArrayLike) -> Float64:
        """The highest limit under which as much would have happened `[n]`; NaN = under none.

        Args:
            least: how much `[n]`; where it is 0, anything counts.
        """
        asked = np.asarray(least, dtype=np.float64)
        out = np.full(self.n, np.nan)
        known = np.flatnonzero(~np.isnan(self.limit) & (self.amount > 0.0))
        # From the highest limit of each container down.
        order = known[np.lexsort((-self.limit[known], self.who[known]))]
        who, amount = self.who[order], self.amount[order]
        so_far = np.cumsum(amount)
        first = np.searchsorted(who, who)
        so_far = so_far - (so_far - amount)[first]
        enough = so_far >= asked[who]
        np.fmax.at(out, who[enough], self.limit[order][enough])
        return out

    def _sum(self, rows: npt.NDArray[np.bool_]) -> Float64:
        out = np.zeros(self.n)
        np.add.at(out, self.who[rows], self.amount[rows])
        return out


def limit_changes(snapshot: Snapshot, between: TimeRange) -> pl.DataFrame:
    """What was told of limits first, and each other value: `series_id`, `moment`, `value`.

    Args:
        snapshot: where that is told.
        between: of which time.
    """
    metrics = also_of_sidecars([LIMITS])
    params = {"start": between.start, "end": between.end, "metrics": metrics}
    return pl.DataFrame(run(snapshot, CHANGES, params, between).rows)


def limit_spans(
    told: pl.DataFrame, inventory: Inventory, resource: str, between: TimeRange
) -> pl.DataFrame:
    """When which limit was set for each container of a pod: `POD`, `since`, `until`, `limit`.

    Moments are in microseconds. The hour in which a limit is changed is that of the smaller one,
    and what was set before anything told so is what was told first.

    Args:
        told: of all series, see `limit_changes`.
        inventory: of which containers.
        resource: `cpu` or `memory`.
        between: the time that was looked at.
    """
    series = inventory.of(LIMITS).filter(pl.col("resource") == resource)
    changes = told.join(series.select("series_id", *POD), on="series_id")
    # Of an hour in which two are told, what was there before goes first.
    changes = changes.sort(*POD, "moment", "value")
    changes = changes.filter(
        ~(pl.col("value") == pl.col("value").shift().over(POD)).fill_null(value=False)
    )
    earliest = pl.col("moment") == pl.col("moment").min().over(POD)
    raised = pl.col("value") > pl.col("value").shift().over(POD)
    changes = changes.with_columns(
        pl.when(earliest)
        .then(0)
        .otherwise(pl.col("moment") + HOUR * raised.fill_null(value=False).cast(pl.Int64))
        .alias("since")
    )
    end = to_micros(between.end) // HOUR * HOUR + HOUR
    spans = changes.select(
        *POD,
        "since",
        pl.col("since").shift(-1).over(POD).fill_null(end).alias("until"),
        pl.col("value").alias("limit"),
    )
    # Of two changes within an hour the first holds for no time.
    return spans.filter(pl.col("since") < pl.col("until"))
