"""Replicas of which one does much more than its siblings, hour after hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

FACTOR = 2.0
"""From so many times the mean of its siblings on a replica does much more."""

STEADY = 0.8
"""Share of the hours in which it has to be the same replica."""

LEAST = 1e-6
"""Share of what one did that siblings are taken to have done at least."""

LEAST_HOURS = 6
"""Fewer tell of a moment."""


@dataclass(frozen=True, slots=True, eq=False)
class Uneven:
    """Of each group, `[g]`.

    Attributes:
        row: int64, the replica that did most over all hours, -1 = there are not two.
        factor: float64, the median over hours of how many times its siblings' mean it did.
        share: float64, share of hours in which it did `FACTOR` times as much.
        hours: int64, hours in which it and a sibling were seen.
    """

    row: Int64
    factor: Float64
    share: Float64
    hours: Int64

    @property
    def lopsided(self) -> npt.NDArray[np.bool_]:
        """bool[g], whether that deserves a look."""
        return (self.share >= STEADY) & (self.hours >= LEAST_HOURS)


def uneven(values: Float64, group: Int64) -> Uneven:
    """How uneven the load of replicas is.

    >>> told = uneven(np.array([[4.0] * 8, [1.0] * 8, [1.0] * 8]), np.zeros(3, np.int64))
    >>> told.row.tolist(), told.factor.tolist(), told.lopsided.tolist()
    ([0], [4.0], [True])

    Args:
        values: float64[p, hours], what each replica did, NaN = it was not there.
        group: int64[p], whose replica it is, numbers from 0 on.

    Raises:
        InvalidParameterError: not one group a row.
    """
    if len(values) != len(group):
        raise InvalidParameterError("group", len(group), f"must be one a row of {len(values)}")
    groups = int(group.max(initial=-1)) + 1
    there = ~np.isnan(values)
    done = np.where(there, values, 0.0)
    sums, counts = (np.zeros((groups, values.shape[1])) for _ in range(2))
    np.add.at(sums, group, done)
    np.add.at(counts, group, there)
    best = np.full(groups, -1, np.int64)
    order = np.lexsort((-np.arange(len(group)), done.sum(axis=1), group))
    best[group[order]] = order  # the last of each group is the one that did most
    several = np.bincount(group, minlength=groups) > 1
    own = np.where(best[:, None] >= 0, done[best], 0.0)
    seen = there[best] & (counts > 1) & several[:, None]
    mean = (sums - own) / np.maximum(counts - 1, 1)
    # Beside nothing at all, anything is much, and nothing is as much.
    mean = np.where(own > 0.0, np.maximum(mean, LEAST * own), 1.0)
    ratio = np.where(seen, own / mean, np.nan)
    hours = seen.sum(axis=1)
    much = (ratio >= FACTOR) & (own > 0.0)
    factor = np.full(groups, np.nan)
    known = hours > 0
    factor[known] = np.nanmedian(ratio[known], axis=1)
    share = much.sum(axis=1) / np.maximum(hours, 1)
    return Uneven(np.where(several, best, -1), factor, share, hours)
