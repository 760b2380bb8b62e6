"""When the error budget of a service-level objective is spent, at the rate of now."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from detectors.forecasting import Reason
from lake import TimeRange
from lake.query import run
from lake.schema import ENTITY_COLUMNS
from lake.snapshot import Snapshot
from lake.timerange import to_micros
from orchestration.forecast_settings import ForecastSettings, ObjectiveSettings
from orchestration.steps.forecast.found import KEY, matching
from orchestration.steps.forecast.outcome import TIME, frame_of

OBJECTIVE = "error_budget"
"""What the resource of all objectives is called; its subject is the objective's name."""

METHOD = "rate of the last hour"

NOW = timedelta(hours=1)
"""By it the rate is judged: the shorter of Google's two windows for a page."""

SLOTS = 12
"""Of five minutes, in that hour. By how much they differ, the interval is."""

LEAST_SLOTS = 6
Z80 = 1.2816
"""Deviations of the normal distribution within which 80 % lie."""

NO_REQUESTS = "no requests in the last hour"
NO_ERRORS = "no errors in the last hour"
SPENT = "error budget already spent"
BEYOND = "at this rate not spent within the window"

SERIES = f"""
SELECT cluster, metric, series_id, {", ".join(ENTITY_COLUMNS)},
       list_transform($names, lambda name: labels[name]) AS told
FROM series WHERE list_contains($metrics, metric) AND last_seen >= $since AND first_seen < $until
"""  # noqa: S608 - column names are ours

INCREASES = """
WITH wanted AS (
    SELECT unnest($ids) AS series_id, unnest($groups) AS "group", unnest($bad) AS bad
), slots AS (
    SELECT w."group", b.time, b.time >= $hour AS lately,
           coalesce(sum(increase) FILTER (NOT bad), 0) AS total,
           coalesce(sum(increase) FILTER (bad), 0) AS errors
    FROM buckets(INTERVAL 5 MINUTE) b JOIN wanted w USING (series_id)
    WHERE b.time >= $start AND b.time < $end AND list_contains($metrics, b.metric)
    GROUP BY ALL
)
SELECT "group", min(time) AS first, sum(total) AS total, sum(errors) AS errors,
       coalesce(sum(total) FILTER (lately), 0) AS requests,
       coalesce(sum(errors) FILTER (lately), 0) AS failed,
       count(*) FILTER (lately) AS slots,
       coalesce(sum(errors * errors) FILTER (lately), 0) AS squares
FROM slots GROUP BY "group"
"""


def spend(snapshot: Snapshot, settings: ForecastSettings, made_at: datetime) -> pl.DataFrame:
    """When each objective's budget is spent, as `outcome.frame_of` has it.

    The budget is the failures that the objective allows among the requests of a whole window, by
    those seen of it so far; what fails leaves the window only after its end, so that none is given
    back meanwhile. `value` is the share that is spent.

    Args:
        snapshot: where the counters are.
        settings: which objectives.
        made_at: a multiple of five minutes.
    """
    parts = [_objective(snapshot, one, made_at) for one in settings.objectives]
    return frame_of([part for part in parts if part is not None])


def _objective(
    snapshot: Snapshot, objective: ObjectiveSettings, made_at: datetime
) -> pl.DataFrame | None:
    series = _series(snapshot, objective, made_at)
    if not series.height:
        return None
    groups = (
        series.select("cluster", *objective.by).unique(maintain_order=True).with_row_index("group")
    )
    series = series.join(groups, on=["cluster", *objective.by], nulls_equal=True)
    window = TimeRange(made_at - objective.window, made_at)
    params = {
        "ids": series["series_id"].to_list(),
        "groups": series["group"].to_list(),
        "bad": series["bad"].to_list(),
        "metrics": series["metric"].unique().sort().to_list(),
        "start": window.start,
        "hour": made_at - NOW,
        "end": made_at,
    }
    sums = pl.DataFrame(run(snapshot, INCREASES, params, window).rows)
    return _told(groups.join(sums, on="group", how="left"), objective, made_at)


def _told(told: pl.DataFrame, objective: ObjectiveSettings, made_at: datetime) -> pl.DataFrame:
    seconds = objective.window.total_seconds()
    hour = NOW.total_seconds()
    seen = (to_micros(made_at) - pl.col("first").dt.epoch("us")) / 1e6
    budget = (1.0 - objective.target) * pl.col("total") * seconds / seen
    left = budget - pl.col("errors")
    rate = pl.col("failed") / hour
    # Of the mean of the slots; in a slot failures come no more evenly than by chance.
    mean = pl.col("failed") / SLOTS
    variance = pl.max_horizontal(pl.col("squares") / SLOTS - mean**2, mean)
    spread = (variance / SLOTS).sqrt()
    margin = Z80 * spread * SLOTS / hour
    requests = pl.col("requests").fill_null(0.0)
    reason = (
        pl.when(requests <= 0.0)
        .then(pl.lit(NO_REQUESTS))
        .when(pl.col("slots") < LEAST_SLOTS)
        .then(pl.lit(Reason.FEW_VALUES.text))
        .when(left <= 0.0)
        .then(pl.lit(SPENT))
        .when(pl.col("failed") <= 0.0)
        .then(pl.lit(NO_ERRORS))
        .when(left / rate > seconds)
        .then(pl.lit(BEYOND))
    )
    told = told.with_columns(reason.alias("reason"), budget.alias("capacity"))
    timed = pl.col("reason").is_null()

    def moment(by: pl.Expr) -> pl.Expr:
        ahead = pl.when(timed & (by > 0.0)).then(left / by * 1e6)
        # An end that is further off than the window is none.
        near = pl.when(ahead <= seconds * 1e6).then(ahead)
        return (near.cast(pl.Int64) + to_micros(made_at)).cast(TIME)

    missing = [name for name in ENTITY_COLUMNS if name not in objective.by]
    said = [pl.lit(objective.name), *(pl.col(name).fill_null("") for name in objective.by)]
    return told.with_columns(
        pl.lit(OBJECTIVE).alias("resource"),
        pl.concat_str(said, separator="\x1f").alias(KEY),
        pl.lit(None, dtype=pl.Int64).alias("series_id"),
        pl.lit(objective.total).alias("metric"),
        *(pl.lit(None, dtype=pl.String).alias(name) for name in missing),
        pl.lit(objective.name).alias("subject"),
        moment(rate).alias("eta"),
        moment(rate + margin).alias("eta_lower"),
        moment(rate - margin).alias("eta_upper"),
        (pl.col("errors") / pl.col("capacity")).alias("value"),
        pl.lit(1.0).alias("threshold"),
        pl.lit(None, dtype=pl.Float64).alias("chance"),
        pl.when(timed).then(pl.lit(METHOD)).alias("method"),
        pl.col("reason")
        .is_in([NO_REQUESTS, Reason.FEW_VALUES.text, SPENT])
        .fill_null(value=False)
        .alias("abstained"),
    )


def _series(snapshot: Snapshot, objective: ObjectiveSettings, made_at: datetime) -> pl.DataFrame:
    """Series of requests and of failures, a row each with `bad`; one may be both."""
    asked = {*objective.labels, *objective.error_labels} - set(ENTITY_COLUMNS)
    names = sorted(asked)
    failed = objective.errors or objective.total
    params = {
        "names": names,
        "metrics": sorted({objective.total, failed}),
        "since": made_at - objective.window - timedelta(days=1),
        "until": made_at,
    }
    rows = pl.DataFrame(run(snapshot, SERIES, params).rows).with_columns(
        pl.col("told").list.get(place, null_on_oob=True).alias(f"label {name}")
        for place, name in enumerate(names)
    )
    rows = rows.filter(matching(objective.labels)) if objective.labels else rows
    bad = rows.filter(pl.col("metric") == failed, *matching(objective.error_labels))
    every = rows.filter(pl.col("metric") == objective.total)
    columns = ["cluster", "metric", "series_id", *ENTITY_COLUMNS]
    return pl.concat(
        [
            every.select(*columns, pl.lit(value=False).alias("bad")),
            bad.select(*columns, pl.lit(value=True).alias("bad")),
        ]
    )
