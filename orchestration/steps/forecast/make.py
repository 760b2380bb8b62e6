"""Making the lake's forecasts of one time, and keeping those that say something new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
import xxhash

from lake import Lake
from lake.query import run
from lake.schema import FORECASTS
from lake.snapshot import Snapshot
from orchestration.forecast_settings import SLOT, ForecastSettings
from orchestration.steps.forecast.coverage import coverage_of, judge, judged_as
from orchestration.steps.forecast.expiry import STATED, expire
from orchestration.steps.forecast.filling import fill
from orchestration.steps.forecast.found import KEY, find
from orchestration.steps.forecast.heavier import HeavierModel, opinions_of
from orchestration.steps.forecast.objectives import OBJECTIVE, spend
from orchestration.steps.forecast.outcome import frame_of
from orchestration.steps.forecast.resources import resources
from orchestration.steps.panels import align

DELAY = timedelta(minutes=1)
"""After it, what was sent by a time is in the lake."""

PREVIOUS = """
SELECT forecast_id, CASE WHEN abstained THEN reason END AS before, eta IS NOT NULL AS timed,
       CASE WHEN abstained THEN eta_lower END AS after,
       CASE WHEN abstained THEN eta_upper END AS since,
       made_at = $made_at AND lake_version = $version AS same
FROM forecasts WHERE date = $day AND made_at <= $made_at
QUALIFY row_number() OVER (PARTITION BY forecast_id ORDER BY made_at DESC, lake_version DESC) = 1
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What was foretold.

    Attributes:
        made_at: from the data up to then.
        resources: of which something was to be told.
        passing: that reach their threshold within the horizon, or expire at a known time.
        abstained: of which nothing could be told.
        written: rows that the lake did not have.
    """

    made_at: datetime
    resources: int
    passing: int
    abstained: int
    written: int


def due_at(now: datetime, settings: ForecastSettings) -> datetime:
    """The newest time of which forecasts are to be made: servers and schedules make the same."""
    return align(align(now - DELAY, settings.every), SLOT)


def make_forecasts(lake: Lake, settings: ForecastSettings, made_at: datetime) -> Made:
    """Foretell all resources of the lake from what it holds up to a time, and keep it.

    A row is written where there is a time, where there was one, where the reason to abstain, or
    since when it is past its threshold, is another than before, and once a UTC day. Run again on
    the same data, nothing is written; on more data, the new rows take the place of the old ones.

    Args:
        lake: holds the resources, takes the forecasts.
        settings: of what, and how far ahead.
        made_at: a multiple of five minutes.

    Raises:
        ForecasterError: the heavier model of the settings is not there, or cannot be loaded.
    """
    snapshot = lake.snapshot()
    rows = _foretold(snapshot, settings, made_at)
    previous = _previous(snapshot, made_at)
    new = _new(rows, previous)
    if new.height:
        table = new.select(FORECASTS.schema.names).to_arrow()
        lake.forecasts.append(table.cast(FORECASTS.schema))
    timed = int(rows["eta"].count())
    return Made(made_at, rows.height, timed, int(rows["abstained"].sum()), new.height)


def _foretold(snapshot: Snapshot, settings: ForecastSettings, made_at: datetime) -> pl.DataFrame:
    found = find(snapshot, resources(settings), made_at)
    filling = [one for one in found if not one.kind.expires]
    with opinions_of(_heavier(settings)) as opinions:
        filled = fill(snapshot, filling, settings, made_at, opinions)
    rows = frame_of(
        [
            filled,
            expire(snapshot, [one for one in found if one.kind.expires], made_at),
            spend(snapshot, settings, made_at),
        ]
    )
    rows = rows.with_columns(judged_as(pl.col("resource"), pl.col("method")).alias("judged"))
    names = rows["judged"].drop_nulls().unique().to_list()
    coverage = coverage_of(judge(snapshot, settings, made_at), names)
    forgone = pl.col("eta").is_null() | (pl.col("method") == STATED)
    forgone |= pl.col("resource") == OBJECTIVE
    shares = pl.col("judged").replace_strict(coverage, default=None, return_dtype=pl.Float64)
    return rows.with_columns(
        pl.Series("forecast_id", _ids(rows), dtype=pl.String),
        pl.lit(made_at).cast(pl.Datetime("us", "UTC")).alias("made_at"),
        pl.lit(settings.horizon.total_seconds()).alias("horizon_seconds"),
        pl.when(~forgone).then(shares).alias("coverage"),
        pl.lit(snapshot.versions["samples"], dtype=pl.Int64).alias("lake_version"),
    )


def _heavier(settings: ForecastSettings) -> HeavierModel | None:
    if settings.heavier is None:
        return None
    seconds = settings.heavier_budget.total_seconds()
    return HeavierModel(settings.heavier, settings.heavier_most, seconds)


def _ids(rows: pl.DataFrame) -> list[str]:
    """The same for the same resource at any time, whichever series tell of it."""
    keys = pl.concat_str("resource", "cluster", KEY, separator="\x1e")
    told = rows.select(keys.alias("of"))["of"].to_list()
    return [xxhash.xxh3_128_hexdigest(key.encode()) for key in told]


def _previous(snapshot: Snapshot, made_at: datetime) -> pl.DataFrame:
    params = {
        "made_at": made_at,
        "day": made_at.date(),
        "version": snapshot.versions["samples"],
    }
    return pl.DataFrame(run(snapshot, PREVIOUS, params).rows)


def _new(rows: pl.DataFrame, previous: pl.DataFrame) -> pl.DataFrame:
    told = rows.join(previous, on="forecast_id", how="left")
    timed = pl.col("timed").fill_null(value=False)
    known = pl.col("timed").is_not_null()
    changed = ~known | timed | pl.col("eta").is_not_null()
    # Whether what fills not falls or stands may change with every sample.
    why = pl.when("abstained").then(pl.col("reason"))
    changed |= ~why.eq_missing(pl.col("before"))
    changed |= _passed_otherwise()
    return told.filter(changed & ~pl.col("same").fill_null(value=False)).drop(
        "before", "timed", "after", "since", "same"
    )


def _passed_otherwise() -> pl.Expr:
    """Whether a row is past its threshold since another time than the one before says.

    Columns end where rounds do and samples stand anywhere in theirs: the same time has other bounds
    in other rounds, and both are right.
    """
    upper = pl.when("abstained").then(pl.col("eta_upper"))
    later = pl.col("eta_lower") > pl.col("since") + SLOT
    earlier = upper < pl.col("after") - SLOT
    known = upper.is_not_null() != pl.col("since").is_not_null()
    return known | (upper.is_not_null() & (later | earlier)).fill_null(value=False)
