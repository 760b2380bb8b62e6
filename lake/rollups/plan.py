"""What a roll-up run has to do, as data: which stretches of which days, and in which slices."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from lake.files import TableFile
from lake.rollups.aggregate import HOUR, LOOKBACK, SLOT
from lake.rollups.news import file_span
from lake.rollups.spans import Span, Spans, aligned, coarsened, difference, intersection, union
from lake.timerange import EPOCH, MICROSECOND

MOST_SPANS = 16
"""Of one stretch: each is a condition of every query; more are made fewer by wider ones."""

HOURS_APART = 3
"""Up to so many hours of a day, each has files of its own, so that the minute-to-minute run
rewrites an hour. More are one stretch: each reads all that the day's sorted files have."""

DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Stretch:
    """Slots of one day that are computed again together, at least one."""

    spans: Spans

    @property
    def day(self) -> date:
        """Which."""
        return (EPOCH + self.spans[0][0] * MICROSECOND).date()

    @property
    def day_number(self) -> int:
        """Days since 1970."""
        return self.spans[0][0] // DAY

    @property
    def hours(self) -> Spans:
        """The hours that hold the slots."""
        return aligned(self.spans, HOUR)

    @property
    def before(self) -> Spans:
        """Slots outside, whose last samples count for the rises of the first ones inside."""
        return before(self.spans)


def before(spans: Spans) -> Spans:
    """Slots outside these, up to `LOOKBACK` before each."""
    return difference(union((start - LOOKBACK * SLOT, start) for start, _ in spans), spans)


def stretches(spans: Spans) -> list[Stretch]:
    """The slots in order of time, cut at days, and at hours where they are few.

    >>> [len(s.spans) for s in stretches(((0, SLOT), (2 * SLOT, 3 * SLOT), (HOUR, HOUR + SLOT)))]
    [2, 1]
    """
    found = []
    for day in _units(spans, DAY):
        inside = intersection(spans, (day,))
        hours = _units(inside, HOUR)
        parts = hours if len(hours) <= HOURS_APART else [day]
        found += [Stretch(coarsened(intersection(spans, (part,)), MOST_SPANS)) for part in parts]
    return found


def _units(spans: Spans, width: int) -> list[Span]:
    """Each day or hour that the spans touch."""
    starts = {start for low, high in aligned(spans, width) for start in range(low, high, width)}
    return [(start, start + width) for start in sorted(starts)]


def overlapping(files: Sequence[TableFile], spans: Spans) -> list[TableFile]:
    """The files that can have rows of these times, in the order in which they were written.

    Of two writers' commits, their clocks decide; of the same millisecond, the names. Days are found
    by bisection: the cost is that of the times that are asked for, not of all history.

    Args:
        files: of a table with days, by day.
        spans: the times.
    """
    found: list[TableFile] = []
    begin = 0
    for start, end in spans:
        # A day that two spans share was looked at with the first: each file is held against all.
        begin = bisect_left(files, _day(start), begin, key=_day_of)
        stop = bisect_right(files, _day(end - 1), begin, key=_day_of)
        found += [file for file in files[begin:stop] if intersection(spans, (file_span(file),))]
        begin = stop
    return sorted(found, key=written)


def _day(micros: int) -> date:
    """The day of a time, or the first or last one that there is."""
    first, last = (date.toordinal(each) - EPOCH.toordinal() for each in (date.min, date.max))
    return date.fromordinal(EPOCH.toordinal() + min(max(micros // DAY, first), last))


def _day_of(file: TableFile) -> date:
    if file.day is None:
        raise AssertionError("bug: a file of samples without a day")
    return file.day


def written(file: TableFile) -> tuple[int, str]:
    """Sorts files by when their rows were written."""
    return file.modified_ms, file.path


@dataclass(frozen=True, slots=True)
class Slice:
    """A range of rows in the tables' sort order: bounds memory, and is a range of row groups.

    Attributes:
        first: the first (cluster, metric), by its number.
        last: the last, included.
        ids: of the series, inclusive, where one metric alone is more than a slice.
    """

    first: int
    last: int
    ids: tuple[int, int] | None = None


def slices(counts: Sequence[int], most: int) -> list[Slice]:
    """Slices of about `most` rows at most.

    Args:
        counts: rows of each (cluster, metric), in the tables' order.
        most: rows. Series of one metric are taken as evenly spread over the numbers, as hashes are.

    >>> slices([3, 3, 3, 1], 6)
    [Slice(first=0, last=1, ids=None), Slice(first=2, last=3, ids=None)]
    """
    found: list[Slice] = []
    first, size = 0, 0
    for number, count in enumerate(counts):
        if size + count > most and number > first:
            found.append(Slice(first, number - 1))
            first, size = number, 0
        if count > most:
            found += [Slice(number, number, ids) for ids in _id_ranges(-(-count // most))]
            first = number + 1
        else:
            size += count
    if first < len(counts):
        found.append(Slice(first, len(counts) - 1))
    return found


def _id_ranges(parts: int) -> list[tuple[int, int]]:
    edges = [-(1 << 63) + (1 << 64) * part // parts for part in range(parts + 1)]
    return [(low, high - 1) for low, high in pairwise(edges)]
