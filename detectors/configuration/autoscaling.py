"""Autoscalers at their bounds: at the maximum for long, or never above the minimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

LONG = 0.25
"""Share of hours at the maximum that is long."""

ALWAYS = 0.99
"""Share of hours at the minimum that is always."""

LEAST_HOURS = 20
"""A day, but for some gaps: with less, the busy hours may not have been seen."""

LEAST_REPLICAS = 2
"""Fewer are never proposed: one alone is away whenever it moves."""

MORE = 1.5
"""How much more is proposed where use does not say how much is needed."""


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Of each autoscaler.

    Attributes:
        at_most: float64[n], share of hours at the maximum.
        at_least: float64[n], share of hours at the minimum.
        too_low: bool[n], whether its maximum deserves a look.
        too_high: bool[n], whether its minimum does.
        maximum: float64[n], what the maximum could be, NaN = as it is.
        minimum: float64[n], what the minimum could be, NaN = as it is.
    """

    at_most: Float64
    at_least: Float64
    too_low: Bool
    too_high: Bool
    maximum: Float64
    minimum: Float64


def judge_bounds(
    current: Float64,
    least: Float64,
    most: Float64,
    needed: Float64,
    borne: Float64 | None = None,
) -> Bounds:
    """Judge autoscalers by the replicas of each hour.

    A maximum deserves a look where it was reached for long, and is not the minimum as well; a
    minimum where nothing above it was ever asked for and use would have been borne by fewer.

    Args:
        current: float64[n, hours], replicas, NaN = not told.
        least: float64[n], the minimum.
        most: float64[n], the maximum.
        needed: float64[n], replicas that the busiest hour's use would have needed at the
            autoscaler's own target, NaN = not known.
        borne: float64[n], replicas that would have borne everything else as well, NaN = nothing
            else is known; None = of none.

    Raises:
        InvalidParameterError: the arrays do not agree.
    """
    n = len(least)
    others = needed if borne is None else borne
    if current.ndim != 2 or not len(current) == n == len(most) == len(needed) == len(others):
        raise InvalidParameterError("current", current.shape, f"must be {n} rows of hours")
    told = ~np.isnan(current)
    hours = told.sum(axis=1)
    with np.errstate(invalid="ignore"):
        high = (current >= most[:, None]) & told
        low = (current <= least[:, None]) & told
    seen = np.maximum(hours, 1)
    at_most, at_least = high.sum(axis=1) / seen, low.sum(axis=1) / seen
    enough = hours >= LEAST_HOURS
    too_low = enough & (at_most >= LONG) & (most > least)
    raised = np.ceil(np.fmax(MORE * most, needed))
    reduced = np.ceil(np.fmax(np.fmax(needed, others), LEAST_REPLICAS))
    too_high = enough & (at_least >= ALWAYS) & np.isfinite(needed) & (reduced < least)
    return Bounds(
        at_most,
        at_least,
        too_low,
        too_high,
        np.where(too_low, raised, np.nan),
        np.where(too_high, reduced, np.nan),
    )
