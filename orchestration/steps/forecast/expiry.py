"""When certificates expire: their metric tells the time, nothing has to be foretold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from detectors.forecasting import Reason
from lake.snapshot import Snapshot
from lake.timerange import to_micros
from orchestration.steps.forecast import history
from orchestration.steps.forecast.found import KEY, Found
from orchestration.steps.forecast.outcome import TIME, frame_of

STATED = "stated"
"""The method of what needs none."""

NOT_TOLD = "no time of expiry is told"

# Before it nothing can have expired: exporters say "none" by such times, as by Go's zero, the year
# 1, where Python's calendar begins.
EARLIEST = 0.0
# Beyond it Arrow's and Python's calendars end; exporters say "never" by such times.
LATEST = 253_000_000_000.0
SECOND = 1e6


def expire(snapshot: Snapshot, found: Sequence[Found], made_at: datetime) -> pl.DataFrame:
    """The time of each, as `outcome.frame_of` has it; its interval is that time.

    What has expired has no time ahead, and the interval says when that was.

    Args:
        snapshot: where they are.
        found: kinds that tell a time, or the seconds until it.
        made_at: now.
    """
    parts = []
    for one in found:
        ids = one.values["series_id"].to_list()
        newest = history.newest(snapshot, [one.kind.metric], ids, made_at)
        rows = one.values.join(newest, on="series_id", how="left", maintain_order="left")
        rows = rows.sort("cluster", KEY, "at", "series_id", nulls_last=False)
        rows = rows.unique(["cluster", KEY], keep="last", maintain_order=True)
        # Seconds that are left were so at the time of their sample, which a bucket begins with.
        since = pl.col("at").dt.epoch("us") / SECOND if one.kind.reads == "expires_in" else 0.0
        seconds = pl.col("newest") + since
        told = pl.col("newest").is_finite() & (pl.col("newest") != 0.0)
        told &= (seconds > EARLIEST) & (seconds < LATEST)
        due = told & (seconds * SECOND <= to_micros(made_at))
        reason = (
            pl.when(pl.col("newest").is_null())
            .then(pl.lit(Reason.NO_VALUE.text))
            .when(~told)
            .then(pl.lit(NOT_TOLD))
            .when(due)
            .then(pl.lit(Reason.ALREADY_PASSED.text))
        )
        rows = rows.with_columns(reason.alias("reason"))
        # Of what has expired, when that was.
        ended = pl.when(told).then(seconds * SECOND).cast(pl.Int64).cast(TIME)
        eta = pl.when(pl.col("reason").is_null()).then(ended)
        none = pl.lit(None, dtype=pl.Float64)
        parts.append(
            rows.with_columns(
                pl.lit(one.kind.name).alias("resource"),
                eta.alias("eta"),
                ended.alias("eta_lower"),
                ended.alias("eta_upper"),
                pl.col("newest").alias("value"),
                none.alias("capacity"),
                none.alias("threshold"),
                pl.when(pl.col("reason").is_null()).then(1.0).alias("chance"),
                pl.when(pl.col("reason").is_null()).then(pl.lit(STATED)).alias("method"),
                pl.col("reason").is_not_null().alias("abstained"),
            )
        )
    return frame_of(parts)
