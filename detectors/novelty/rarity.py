"""How rare a distance is among the distances met so far.

A set of values seen is kept sorted, and so is the set of how far each new value was from the
nearest of them when it came. The share of past distances that are at least as great is a conformal
p-value, but for one thing: the more values are known the nearer the nearest is, so that early
distances are greater than late ones, and what is rare is told later rather than too often. Beyond
the greatest hundredth an exponential tail goes on where counting ends.

Source: Laxhammar and Falkman, "Conformal prediction for distribution-independent anomaly detection
in streaming vessel data", 2010; the tail as in `detectors.thresholds`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Float64 = npt.NDArray[np.float64]

# Part of the past distances that the tail is fitted to, and the least number of them.
TAIL_PART = 0.01
LEAST_TAIL = 10
# A tail of distances that were all alike is taken to be so wide, in spreads of the series: no
# measure is as exact as to tell anything by less.
LEAST_EXCESS = 0.01
# Nothing is rarer: what has never been seen is no more than that.
MOST_RARITY = 16.0


@compiled
def insert(ordered: Float64, count: int, place: int, value: float) -> None:
    """Put a value into the first `count` entries, at its place; the rest moves up by one."""
    for i in range(count, place, -1):
        ordered[i] = ordered[i - 1]
    ordered[place] = value


@compiled
def nearest_of(seen: Float64, count: int, value: float) -> tuple[float, int]:
    """Return the nearest of the first `count` sorted values, and where the value belongs."""
    place = int(np.searchsorted(seen[:count], value))
    if place == count:
        return seen[place - 1], place
    if place == 0 or seen[place] - value < value - seen[place - 1]:
        return seen[place], place
    return seen[place - 1], place


@compiled
def about(seen: Float64, count: int, value: float, reach: float) -> tuple[float, float, float]:
    """Return the nearest sorted value, and how far one can go from it without leaving all of them.

    The ends are `reach` beyond the last value to either side before a gap too wide to be filled.
    """
    known, place = nearest_of(seen, count, value)
    first = place if place < count and seen[place] == known else place - 1
    last = first
    while first > 0 and seen[first] - seen[first - 1] <= 2.0 * reach:
        first -= 1
    while last < count - 1 and seen[last + 1] - seen[last] <= 2.0 * reach:
        last += 1
    return known, seen[first] - reach, seen[last] + reach


@compiled
def tail_of(past: Float64, count: int) -> tuple[int, float, float]:
    """Return (size, foot, mean excess over the foot) of the tail of sorted past distances."""
    size = max(LEAST_TAIL, int(count * TAIL_PART))
    foot = past[count - size]
    total = 0.0
    for i in range(count - size, count):
        total += past[i] - foot
    return size, foot, max(total / size, LEAST_EXCESS)


@compiled
def rarity(past: Float64, count: int, distance: float) -> float:
    """Return -log10 of the chance that a distance is at least this great.

    Args:
        past: sorted distances, of which the first `count` hold, at least `LEAST_TAIL` of them.
        count: how many.
        distance: what came.
    """
    size, foot, mean = tail_of(past, count)
    if distance > foot:
        found = math.log10(count / size) + (distance - foot) / mean / math.log(10.0)
        return min(found, MOST_RARITY)
    above = count - np.searchsorted(past[:count], distance)
    return -math.log10((above + 1.0) / (count + 1.0))


@compiled
def distance_at(past: Float64, count: int, least: float) -> float:
    """Return the distance whose rarity is `least`: the inverse of `rarity`, in the tail."""
    size, foot, mean = tail_of(past, count)
    return foot + max(0.0, least - math.log10(count / size)) * mean * math.log(10.0)


@compiled
def thin(past: Float64, count: int) -> int:
    """Keep every second sorted distance, the greatest among them; return how many are left."""
    kept = 0
    for i in range((count - 1) % 2, count, 2):
        past[kept] = past[i]
        kept += 1
    return kept
