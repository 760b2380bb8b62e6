"""Retries that multiply load: more requests arrive than were made, and more so when some fail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

FAILING = 0.05
"""From this share of failures on a slot is one in which the callee fails."""

GROWS = 1.3
"""How many times as many requests have to arrive for each that is made as otherwise."""

LEAST_SLOTS = 3
"""With fewer failing slots, or calm ones, nothing can be told."""

LEAST_REQUESTS = 100.0
"""In the failing slots together: the ratio of a few is chance."""


@dataclass(frozen=True, slots=True, eq=False)
class Amplified:
    """Of each caller and callee, `[n]`.

    Attributes:
        calm: float64, requests that arrive for each that is made, in slots without failures.
        failing: float64, the same in slots in which the callee fails, NaN = there are too few.
        errors: float64, share of failures in those slots.
        multiplied: bool, whether that deserves a look.
    """

    calm: Float64
    failing: Float64
    errors: Float64
    multiplied: Bool


def amplified(made: Float64, arrived: Float64, failed: Float64) -> Amplified:
    """Whether retries multiply load when it is least borne.

    A mesh's caller counts a request once, however often its sidecar tries; the callee counts each.

    Args:
        made: float64[n, slots], as callers count them.
        arrived: float64[n, slots], as callees count them.
        failed: float64[n, slots], of those that arrived.

    Raises:
        InvalidParameterError: shapes differ.
    """
    if not made.shape == arrived.shape == failed.shape:
        shapes = (made.shape, arrived.shape, failed.shape)
        raise InvalidParameterError("arrived", shapes, "must all be of one shape")
    made, arrived, failed = (np.nan_to_num(one) for one in (made, arrived, failed))
    seen = (made > 0.0) & (arrived > 0.0)
    bad = seen & (failed >= FAILING * arrived)
    good = seen & ~bad
    calm, failing = _ratio(arrived, made, good), _ratio(arrived, made, bad)
    enough = (bad.sum(axis=1) >= LEAST_SLOTS) & (good.sum(axis=1) >= LEAST_SLOTS)
    enough &= np.where(bad, made, 0.0).sum(axis=1) >= LEAST_REQUESTS
    failing[~enough] = np.nan
    with np.errstate(invalid="ignore"):
        multiplied = enough & (failing >= GROWS * calm)
    return Amplified(calm, failing, _ratio(failed, arrived, bad), multiplied)


def _ratio(over: Float64, under: Float64, where: Bool) -> Float64:
    total = np.where(where, under, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Float64 = np.where(where, over, 0.0).sum(axis=1) / total
    return ratio
