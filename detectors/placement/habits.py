"""How long the gangs of a pool run, how large they are, and when they come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.placement.gangs import Gangs
from detectors.season.hours import WEEK, in_periods

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

DAY = 24

LEAST_ENDED = 8
"""Gangs that must have been seen to end before anything is said of how long others run."""

# Gangs of one size class (powers of two) stand for themselves from so many on.
LEAST_OF_SIZE = 12
# The day counts as seen once more at its mean rate, each hour of the week twice at its day's.
MEAN_DAYS = 1.0
WEEK_DAYS = 2.0
# What outlives all that ended ran this much longer than the longest of them.
TAIL = 1.25
# Hours of a day are smoothed with their neighbours: a few jobs a day are no profile of minutes.
SMOOTH = (0.25, 0.5, 0.25)


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """What is usual in one pool.

    Attributes:
        size: GPUs of each gang that came, `[gangs]`.
        ended: how many were seen from begin to end.
        length: hours, by size class and then all: each ascending.
        weight: share of gangs that ran as long, sums to 1 each.
        rate: gangs that come in each hour of the week, `[168]`, hours as `detectors.season` counts.
        came: gangs that the rate is from.
    """

    size: Float64
    ended: int
    length: dict[int, Float64]
    weight: dict[int, Float64]
    rate: Float64
    came: float

    def lengths_of(self, size: float) -> tuple[Float64, Float64]:
        """Hours that gangs of about this size run, and the share of each."""
        key = size_class(size)
        key = key if key in self.length else ALL
        return self.length[key], self.weight[key]


ALL = -1
"""Key of gangs of all sizes."""


def size_class(size: float) -> int:
    """Powers of two: 1, 2, 3–4, 5–8 and so on.

    >>> [size_class(size) for size in (1, 2, 3, 4, 8, 9)]
    [0, 1, 2, 2, 3, 4]
    """
    return int(np.ceil(np.log2(max(size, 1.0))))


def learn(found: Gangs, begin: float, now: float, waiting: Float64) -> Habits:
    """What the gangs of a pool have in common.

    Args:
        found: gangs, on a clock of hours since 1970.
        begin: hour of the first sample.
        now: hour of the last.
        waiting: gangs that waited at the begin of each whole hour after `begin` and at the one
            after the last, `[hours + 1]`, NaN = unknown; may be empty.
    """
    length: dict[int, Float64] = {}
    weight: dict[int, Float64] = {}
    whole = found.whole
    ran = np.where(found.running, now, found.end) - found.start
    over = ~found.running
    classes = np.array([size_class(size) for size in found.size], dtype=np.int64)
    ended = int(np.count_nonzero(whole & over))
    if ended >= LEAST_ENDED:
        length[ALL], weight[ALL] = _product_limit(ran[whole], over[whole])
        for key in np.unique(classes[whole]).tolist():
            mine = whole & (classes == key)
            if np.count_nonzero(mine & over) >= LEAST_OF_SIZE:
                length[key], weight[key] = _product_limit(ran[mine], over[mine])
    came = _came(found.start[whole], begin, now, waiting)
    first = int(np.ceil(begin))
    total = float(np.nansum(came))
    return Habits(found.size[whole], ended, length, weight, _rate(came, first), total)


def _product_limit(ran: Float64, over: npt.NDArray[np.bool_]) -> tuple[Float64, Float64]:
    """Kaplan and Meier: gangs that still run count as long as they have run."""
    order = np.lexsort((~over, ran))
    ran, over = ran[order], over[order]
    at_risk = np.arange(len(ran), 0, -1)
    left = np.cumprod(1.0 - over / at_risk)
    share = np.concatenate([[1.0], left[:-1]]) - left
    length, weight = ran[over], share[over]
    beyond = max(float(left[-1]), 0.0)
    if beyond > 0.0:
        length = np.append(length, TAIL * ran[-1])
        weight = np.append(weight, beyond)
    out: Float64 = weight / weight.sum()
    return length, out


def _came(start: Float64, begin: float, now: float, waiting: Float64) -> Float64:
    """Gangs that came in each whole hour: those that started, and what the queue grew by."""
    first, last = int(np.ceil(begin)), int(np.floor(now))
    hours = max(last - first, 0)
    spot = np.floor(start).astype(np.int64) - first
    inside = (spot >= 0) & (spot < hours)
    came = np.bincount(spot[inside], minlength=hours).astype(np.float64)
    grown = np.diff(waiting)[:hours]
    if len(grown):
        came[: len(grown)] += np.nan_to_num(grown)
    return np.maximum(came, 0.0)


def _rate(came: Float64, first: int) -> Float64:
    """An hour of the week is about as its hour of the day, and that as the mean."""
    if not len(came):
        return np.zeros(WEEK)
    mean = float(came.mean())
    daily = in_periods(came[None].astype(np.float32), first % DAY, DAY)[0]
    days = (~np.isnan(daily)).sum(axis=0)
    by_day = (np.nansum(daily, axis=0) + MEAN_DAYS * mean) / (days + MEAN_DAYS)
    wide = np.concatenate([by_day[-1:], by_day, by_day[:1]])
    by_day = np.convolve(wide, SMOOTH, mode="valid")
    usual = np.tile(by_day, WEEK // DAY)
    weekly = in_periods(came[None].astype(np.float32), first % WEEK, WEEK)[0]
    weeks = (~np.isnan(weekly)).sum(axis=0)
    rate: Float64 = (np.nansum(weekly, axis=0) + WEEK_DAYS * usual) / (weeks + WEEK_DAYS)
    # One week tells of its hours what chance did; the days of several tell of weekdays.
    return rate if weeks.min() > 1 else usual
