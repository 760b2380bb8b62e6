"""A heavier model for a series of which the methods of `forecast` have said that it may pass.

Any model that tells a path will do. It is asked at past times of the series too, with what was
known by then alone, and is taken only where it was clearly nearer to what came than the light
methods.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from detectors.errors import ModelFailedError
from detectors.forecasting.forecast import (
    FAR,
    NEAR_FLOOR,
    NEAR_SHARE,
    PATH_LIFE,
    Forecasts,
    Reason,
    forecast,
    outcome,
)
from detectors.forecasting.kernels import filled
from detectors.forecasting.passage import passages, passing_at

Float64 = npt.NDArray[np.float64]

ORIGINS = 24
"""Past times at which a heavier model is asked: each is a fit."""

# A quarter of a horizon apart: six horizons back.
STRIDES = 4
LEAST_ORIGINS = 12
"""By fewer it cannot be told which of the two is better."""

LEVELS = (0.08, 0.5, 0.92)
"""Of the passages on record; wider than the light ones', since one model has few errors on record.
Set on made-up disks, where it covers 80 % so."""

CLEARLY = 0.7
"""Taken where its errors were at most this part of the light methods' …"""

MOSTLY = 0.65
"""… and smaller at so many of the past times."""

DOUBTED = 0.15
"""A passage that is this likely is worth a second opinion."""


class Forecaster(Protocol):
    """What foretells series heavily: made without arguments, kept for a round."""

    def paths(self, values: Float64, horizon: int) -> Float64:
        """Foretell from the last column on.

        Args:
            values: `[n, width]`, a regular step, NaN = no data; rows may begin with many of them.
            horizon: columns ahead, at least 1.

        Returns:
            `[n, horizon]`, the expected values; a row with NaN = cannot tell.
        """
        ...


def short_list(told: Forecasts, most: int) -> npt.NDArray[np.int64]:
    """Rows that deserve a second opinion: those that pass, soonest first, then the likeliest.

    What is refused for want of data stays refused.
    """
    chance = np.nan_to_num(told.chance, nan=0.0)
    rows = np.flatnonzero(chance >= DOUBTED)
    soon = np.where(np.isnan(told.eta), np.inf, told.eta)
    return rows[np.lexsort((-chance[rows], soon[rows]))][:most]


def questions(values: Float64, horizon: int) -> Float64:
    """What a forecaster is asked of one series `[width]`: now, then at past times, newest first.

    Returns:
        `[1 + origins, width]`: the last column of each row is its time, and nothing after it is
        there. Fewer rows where the history is short.
    """
    width = len(values)
    stride = max(1, horizon // STRIDES)
    known = np.flatnonzero(~np.isnan(values))
    first = int(known[0]) if len(known) else width
    back = min(ORIGINS, max(0, (width - first - horizon) // stride))
    asked = np.full((1 + back, width), np.nan)
    for row in range(1 + back):
        ago = row * stride
        asked[row, ago:] = values[: width - ago]
    return asked


def second_opinion(
    values: Float64, threshold: float, paths: Float64, *, step_hours: float, horizon_hours: float
) -> Forecasts | None:
    """What a heavier model says of one series, if it was clearly better in the past.

    Args:
        values: `[width]`, as `forecast` takes them.
        threshold: reached from below.
        paths: `[1 + origins, FAR * horizon]`, what it foretold on `questions`.
        step_hours: hours a column.
        horizon_hours: hours within which a passage is foretold.

    Returns:
        One row, with its interval from its own past errors; None = the light forecast stays.

    Raises:
        ModelFailedError: the paths have another shape, or are not finite from now on.
    """
    horizon = round(horizon_hours / step_hours)
    asked = questions(values, horizon)
    if paths.shape != (len(asked), FAR * horizon):
        rule = f"answers {paths.shape} where {(len(asked), FAR * horizon)} was asked for"
        raise ModelFailedError("forecaster", rule)
    usable = np.asarray(np.isfinite(paths).all(axis=1))
    past = np.flatnonzero(usable[1:]) + 1
    if not usable[0] or not len(past):
        return None
    x = np.empty(len(values))
    first = filled(values, x)
    ago = past * max(1, horizon // STRIDES)
    known = np.minimum(ago, horizon)
    errors = np.zeros((len(past), 1, horizon))
    for row, come in enumerate(known):
        at = len(x) - ago[row]
        errors[row, 0, :come] = x[at : at + come] - paths[past[row], :come]
    whole = known == horizon
    came = x[len(x) - 1 - ago[whole] + horizon]
    expected = _light(asked[past[whole]], step_hours, horizon_hours)
    if not _better(np.abs(errors[whole, 0, -1]), np.abs(came - expected)):
        return None
    base = x[-1]
    tally = passages(
        x - base,
        first,
        threshold - base,
        paths[:1] - base,
        errors,
        known,
        ago.astype(np.float64),
        len(past),
        np.ones(1),
        np.ones(len(past)),
        PATH_LIFE * horizon,
        NEAR_SHARE,
        NEAR_FLOOR,
    )
    quantiles = np.full((1, len(LEVELS)), np.nan)
    passing_at(tally, np.array(LEVELS), quantiles[0])
    chance = np.array([tally[:horizon].sum()])
    end = paths[:1, horizon - 1].copy()
    reason = np.array([Reason.NONE], dtype=np.int8)
    return outcome(values[None], reason, chance, quantiles * step_hours, end, np.zeros((1, 0)))


def _light(asked: Float64, step_hours: float, horizon_hours: float) -> Float64:
    """What the light methods expected at the horizon, NaN where they could not tell."""
    if not len(asked):
        return np.empty(0)
    # Only differences count, and a negative value is not refused so.
    lifted = asked - np.nanmin(asked)
    told = forecast(lifted, np.inf, step_hours=step_hours, horizon_hours=horizon_hours)
    return told.expected + np.nanmin(asked)


def _better(heavy: Float64, light: Float64) -> bool:
    """Whether errors at the horizon were clearly smaller, where both could tell."""
    both = np.isfinite(light)
    if both.sum() < LEAST_ORIGINS:
        return False
    heavy, light = heavy[both], light[both]
    mean = bool(heavy.mean() <= CLEARLY * light.mean())
    return mean and bool((heavy < light).mean() >= MOSTLY)
