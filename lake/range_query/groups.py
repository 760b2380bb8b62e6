"""Aggregates over rows that are grouped: a reduction of each run of equal keys, then of those."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lake.range_query.question import Aggregate, Bucket, Column, Key, UnsuitedError
from lake.range_query.row_groups import Codes, Ints, Numbers
from lake.range_query.rows import Rows

ORIGIN = 946_857_600_000_000
"""2000-01-03, a Monday: buckets are counted from it, as `time_bucket` does."""

MOST_KEYS = 1 << 40

SECOND = 1e6

OVER_TIME = frozenset({"arg_max", "increase", "rate"})
"""Functions for which the order of rows matters."""


def bucket(times: Ints, micros: int) -> Ints:
    """The begin of each time's bucket.

    >>> (bucket(np.array([ORIGIN + 7, ORIGIN - 1]), 5) - ORIGIN).tolist()
    [5, -5]
    """
    return times - (times - ORIGIN) % micros


@dataclass(frozen=True)
class Groups:
    """Rows in groups of equal keys.

    Attributes:
        rows: ordered so that those of a segment stand together.
        starts: the first row of each segment.
        of_segment: the group of each segment.
        first: a row of each group.
    """

    rows: Rows
    starts: Ints
    of_segment: Ints
    first: Ints

    @classmethod
    def of(cls, rows: Rows, keys: Sequence[Key], *, ordered: bool) -> "Groups":
        """Group rows.

        Args:
            rows: run by run.
            keys: what the rows of a group have in common; none = one group, if there are rows.
            ordered: each group is to be one segment, in order of time.
        """
        codes = _codes(rows, keys)
        starts = _begins(codes)
        _, first, of_segment = np.unique(codes[starts], return_index=True, return_inverse=True)
        if ordered:
            same = codes[1:] == codes[:-1]
            if len(first) < len(starts) or (same & (rows.times[1:] < rows.times[:-1])).any():
                return cls.of(rows.take(np.lexsort((rows.times, codes))), keys, ordered=True)
            if (same & (rows.times[1:] == rows.times[:-1])).any():
                raise UnsuitedError  # which of two comes first is the engine's to say
        return cls(rows, starts, of_segment, starts[first])

    def __len__(self) -> int:
        return len(self.first)

    def values(self, aggregate: Aggregate) -> tuple[Numbers, npt.NDArray[np.bool_]]:
        """An aggregate of each group, and where it has none."""
        none = np.zeros(len(self), bool)
        if not len(self):
            return np.zeros(0, np.int64 if aggregate.function == "count" else np.float64), none
        if aggregate.function == "count":
            return self._sums(np.ones(len(self.rows.times))).astype(np.int64), none
        column = self.rows.numbers[aggregate.column or ""]
        if aggregate.function in {"min", "max"}:
            # NaN is the greatest number: a maximum if it is there, a minimum if nothing else is.
            reduce = np.maximum if aggregate.function == "max" else np.fmin
            return self._reduced(reduce, column), none
        if aggregate.function in {"sum", "avg"}:
            total = self._sums(column)
            counted = aggregate.function == "avg"
            return total / self._sums(np.ones(len(column))) if counted else total, none
        if aggregate.function == "arg_max":
            last = np.append(self.starts[1:], len(column)) - 1
            found = np.empty(len(self))
            found[self.of_segment] = column[last]
            return found, none
        return self._risen(column, per_second=aggregate.function == "rate")

    def _sums(self, column: Numbers) -> Numbers:
        return self._reduced(np.add, column)

    def _reduced(self, reduce: np.ufunc, column: Numbers) -> Numbers:
        parts = reduce.reduceat(column, self.starts)
        if len(parts) == len(self):
            found = np.empty(len(self))
            found[self.of_segment] = parts
            return found
        order = np.argsort(self.of_segment, kind="stable")
        begins = np.searchsorted(self.of_segment[order], np.arange(len(self)))
        reduced: Numbers = reduce.reduceat(parts[order], begins)
        return reduced

    def _risen(self, column: Numbers, *, per_second: bool) -> tuple[Numbers, npt.NDArray[np.bool_]]:
        """What counters have risen by; see `lake.macros`. Each group is one segment."""
        lengths = np.diff(np.append(self.starts, len(column)))
        known = ~np.isnan(column)
        group = np.repeat(self.of_segment, lengths)[known]
        value, time = column[known], self.rows.times[known]
        same = group[1:] == group[:-1]
        with np.errstate(invalid="ignore"):
            rise = np.where(value[1:] >= value[:-1], value[1:] - value[:-1], value[1:])
        risen = np.bincount(group[1:][same], rise[same], len(self)).astype(np.float64)
        count = np.bincount(group, minlength=len(self))
        if not per_second:
            return risen, count < 2
        between = np.bincount(group[1:][same], np.diff(time)[same], len(self)) / SECOND
        none = (count < 2) | (between == 0)
        return risen / np.where(none, 1, between), none


def _codes(rows: Rows, keys: Sequence[Key]) -> Ints:
    """A number of each row that is the same where all keys are."""
    of_runs = np.zeros(len(rows.series_ids), np.int64)
    for key in keys:
        if isinstance(key, Column) and key.name != "time":
            of_runs = _numbered(of_runs, _of_runs(rows, key.name))
    codes = of_runs[rows.of_run]
    for key in keys:
        if isinstance(key, Bucket) or key.name == "time":
            times = bucket(rows.times, key.micros) if isinstance(key, Bucket) else rows.times
            step = key.micros if isinstance(key, Bucket) else 1
            if len(times):
                place = (times - times.min()) // step
                width = int(place.max()) + 1
                if (int(codes.max()) + 1) * width > MOST_KEYS:
                    codes = _numbered(codes, place)
                else:
                    codes = codes * width + place
    return codes


def _of_runs(rows: Rows, name: str) -> Ints:
    if name == "series_id":
        return rows.series_ids
    if name not in rows.texts:
        raise UnsuitedError
    codes: Codes = rows.texts[name]
    return codes.which


def _numbered(one: Ints, other: Ints) -> Ints:
    """Numbers of pairs, from zero."""
    places = np.unique(other, return_inverse=True)[1]
    both = one * (places.max(initial=0) + 1) + places
    return np.unique(both, return_inverse=True)[1]


def _begins(codes: Ints) -> Ints:
    if not len(codes):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
