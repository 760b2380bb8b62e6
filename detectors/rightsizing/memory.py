"""Memory limits: above all that was seen, and by how much says how much that varies.

A container whose highest value differs from day to day will exceed the highest yet, sooner or
later: the chance is read off Gumbel's law of extremes. One whose days are alike will hardly. So the
margin is not the same share for all; and where memory is cheap it is wider.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError
from detectors.rightsizing.bins import Float64

MARGINS = np.array([0.08, 0.1, 0.12, 0.15, 0.18, 0.21, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0])
"""Above the highest value, what is tried. Even of what never varied, releases change something."""

PRIOR_SPREAD, PRIOR_BLOCKS = 0.05, 3.0
"""Before anything is known, highest values of blocks spread by so much of their mean; this counts
as much as so many blocks."""

_SCALE = float(np.sqrt(6.0) / np.pi)
"""From the spread of Gumbel's law to its scale."""

_STEADILY = 0.75
_RISEN = 0.1
_LEAST_BLOCKS = 3


@dataclass(frozen=True, slots=True, eq=False)
class MemoryLimits:
    """What each container should be allowed.

    Attributes:
        bytes: `[n]`, NaN = no data.
        chance: of exceeding it in a time as long as that which was looked at, 0 to 1 `[n]`.
    """

    bytes: Float64
    chance: Float64


def memory_limits(
    peaks: npt.ArrayLike, pods: npt.ArrayLike, most: float, worth: float
) -> MemoryLimits:
    """The limit that costs least, where the chance of exceeding it has a price.

    Args:
        peaks: the highest value of each block (a day, say) of the past `[n, blocks]`, bytes,
            starts included; NaN = it did not run.
        pods: that run now: each costs the limit; or a part of them, where limits are not reserved
            `[n]`.
        most: chance that is allowed, 0 to 1; where no margin keeps it, the widest is taken.
        worth: bytes, of all pods together, that it may cost to be sure.

    Raises:
        InvalidParameterError: a share or price out of range.
    """
    if not 0.0 < most <= 1.0:
        raise InvalidParameterError("most", most, "must be above 0, and at most 1")
    if not worth >= 0.0:
        raise InvalidParameterError("worth", worth, "must not be negative")
    told = np.asarray(peaks, dtype=np.float64)
    n = len(told)
    highest, scale = _extremes(told)
    chance = _exceeded(MARGINS[None, :], scale[:, None])
    levels = highest[:, None] * (1.0 + MARGINS)
    count = np.asarray(pods, dtype=np.float64)
    cost = levels * count[:, None] + worth * chance
    allowed = chance <= most
    allowed[:, -1] |= ~allowed.any(axis=1)
    best = np.where(allowed & np.isfinite(cost), cost, np.inf).argmin(axis=1)
    at = np.arange(n), best
    known = np.isfinite(highest)
    return MemoryLimits(np.where(known, levels[at], np.nan), np.where(known, chance[at], np.nan))


def chance_above(peaks: npt.ArrayLike, levels: npt.ArrayLike) -> Float64:
    """Chance of exceeding levels in a time as long as that which was looked at, 0 to 1 `[n]`.

    Args:
        peaks: as in `memory_limits` `[n, blocks]`.
        levels: bytes `[n]`, NaN = none.
    """
    highest, scale = _extremes(np.asarray(peaks, dtype=np.float64))
    asked = np.asarray(levels, dtype=np.float64)
    known = np.isfinite(highest) & np.isfinite(asked) & (highest > 0.0)
    margin = np.where(known, asked, 0.0) / np.where(known, highest, 1.0) - 1.0
    return np.where(known, _exceeded(margin, scale), np.nan)


def _extremes(told: Float64) -> tuple[Float64, Float64]:
    """The highest of all blocks, -inf = none, and the scale of Gumbel's law, relative `[n]`."""
    seen = np.isfinite(told)
    blocks = seen.sum(axis=1)
    values = np.where(seen, told, 0.0)
    highest = np.where(seen, told, -np.inf).max(axis=1, initial=-np.inf)
    mean = values.sum(axis=1) / np.maximum(blocks, 1)
    squares = np.where(seen, (told - mean[:, None]) ** 2, 0.0).sum(axis=1)
    relative = squares / np.where(mean > 0.0, mean, 1.0) ** 2
    spread = np.sqrt(
        (PRIOR_BLOCKS * PRIOR_SPREAD**2 + relative) / (PRIOR_BLOCKS + np.maximum(blocks - 1.0, 0.0))
    )
    # What is known of the mean is no surer than the blocks that it is from.
    spread *= np.sqrt(1.0 + 1.0 / np.maximum(blocks, 1))
    return highest, np.maximum(_SCALE * spread, 1e-12)


def _exceeded(margin: Float64, scale: Float64) -> Float64:
    """Chance by Gumbel's law, in units of the scale.

    Of a time as long as that which was looked at, it has its peak at what was the highest in that.
    """
    with np.errstate(over="ignore"):
        return -np.expm1(-np.exp(-margin / scale))


def rising(peaks: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which containers grow and grow, as one that leaks: no size would hold them for long.

    The highest values of blocks rise nearly always, by a tenth in all, and the last is among them.

    Args:
        peaks: as in `memory_limits`, in order of time `[n, blocks]`.
    """
    told = np.asarray(peaks, dtype=np.float64)
    if told.shape[1] < _LEAST_BLOCKS:
        return np.zeros(len(told), dtype=np.bool_)
    seen = np.isfinite(told)
    # Each block that has a value, beside the one before it that has.
    last = np.maximum.accumulate(np.where(seen, np.arange(told.shape[1]), -1), axis=1)
    before = np.concatenate([np.full((len(told), 1), -1), last[:, :-1]], axis=1)
    earlier = np.take_along_axis(told, np.maximum(before, 0), axis=1)
    pairs = seen & (before >= 0)
    up = (pairs & (told > earlier)).sum(axis=1)
    count = pairs.sum(axis=1)
    first = np.take_along_axis(told, seen.argmax(axis=1)[:, None], axis=1)[:, 0]
    newest = np.take_along_axis(told, np.maximum(last[:, -1:], 0), axis=1)[:, 0]
    risen = (newest - first) > _RISEN * np.abs(newest)
    enough = count >= _LEAST_BLOCKS - 1
    result: npt.NDArray[np.bool_] = enough & risen & (up >= _STEADILY * count)
    return result
