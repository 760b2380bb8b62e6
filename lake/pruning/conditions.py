"""Conditions on the files of a table: which may hold a row that a query wants."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from lake.files import TableFile
from lake.timerange import MICROSECOND, TimeRange

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)

STATISTICS_STEP = timedelta(milliseconds=1)
"""Delta truncates times in its statistics to milliseconds, maxima too: rows may be this much later
than `TableFile.last` says. (https://github.com/delta-io/delta/blob/master/PROTOCOL.md)"""

Days = tuple[date, date]
"""First and last, both included."""

EVER: Days = (EARLIEST.date(), LATEST.date())


class Condition(Protocol):
    """What a file must satisfy; true wherever a row of the file may satisfy the query."""

    def admits(self, file: TableFile) -> bool:
        """Whether the file may hold a row that is wanted."""
        ...

    def days(self) -> list[Days]:
        """The days of all rows that are wanted, as disjoint runs in order."""
        ...


@dataclass(frozen=True, slots=True)
class Times:
    """Rows whose time lies in `[lower, upper]`; with `by_day`, only the file's day is looked at."""

    lower: datetime
    upper: datetime
    by_day: bool = False

    def admits(self, file: TableFile) -> bool:
        """Whether the file may hold such a row."""
        if file.day is None:
            return True
        if not self.lower.date() <= file.day <= self.upper.date():
            return False
        if self.by_day:
            return True
        return (file.first is None or file.first <= self.upper) and (
            file.last is None or file.last + STATISTICS_STEP > self.lower
        )

    def days(self) -> list[Days]:
        """The days of all rows that satisfy it, as disjoint runs in order."""
        lower, upper = self.lower.date(), self.upper.date()
        return [(lower, upper)] if lower <= upper else []


@dataclass(frozen=True, slots=True)
class Texts:
    """Rows whose `cluster` or `metric` lies in `[low, high]`; no `high` is no bound."""

    column: str
    low: str
    high: str | None

    def admits(self, file: TableFile) -> bool:
        """Whether the file may hold such a row."""
        held = file.clusters if self.column == "cluster" else file.metrics
        return held is None or (
            _reaches(held[1], self.low) and (self.high is None or held[0] <= self.high)
        )

    def days(self) -> list[Days]:
        """All: a text says nothing of time."""
        return [EVER]


@dataclass(frozen=True, slots=True)
class Prefix:
    """Rows whose `cluster` or `metric` begins so."""

    column: str
    prefix: str

    def admits(self, file: TableFile) -> bool:
        """Whether the file may hold such a row."""
        held = file.clusters if self.column == "cluster" else file.metrics
        return held is None or (
            held[0][: len(self.prefix)] <= self.prefix and _reaches(held[1], self.prefix)
        )

    def days(self) -> list[Days]:
        """All: a text says nothing of time."""
        return [EVER]


@dataclass(frozen=True, slots=True)
class Every:
    """Rows that satisfy all parts; with none, every row."""

    parts: tuple[Condition, ...] = ()

    def admits(self, file: TableFile) -> bool:
        """Whether the file may hold such a row."""
        return all(part.admits(file) for part in self.parts)

    def days(self) -> list[Days]:
        """The days of all rows that satisfy it, as disjoint runs in order."""
        found = [EVER]
        for part in self.parts:
            found = [
                (max(one[0], other[0]), min(one[1], other[1]))
                for one in found
                for other in part.days()
                if max(one[0], other[0]) <= min(one[1], other[1])
            ]
        return found


@dataclass(frozen=True, slots=True)
class Either:
    """Rows that satisfy a part; with none, no row."""

    parts: tuple[Condition, ...] = ()

    def admits(self, file: TableFile) -> bool:
        """Whether the file may hold such a row."""
        return any(part.admits(file) for part in self.parts)

    def days(self) -> list[Days]:
        """The days of all rows that satisfy it, as disjoint runs in order."""
        return joined(run for part in self.parts for run in part.days())


ALWAYS = Every()
NEVER = Either()


def joined(runs: Iterable[Days]) -> list[Days]:
    """The runs as disjoint ones in order."""
    found: list[Days] = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def times(condition: Condition) -> tuple[datetime, datetime]:
    """The first and last time that rows under a condition can have, both included.

    >>> times(ALWAYS) == (EARLIEST, LATEST)
    True
    """
    lower, upper = EARLIEST, LATEST
    if isinstance(condition, Times):
        lower, upper = condition.lower, condition.upper
        if condition.by_day:
            lower = datetime(lower.year, lower.month, lower.day, tzinfo=UTC)
            upper = datetime(upper.year, upper.month, upper.day, tzinfo=UTC) + timedelta(days=1)
    elif isinstance(condition, Every | Either) and condition.parts:
        parts = [times(part) for part in condition.parts]
        outer, inner = (max, min) if isinstance(condition, Every) else (min, max)
        lower, upper = outer(part[0] for part in parts), inner(part[1] for part in parts)
    return lower, upper


def names_metrics(condition: Condition) -> bool:
    """Whether rows are of some metrics only, as the condition itself says.

    >>> names_metrics(every([Texts("metric", "up", "up"), Texts("cluster", "eu", "eu")]))
    True
    >>> names_metrics(either([Texts("metric", "up", "up"), Texts("cluster", "eu", "eu")]))
    False
    """
    if isinstance(condition, Texts):
        return condition.column == "metric" and condition.high is not None
    if isinstance(condition, Prefix):
        return condition.column == "metric"
    if isinstance(condition, Every):
        return any(map(names_metrics, condition.parts))
    return isinstance(condition, Either) and all(map(names_metrics, condition.parts))


def _reaches(greatest: str, text: str) -> bool:
    """Whether a file goes up to this text.

    Writers may cut a long greatest value short, so it stands for all that begin with it.
    """
    return text <= greatest or text.startswith(greatest)


def within(between: TimeRange) -> Times:
    """The condition that a row lies in a range."""
    return Times(between.start, between.end - MICROSECOND)


def every(parts: Iterable[Condition]) -> Condition:
    """All of these, without what says nothing.

    >>> every([ALWAYS, ALWAYS]) == ALWAYS
    True
    """
    kept = tuple(dict.fromkeys(part for part in parts if part != ALWAYS))
    return kept[0] if len(kept) == 1 else Every(kept)


def either(parts: Iterable[Condition]) -> Condition:
    """One of these, or everything where one is everything; of very many, what they span.

    >>> either([NEVER, Texts("cluster", "eu", "eu")])
    Texts(column='cluster', low='eu', high='eu')
    """
    kept = tuple(dict.fromkeys(part for part in parts if part != NEVER))
    if ALWAYS in kept:
        return ALWAYS
    if len(kept) > MOST_ALTERNATIVES:
        return _span(kept)
    return kept[0] if len(kept) == 1 else Either(kept)


MOST_ALTERNATIVES = 300
"""Each is looked at for each file."""


def _span(parts: Sequence[Condition]) -> Condition:
    """What holds wherever one of these does, in one condition."""
    spans = [part for part in parts if isinstance(part, Times)]
    if len(spans) == len(parts):
        lower, upper = min(one.lower for one in spans), max(one.upper for one in spans)
        return Times(lower, upper, by_day=any(one.by_day for one in spans))
    texts = [part for part in parts if isinstance(part, Texts)]
    columns, highs = {one.column for one in texts}, [one.high for one in texts if one.high]
    if len(highs) == len(parts) and len(columns) == 1:
        return Texts(columns.pop(), min(one.low for one in texts), max(highs))
    return ALWAYS


def size(condition: Condition) -> int:
    """Of how many conditions it is made, itself included.

    >>> size(either([Prefix("cluster", "e"), Prefix("cluster", "u")]))
    3
    """
    parts = condition.parts if isinstance(condition, Every | Either) else ()
    return 1 + sum(size(part) for part in parts)


def choose(files: Sequence[TableFile], condition: Condition) -> list[TableFile]:
    """The files that may hold a row that satisfies the condition, in their order.

    Days are found by bisection, so that the cost is that of the days which are asked for, not of
    all history.

    Args:
        files: by day; either all have one or none has.
        condition: on the rows.
    """
    if not files or files[0].day is None:
        return [file for file in files if condition.admits(file)]
    found: list[TableFile] = []
    for first, last in condition.days():
        begin = bisect_left(files, first, key=_day)
        end = bisect_right(files, last, key=_day)
        found += [file for file in files[begin:end] if condition.admits(file)]
    return found


def _day(file: TableFile) -> date:
    assert file.day is not None  # noqa: S101 - a partitioned table's files all have one
    return file.day
