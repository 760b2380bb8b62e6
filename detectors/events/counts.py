"""Events of many streams, counted per column: sparse, for most columns hold none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidPanelError

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Counts by stream, then column; a column that is not there holds no event.

    Attributes:
        begin: int64 `[n_streams + 1]`; the cells of stream `i` are `begin[i]:begin[i + 1]`.
        column: int64 `[cells]`, ascending and distinct within a stream.
        count: float64 `[cells]`, not negative.
        n_columns: columns in all.
    """

    begin: Int64
    column: Int64
    count: Float64
    n_columns: int

    @classmethod
    def of(
        cls,
        stream: npt.ArrayLike,
        column: npt.ArrayLike,
        count: npt.ArrayLike,
        n_streams: int,
        n_columns: int,
    ) -> Self:
        """Counts from cells in any order; those of one stream and column are added up.

        Raises:
            InvalidPanelError: a stream or column is out of range, or a count is negative.

        >>> Counts.of([1, 0, 1], [3, 2, 3], [1, 5, 2], n_streams=2, n_columns=4).count
        array([5., 3.])
        """
        streams, columns = np.asarray(stream, np.int64), np.asarray(column, np.int64)
        counts = np.asarray(count, np.float64)
        for name, values, end in (("stream", streams, n_streams), ("column", columns, n_columns)):
            if values.size and not (values.min() >= 0 and values.max() < end):
                raise InvalidPanelError(f"a {name} of the counts is not in [0, {end})")
        if counts.size and not counts.min() >= 0.0:
            raise InvalidPanelError("a count of events is negative")
        flat = streams * n_columns + columns
        order = np.argsort(flat, kind="stable")
        flat = flat[order]
        firsts = np.flatnonzero(np.diff(flat, prepend=-1))
        added = np.add.reduceat(counts[order], firsts) if flat.size else np.empty(0)
        places = flat[firsts]
        begin = np.searchsorted(places, np.arange(n_streams + 1) * n_columns)
        return cls(begin, places % max(n_columns, 1), added, n_columns)

    @property
    def n_streams(self) -> int:
        """How many streams there are, those without events included."""
        return self.begin.size - 1

    def total(self, first: int, end: int) -> Float64:
        """Events of each stream in columns `[first, end)`."""
        inside = np.where((self.column >= first) & (self.column < end), self.count, 0.0)
        return np.diff(np.r_[0.0, np.cumsum(inside)][self.begin])

    def take(self, streams: Int64) -> Counts:
        """The counts of some streams, in that order."""
        sizes = np.diff(self.begin)[streams]
        begin = np.r_[0, np.cumsum(sizes)]
        cells = np.repeat(self.begin[:-1][streams] - begin[:-1], sizes) + np.arange(begin[-1])
        return Counts(begin, self.column[cells], self.count[cells], self.n_columns)

    def dense(self, first: int, end: int) -> Float64:
        """All streams' columns `[first, end)` as an array `[n_streams, end - first]`."""
        out = np.zeros((self.n_streams, end - first))
        stream = np.repeat(np.arange(self.n_streams), np.diff(self.begin))
        inside = (self.column >= first) & (self.column < end)
        out[stream[inside], self.column[inside] - first] = self.count[inside]
        return out
