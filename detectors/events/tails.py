"""How rarely counts reach so far: tails of over-dispersed counts and shares.

Both take a *spread*, the variance over that of independent events: events come in clusters (a pod
that fails says so ten times), and a cluster is one accident.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

Float64 = npt.NDArray[np.float64]

LEAST_P = 1e-300
"""Beyond this floats end, and nobody counts."""

TAIL_SHAPE = 0.1
"""Of the heaviest tail. Simulated fleets whose bursts are lognormal, or whose level wanders within
the hour, exceeded a negative binomial's 1e-6 a hundred times as often; tests/detectors/events."""

_NEAR_POISSON = 1e-6
_HALVINGS = 64


def at_least(count: npt.ArrayLike, mean: npt.ArrayLike, spread: npt.ArrayLike) -> Float64:
    """Probability of a count or more: negative binomial, of variance `spread * mean`.

    It is what a Poisson number of clusters gives whose sizes are logarithmic: its tail falls by a
    constant factor per event, about `1 - 1 / spread`. Counts need not be whole.

    Args:
        count: what was counted.
        mean: what is expected, above 0.
        spread: 1 or more; 1 = independent events (Poisson).

    >>> p = at_least([0, 5, 50], 5.0, 1.0)
    >>> bool(p[0] == 1.0), round(float(p[1]), 3), bool(p[2] < 1e-20)
    (True, 0.56, True)
    """
    x, mu, d = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (count, mean, spread)))
    extra = np.maximum(d - 1.0, _NEAR_POISSON)
    clustered = special.betainc(np.maximum(x, _NEAR_POISSON), mu / extra, extra / (1.0 + extra))
    alone = special.gammainc(np.maximum(x, _NEAR_POISSON), mu)
    p = np.where(d - 1.0 > _NEAR_POISSON, clustered, alone)
    return np.where(x <= 0.0, 1.0, _heavier(np.clip(p, LEAST_P, 1.0), d))


def share_at_least(
    part: npt.ArrayLike, whole: npt.ArrayLike, share: npt.ArrayLike, spread: npt.ArrayLike
) -> Float64:
    """Probability of so many of a whole or more, where each is one with probability `share`.

    Binomial, with parts and whole divided by the spread: what comes in clusters is one trial each.

    >>> [round(float(share_at_least(5, 10, 0.5, d)), 2) for d in (1.0, 5.0)]
    [0.62, 0.75]
    """
    x, n, p, d = np.broadcast_arrays(
        *(np.asarray(v, np.float64) for v in (part, whole, share, spread))
    )
    found = special.betainc(np.maximum(x, _NEAR_POISSON) / d, (n - x) / d + 1.0, p)
    return np.where(x <= 0.0, 1.0, _heavier(np.clip(found, LEAST_P, 1.0), d))


def _heavier(p: Float64, spread: Float64) -> Float64:
    """The p-value where clusters have no typical size: the more clustered, the heavier the tail.

    A generalised Pareto law of the p-value's logarithm, exponential (unchanged) at spread 1.
    """
    shape = TAIL_SHAPE * (1.0 - 1.0 / np.maximum(spread, 1.0))
    bent = np.log1p(-shape * np.log(p)) / np.maximum(shape, _NEAR_POISSON)
    return np.where(shape > _NEAR_POISSON, np.maximum(np.exp(-bent), LEAST_P), p)


def none_at_all(mean: npt.ArrayLike, spread: npt.ArrayLike) -> Float64:
    """Probability of no event where so many are expected."""
    mu, d = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (mean, spread)))
    extra = np.maximum(d - 1.0, _NEAR_POISSON)
    return np.clip(np.exp(-mu * np.log1p(extra) / extra), LEAST_P, 1.0)


def bounds(p: float, mean: Float64, spread: Float64) -> tuple[Float64, Float64]:
    """The least and greatest count that is rarer than `p` on neither side, by halving.

    >>> low, high = bounds(1e-3, np.array([100.0]), np.array([1.0]))
    >>> int(low[0]), int(high[0])
    (71, 132)
    """
    top = mean + 1.0
    while np.any(late := at_least(top, mean, spread) > p):
        top = np.where(late, 2.0 * top, top)

    def tail(count: Float64) -> Float64:
        return at_least(count, mean, spread)

    return _halved(tail, top, 1.0 - p), _halved(tail, top, p)


def share_bounds(
    p: float, whole: Float64, share: Float64, spread: Float64
) -> tuple[Float64, Float64]:
    """The same of parts of a whole.

    >>> low, high = share_bounds(1e-3, np.array([100.0]), np.array([0.5]), np.array([1.0]))
    >>> int(low[0]), int(high[0])
    (34, 65)
    """

    def tail(part: Float64) -> Float64:
        return share_at_least(part, whole, share, spread)

    def other(part: Float64) -> Float64:
        return share_at_least(part, whole, 1.0 - share, spread)

    return whole - _halved(other, whole, p), _halved(tail, whole, p)


def _halved(tail: Callable[[Float64], Float64], top: Float64, passed: float) -> Float64:
    """The greatest value up to `top` with a tail above what is passed; tails fall."""
    low, high = np.zeros_like(top), top.copy()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        rarer = tail(middle) <= passed
        low, high = np.where(rarer, low, middle), np.where(rarer, middle, high)
    return low
