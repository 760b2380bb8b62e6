"""Forecasts on one file, without a lake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from detectors.forecasting import Forecasts, Reason, forecast
from lake.external import read_coded
from orchestration.errors import ForecastFileError
from orchestration.steps.file_columns import TEXT
from orchestration.steps.forecast.grid import HOUR, Grid, grid_of
from orchestration.steps.forecast.heavier import HeavierModel, SecondOpinions, opinions_of

Progress = Callable[[float], None]

METHOD = "method"
"""A further outcome where a heavier model is asked."""

OUTCOMES = ("made_at", "value", "eta", "eta_lower", "eta_upper", "abstained", "reason")
# What a forecast looks back to: a week, or more where the horizon is days.
WEEK = 168 * HOUR
LOOK_BACK = 12
MOST_ORIGINS = 100_000


@dataclass(frozen=True, slots=True)
class ForecastJob:
    """What to foretell.

    Attributes:
        path: Parquet or CSV.
        threshold: that a value reaches from below.
        horizon: µs.
        every: µs between origins; None = from the newest time alone.
        ignore: text columns that are no labels.
        heavier: a model for what is reached soonest from each origin; None = none. Its seconds are
            those of all origins together.
    """

    path: Path
    threshold: float
    horizon: int
    every: int | None = None
    ignore: tuple[str, ...] = ()
    heavier: HeavierModel | None = None


def forecast_file(job: ForecastJob, progress: Progress = lambda _: None) -> pl.DataFrame:
    """When each series of a file reaches the threshold, from data up to each origin alone.

    Returns:
        A row per series and origin: the label columns, `made_at`, `value` (the newest), `eta`,
        `eta_lower`, `eta_upper` (times; null where none is expected within the horizon or none can
        be told), `abstained` (it cannot be told), `reason` (null where there is a time), and with
        a heavier model `method` (its name, or which of the light methods counts most). Series
        without a value within a horizon before an origin have no row, unless there is one origin.

    Raises:
        FileFormatError: see `lake.external.read_coded`.
        ForecastFileError: the file holds nothing, or a label is called like an outcome.
        ForecasterError: there is no such heavier model, or it cannot be loaded.
    """
    frame, labels = _read(job)
    times = frame["timestamp"].dt.epoch("us")
    first, last = int(times.min()), int(times.max())  # type: ignore[arg-type]
    if job.every is None:
        origins = [last]
    else:
        # Whole multiples since 1970, so that two files of one fleet have the same origins.
        begin = -(-first // job.every) * job.every
        origins = list(range(begin, last + 1, job.every)) or [last]
        if len(origins) > MOST_ORIGINS:
            raise ForecastFileError(
                f"{job.path}: --every gives {len(origins):,} origins, at most {MOST_ORIGINS:,} "
                "are made: choose a longer one"
            )
    grid = grid_of(frame, labels, job.horizon, job.every, origins[-1])
    parts = []
    with opinions_of(job.heavier) as opinions:
        for done, origin in enumerate(origins):
            parts.append(_from(grid, job, origin, opinions))
            progress((done + 1) / len(origins))
    return pl.concat(parts)


def _read(job: ForecastJob) -> tuple[pl.DataFrame, list[str]]:
    frame = pl.DataFrame(pl.from_arrow(read_coded(job.path), rechunk=False))
    missing = next((name for name in job.ignore if name not in frame.columns), None)
    if missing is not None:
        raise ForecastFileError(
            f"{job.path} has no column {missing!r}, only {', '.join(frame.columns)}"
        )
    labels = [
        name
        for name, kind in frame.schema.items()
        if kind in TEXT and name not in job.ignore and name != "value"
    ]
    taken = (*OUTCOMES, METHOD) if job.heavier else OUTCOMES
    ours = next((name for name in labels if name in taken), None)
    if ours:
        raise ForecastFileError(
            f"{job.path} has a label {ours!r}, which is also the name of an outcome: ignore it, "
            "or rename it"
        )
    frame = frame.select(*labels, "timestamp", "value")
    empty = frame["timestamp"].null_count()
    if empty:
        raise ForecastFileError(f"{job.path}: {empty} rows have no time")
    if not frame["value"].is_finite().any():
        raise ForecastFileError(f"{job.path} holds no value")
    return frame, labels


def _from(
    grid: Grid, job: ForecastJob, origin: int, opinions: SecondOpinions | None
) -> pl.DataFrame:
    """Rows of one origin."""
    end = grid.column(origin) + 1
    horizon = job.horizon / grid.step
    width = round(max(WEEK / grid.step, LOOK_BACK * horizon))
    window = grid.values[:, max(0, end - width) : end]
    known = ~np.isnan(window)
    if job.every is not None:
        rows = np.flatnonzero(known[:, -max(1, round(horizon)) :].any(axis=1))
    else:
        rows = np.arange(len(window))
    window = window[rows]
    hours = {"step_hours": grid.step / HOUR, "horizon_hours": job.horizon / HOUR}
    told = forecast(window, job.threshold, **hours)
    if opinions:
        opinions.consider(told, window, np.full(len(window), job.threshold))
        opinions.give(**hours)
    outcomes = _rows(grid, told, rows, window.shape[1], end, origin)
    if opinions is None:
        return outcomes
    return outcomes.with_columns(pl.Series(METHOD, told.method.tolist(), dtype=pl.String))


def _rows(
    grid: Grid, told: Forecasts, rows: np.ndarray, width: int, end: int, origin: int
) -> pl.DataFrame:
    newest = grid.newest[rows, end - width : end]
    known = ~np.isnan(newest)
    last = width - 1 - known[:, ::-1].argmax(axis=1)
    value = newest[np.arange(len(rows)), last]
    texts = [Reason(code).text or None for code in told.reason]
    made = pl.Series("made_at", [origin], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    times = {
        name: pl.Series(name, np.round(hours * HOUR), nan_to_null=True).cast(pl.Int64) + origin
        for name, hours in (
            ("eta", told.eta),
            ("eta_lower", told.earliest(grid.step / HOUR, means=grid.several)),
            ("eta_upper", told.eta_upper),
        )
    }
    return grid.keys[rows].with_columns(
        made.new_from_index(0, len(rows)),
        pl.Series("value", value, nan_to_null=True),
        *(column.cast(pl.Datetime("us", "UTC")) for column in times.values()),
        pl.Series("abstained", told.abstained),
        pl.Series("reason", texts, dtype=pl.String),
    )
