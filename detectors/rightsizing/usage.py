"""What containers used, as counts: quantiles and shares of all of them at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError
from detectors.rightsizing.bins import GROWTH, NOTHING, Float64, Int64, bins_of, edges

_APART = 1 << 20
"""Between the keys of two containers; bins are fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class Usage:
    """How often each container used how much; make it by `of`.

    Attributes:
        n: containers.
        keys: container and bin as one number, ascending, each once `[rows]`.
        before: slots (pods and columns) of all containers before a row, and the sum `[rows + 1]`.
        first: of each container its first row, and the number of rows `[n + 1]`.
    """

    n: int
    keys: Int64
    before: Int64
    first: Int64

    @classmethod
    def of(
        cls, container: npt.ArrayLike, bins: npt.ArrayLike, count: npt.ArrayLike, n: int
    ) -> Usage:
        """Counts by container and bin, in any order; what is there twice is added up.

        Args:
            container: 0 to `n` - 1, `[rows]`.
            bins: see `bins_of`, `[rows]`.
            count: slots, not negative, `[rows]`.
            n: containers.

        Raises:
            InvalidParameterError: shapes differ, or a container or count is out of range.
        """
        who, where = np.asarray(container, dtype=np.int64), np.asarray(bins, dtype=np.int64)
        slots = np.asarray(count, dtype=np.int64)
        if not who.shape == where.shape == slots.shape:
            raise InvalidParameterError("count", slots.shape, f"must have the shape {who.shape}")
        if len(who) and (who.min() < 0 or who.max() >= n):
            raise InvalidParameterError("container", int(who.max()), f"must be 0 to {n - 1}")
        if len(slots) and slots.min() < 0:
            raise InvalidParameterError("count", int(slots.min()), "must not be negative")
        keys, row = np.unique(who * _APART + where - NOTHING, return_inverse=True)
        sums = np.zeros(len(keys), dtype=np.int64)
        np.add.at(sums, row, slots)
        before = np.concatenate([[0], np.cumsum(sums)])
        first = np.searchsorted(keys, np.arange(n + 1) * _APART)
        return cls(n, keys, before, first)

    @property
    def slots(self) -> Int64:
        """Pods and columns of each container, `[n]`."""
        counts: Int64 = np.diff(self.before[self.first])
        return counts

    def quantiles(self, shares: npt.ArrayLike) -> Float64:
        """Below which each container was for so much of the time, `[n, shares]`; NaN = no data.

        Exact to a bin; within one it is read off a straight line, and so it is a little too high
        where all of a bin lies at its lower edge.
        """
        wanted = np.atleast_1d(np.asarray(shares, dtype=np.float64))
        begin, slots = self.before[self.first[:-1]], self.slots
        if not len(self.keys):
            return np.full((self.n, len(wanted)), np.nan)
        # A count may be in the middle of a slot; the smallest that is held is the first slot.
        target = begin[:, None] + np.maximum(slots[:, None] * wanted, np.minimum(slots, 1)[:, None])
        row = np.searchsorted(self.before[1:], target - 1e-9)
        row = np.clip(row, self.first[:-1, None], np.maximum(self.first[1:, None] - 1, 0))
        row = np.minimum(row, len(self.keys) - 1)
        held = np.maximum(self.before[row + 1] - self.before[row], 1)
        part = np.clip((target - self.before[row]) / held, 0.0, 1.0)
        values = edges(self.keys[row] % _APART + NOTHING) * GROWTH**part
        return np.where(slots[:, None] > 0, values, np.nan)

    def above(self, levels: npt.ArrayLike, peaks: npt.ArrayLike | None = None) -> Float64:
        """Share of the time that each container used more than its level, 0 to 1 `[n]`.

        NaN where there is no data or no level. A bin that holds the level counts in part.

        Args:
            levels: `[n]`.
            peaks: the highest of each, exactly: above that, nothing is `[n]`.
        """
        told = np.asarray(levels, dtype=np.float64)
        known = np.isfinite(told)
        asked = np.where(known, np.maximum(told, 0.0), 1.0)
        bins = bins_of(asked)
        key = np.arange(self.n) * _APART + bins - NOTHING
        row = np.searchsorted(self.keys, key)
        if not len(self.keys):
            return np.full(self.n, np.nan)
        there = self.keys[np.minimum(row, len(self.keys) - 1)] == key
        begin, end = self.before[self.first[:-1]], self.before[self.first[1:]]
        up_to = self.before[row]
        inside = np.where(there, self.before[np.minimum(row + 1, len(self.keys))] - up_to, 0)
        lower = edges(bins)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(lower > 0.0, np.log(asked / lower) / np.log(GROWTH), 1.0)
            share = (end - up_to - inside * np.clip(part, 0.0, 1.0)) / (end - begin)
        if peaks is not None:
            share = np.where(told >= np.asarray(peaks, dtype=np.float64), 0.0, share)
        return np.where(known & (end > begin), np.clip(share, 0.0, 1.0), np.nan)
