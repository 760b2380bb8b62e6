"""Counts of events, remembered between looks as long as the files that they come from are the same.

A resident ticker looks each minute at a day of events. The counts of an hour are a function of the
files that hold its rows: where those are the same, nothing is read again; where one came (late
events, a restart of a watch) or was merged, the hours that it touches are counted anew. So memory
changes nothing that is found.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import polars as pl
import xxhash

from lake import TimeRange
from lake.files import TableFile
from lake.snapshot import Snapshot
from lake.timerange import DAY, EPOCH, MICROSECOND
from orchestration.steps.events.counting import REACH, SCHEMA, count, reasons

HOUR = timedelta(hours=1)

KNOWN_FOR = timedelta(days=30)
"""How far back a reason is remembered; one that was silent for longer is new again."""


def columns_of(span: timedelta, step: timedelta) -> int:
    """Whole columns in a span, one at least."""
    return max(1, span // step)


@dataclass(slots=True)
class Memory:
    """Counts by block of columns, and reasons by day, each with what it was read from.

    Attributes:
        step: width of a column.
    """

    step: timedelta
    _blocks: dict[int, tuple[str, pl.DataFrame]] = field(default_factory=dict)
    _days: dict[date, tuple[str, pl.DataFrame]] = field(default_factory=dict)

    @property
    def block(self) -> int:
        """Columns of a block: an hour's."""
        return columns_of(HOUR, self.step)

    def counts(self, snapshot: Snapshot, first: int, end: int) -> pl.DataFrame:
        """The counts of columns `[first, end)`, numbered from 1970; columns of `SCHEMA`."""
        blocks = range(first // self.block, -(-end // self.block))
        keys = self._keys(snapshot.tables["events"].files, blocks)
        self._blocks = {
            number: kept for number, kept in self._blocks.items() if kept[0] == keys.get(number)
        }
        for low, high in _runs(number for number in blocks if number not in self._blocks):
            between = TimeRange(self._start(low), self._start(high))
            found = count(snapshot, between, self.step, self.block)
            parts = found.with_columns(number=pl.col("column") // self.block).partition_by(
                "number", as_dict=True, include_key=False
            )
            for number in range(low, high):
                own = parts.get((number,), found.clear())
                self._blocks[number] = (keys[number], own)
        frames = [pl.DataFrame(schema=SCHEMA)] + [self._blocks[number][1] for number in blocks]
        return pl.concat(frames).filter(pl.col("column").is_between(first, end, closed="left"))

    def reasons(self, snapshot: Snapshot, until: datetime) -> pl.DataFrame:
        """(date, cluster, source, key) of the `KNOWN_FOR` before a midnight."""
        whole = TimeRange(until - KNOWN_FOR, until)
        of_day: dict[date, list[str]] = defaultdict(list)
        for file in snapshot.tables["events"].within(whole):
            if file.day is not None:
                of_day[file.day].append(file.path)
        keys = {day: _digest(paths) for day, paths in of_day.items() if day < until.date()}
        self._days = {day: kept for day, kept in self._days.items() if kept[0] == keys.get(day)}
        missing = sorted(keys.keys() - self._days.keys())
        if missing:
            start = datetime(*missing[0].timetuple()[:3], tzinfo=UTC)
            end = datetime(*missing[-1].timetuple()[:3], tzinfo=UTC) + DAY
            found = reasons(snapshot, TimeRange(start, end))
            for day in missing:
                self._days[day] = (keys[day], found.filter(pl.col("date") == day))
        empty = pl.DataFrame(schema={"date": pl.Date} | dict(list(SCHEMA.items())[:3]))
        return pl.concat([empty] + [frame for _, frame in self._days.values()])

    def _start(self, block: int) -> datetime:
        return EPOCH + block * self.block * self.step

    def _keys(self, files: tuple[TableFile, ...], blocks: range) -> dict[int, str]:
        """For each block, a digest of the files that can hold rows which it depends on."""
        length = self.block * self.step
        paths: dict[int, list[str]] = {number: [] for number in blocks}
        start, end = self._start(blocks.start) - REACH, self._start(blocks.stop)
        for file in files:
            day = file.day or EPOCH.date()
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            first = file.first or midnight
            last = file.last or midnight + DAY - MICROSECOND
            if last < start or first >= end:
                continue
            low = max((first - EPOCH) // length, blocks.start)
            high = min((last + REACH - EPOCH) // length, blocks.stop - 1)
            for number in range(low, high + 1):
                paths[number].append(file.path)
        return {number: _digest(own) for number, own in paths.items()}


def _digest(paths: list[str]) -> str:
    return xxhash.xxh3_128_hexdigest("\n".join(sorted(paths)).encode())


def _runs(numbers: Iterator[int]) -> list[tuple[int, int]]:
    """Consecutive numbers as half-open ranges.

    >>> _runs(iter([1, 2, 3, 7]))
    [(1, 4), (7, 8)]
    """
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found
