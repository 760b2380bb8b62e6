"""When resources with a limit reach it: the past of all of them, a block at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.forecasting import Forecasts, Reason, forecast, passed_between
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros
from orchestration.forecast_settings import ForecastSettings
from orchestration.steps.forecast import history
from orchestration.steps.forecast.found import KEY, Found
from orchestration.steps.forecast.grid import HOUR
from orchestration.steps.forecast.heavier import SecondOpinions
from orchestration.steps.forecast.history import Float64, Int64, Span
from orchestration.steps.forecast.outcome import frame_of

BLOCK = 1_000
"""Resources whose past is in memory at once: 16 MB an array, for a week of five minutes."""

NO_LIMIT = "no limit known"
CONTRADICT = "units of value and limit contradict each other"
NEGATIVE_FREE = "free space is negative"

# Some exporters say "no limit" so: cgroups by the largest multiple of a page below 2^63.
UNLIMITED = 2.0**62
# More is used than there is: quotas may be lowered below what is used, but not so far.
BEYOND = 20.0
# A filesystem's free and whole size are not read at one instant.
ROUNDING = 1.001

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Limited:
    """Resources of one kind that has a limit or a threshold.

    Attributes:
        series: a row a series, with `row`, the resource that it is of.
        table: a row a resource, by its newest series.
        value: `[n]`, what is used by the newest sample, NaN = none.
        capacity: `[n]`, NaN = none.
        why: `[n]` texts, why nothing can be told, None = it can be tried.
    """

    found: Found
    series: pl.DataFrame
    table: pl.DataFrame
    value: Float64
    capacity: Float64
    why: npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Forecasts of some of the resources of one kind.

    Attributes:
        rows: which.
        asked: those of them that were foretold.
        told: `[len(asked)]`.
        threshold: `[rows]`, NaN = none.
        past: those of `told` that are past it.
        since: hours between which these passed it, `[len(past)]` each.
    """

    limited: _Limited
    rows: slice
    asked: Int64
    told: Forecasts
    threshold: Float64
    past: Int64
    since: tuple[Float64, Float64]


def fill(
    snapshot: Snapshot,
    found: Sequence[Found],
    settings: ForecastSettings,
    made_at: datetime,
    opinions: SecondOpinions | None = None,
) -> pl.DataFrame:
    """Forecasts of all resources that fill, from a time on, as `outcome.frame_of` has them.

    Args:
        snapshot: where their past is.
        found: kinds that have a limit or a threshold.
        settings: how far ahead and back.
        made_at: a multiple of five minutes; nothing after it is looked at.
        opinions: of a heavier model, on what is reached soonest; None = none.

    Raises:
        ForecasterError: the heavier model cannot be loaded.
    """
    step = settings.step
    span = Span(made_at, step, max(1, settings.history // step))
    series = pl.concat([one.values for one in found]) if found else pl.DataFrame()
    if not series.height:
        return frame_of([])
    ids = [*series["series_id"].to_list(), *series["limit_id"].drop_nulls().unique().to_list()]
    metrics = sorted({*series["metric"].unique(), *series["limit_metric"].drop_nulls().unique()})
    newest = history.newest(snapshot, metrics, ids, made_at)
    blocks = []
    for one in found:
        limited = _limited(one, newest)
        blocks += [
            _block(snapshot, limited, slice(begin, begin + BLOCK), settings, span, opinions)
            for begin in range(0, limited.table.height, BLOCK)
        ]
    if opinions:
        opinions.give(**_hours(settings, span))
    return frame_of([_rows(block, span) for block in blocks])


def _limited(found: Found, newest: pl.DataFrame) -> _Limited:
    kind = found.kind
    told = found.values.join(newest, on="series_id", how="left", maintain_order="left")
    limits = newest.select(
        pl.col("series_id").alias("limit_id"), pl.col("newest").alias("capacity")
    )
    told = told.join(limits, on="limit_id", how="left", maintain_order="left")
    told = told.sort("cluster", KEY, "at", "series_id", nulls_last=False)
    # Of several series of one resource (a container that began again) the newest counts.
    table = told.unique(["cluster", KEY], keep="last", maintain_order=True)
    # As files are sorted: see `history.CELLS`.
    table = table.sort("cluster", "series_id").with_row_index("row")
    series = told.select("cluster", KEY, "series_id", "limit_id").join(
        table.select("cluster", KEY, "row"), on=["cluster", KEY], maintain_order="left"
    )
    raw = _floats(table["newest"])
    capacity = _floats(table["capacity"])
    why = np.full(table.height, None, dtype=object)
    if kind.threshold is not None:
        value, capacity = raw, np.full(table.height, np.nan)
    else:
        with np.errstate(invalid="ignore"):
            value = capacity - raw if kind.reads == "free" else raw
            odd = value > BEYOND * capacity
            if kind.reads == "free":
                why[raw < 0.0] = NEGATIVE_FREE
                odd = raw > ROUNDING * capacity
            why[odd | table["contradict"].to_numpy()] = CONTRADICT
            why[~((capacity > 0.0) & (capacity < UNLIMITED))] = NO_LIMIT
        unlimited = why == NO_LIMIT
        capacity = np.where(unlimited, np.nan, capacity)
        value = np.where(unlimited & (kind.reads == "free"), np.nan, value)
    return _Limited(found, series, table, value, capacity, why)


def _block(
    snapshot: Snapshot,
    limited: _Limited,
    rows: slice,
    settings: ForecastSettings,
    span: Span,
    opinions: SecondOpinions | None,
) -> _Block:
    kind = limited.found.kind
    capacity, why = limited.capacity[rows], limited.why[rows]
    asked = np.flatnonzero(why == None)  # noqa: E711 - of each
    used = _used(snapshot, limited, rows.start + asked, span)
    sign = -1.0 if kind.below else 1.0
    threshold = np.full(len(why), np.nan)
    if kind.threshold is not None:
        threshold[asked] = kind.threshold
    else:
        levels = np.array(kind.levels or settings.levels)
        threshold[asked] = _next(used, capacity[asked], levels)
    told = forecast(sign * used, sign * threshold[asked], **_hours(settings, span))
    if opinions:
        opinions.consider(told, sign * used, sign * threshold[asked])
    past = np.flatnonzero(told.reason == Reason.ALREADY_PASSED)
    at = threshold[asked[past]]
    since = passed_between(sign * used[past], sign * at, step_hours=span.step / MICROSECOND / HOUR)
    return _Block(limited, rows, asked, told, threshold, past, since)


def _hours(settings: ForecastSettings, span: Span) -> dict[str, float]:
    lengths = {"step_hours": span.step, "horizon_hours": settings.horizon}
    return {name: length / MICROSECOND / HOUR for name, length in lengths.items()}


def _rows(block: _Block, span: Span) -> pl.DataFrame:
    limited, rows, asked, told = block.limited, block.rows, block.asked, block.told
    table, why = limited.table[rows], limited.why[rows].copy()
    n = table.height
    why[asked] = [Reason(code).text or None for code in told.reason]
    abstained = np.ones(n, dtype=bool)
    abstained[asked] = told.abstained
    method = np.full(n, None, dtype=object)
    method[asked] = told.method
    lower, upper = _interval(block, span.step / MICROSECOND / HOUR)
    return table.select("cluster", KEY, "series_id", "metric", *_entity(table), "subject").select(
        pl.lit(limited.found.kind.name).alias("resource"),
        pl.all(),
        _times("eta", told.eta, asked, n, span),
        _times("eta_lower", lower, asked, n, span),
        _times("eta_upper", upper, asked, n, span),
        pl.Series("value", limited.value[rows], nan_to_null=True),
        pl.Series("capacity", limited.capacity[rows], nan_to_null=True),
        pl.Series("threshold", block.threshold, nan_to_null=True),
        pl.Series("chance", _spread(np.minimum(told.chance, 1.0), asked, n), nan_to_null=True),
        pl.Series("method", method.tolist(), dtype=pl.String),
        pl.Series("abstained", abstained),
        pl.Series("reason", why.tolist(), dtype=pl.String),
    )


def _interval(block: _Block, step_hours: float) -> tuple[Float64, Float64]:
    """The interval of what is foretold; of what is past its last level, when that was passed."""
    lower, upper = block.told.earliest(step_hours), block.told.eta_upper.copy()
    lower[block.past], upper[block.past] = block.since
    return lower, upper


def _used(snapshot: Snapshot, limited: _Limited, rows: Int64, span: Span) -> Float64:
    """What was used, `[len(rows), width]`, in the metric's unit; of several series the most."""
    kind = limited.found.kind
    out = np.full((len(rows), span.width), np.nan)
    series = limited.series.filter(pl.col("row").is_in(rows))
    if not series.height:
        return out
    ids = series["series_id"].to_numpy()
    place = np.searchsorted(rows, series["row"].to_numpy())
    values = history.panel(snapshot, kind.metric, series["cluster"], ids, span)
    if kind.reads == "free":
        values = _sizes(snapshot, limited, series, rows[place], span) - values
    if len(ids) == len(rows):
        out[place] = values
    else:
        np.fmax.at(out, place, values)
    return out


def _sizes(
    snapshot: Snapshot, limited: _Limited, series: pl.DataFrame, rows: Int64, span: Span
) -> Float64:
    """How much there was of each series' resource: `[n, 1]`, or where some changed `[n, width]`."""
    kind = limited.found.kind
    assert kind.limit is not None  # noqa: S101 - checked by the settings
    limit_ids = series["limit_id"].to_numpy()
    now = limited.capacity[rows][:, None]
    moved = history.changed(snapshot, [kind.limit], np.unique(limit_ids).tolist(), span.between)
    if not len(moved):
        return now
    sizes = np.repeat(now, span.width, axis=1)
    own = np.flatnonzero(np.isin(limit_ids, moved))
    ids, back = np.unique(limit_ids[own], return_inverse=True)
    past = history.panel(snapshot, kind.limit, series["cluster"], ids, span)
    sizes[own] = history.carried(past)[back]
    return sizes


def _next(used: Float64, capacity: Float64, levels: Float64) -> Float64:
    """The lowest level of each row that its newest column has not reached, else the highest."""
    known = ~np.isnan(used)
    last = used.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    value = used[np.arange(len(used)), last]
    with np.errstate(invalid="ignore"):
        over = value[:, None] >= levels * capacity[:, None]
    threshold: Float64 = levels[np.minimum(over.sum(axis=1), len(levels) - 1)] * capacity
    return threshold


def _entity(table: pl.DataFrame) -> list[str]:
    begin = table.columns.index("metric") + 1
    return table.columns[begin : table.columns.index("subject")]


def _times(name: str, hours: Float64, asked: Int64, n: int, span: Span) -> pl.Series:
    micros = np.round(_spread(hours, asked, n) * HOUR)
    told = pl.Series(name, micros, nan_to_null=True).cast(pl.Int64) + to_micros(span.end)
    return told.cast(pl.Datetime("us", "UTC"))


def _spread(values: Float64, asked: Int64, n: int) -> Float64:
    out = np.full(n, np.nan)
    out[asked] = values
    return out


def _floats(column: pl.Series) -> Float64:
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
