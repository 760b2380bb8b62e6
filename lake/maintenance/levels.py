"""Which files of a day to merge: a pure plan, as log-structured merge trees have it.

A flush writes a small file (level 0). Merging gives a *run*: one or more files that are sorted, do
not overlap and have no duplicates. As soon as a stretch of neighbouring runs of level `l` or less
has more than `(fan_in - 1) * (l + 1)` members, at least `fan_in` are of one level, and the stretch
becomes one run of level `l + 1`. When the day is over, all of it becomes one run of level `FINAL`.

With `n` commits in a day, `F = fan_in`, and nothing in the plan any more:

* runs a day ≤ `(F - 1) * (floor(log_F n) + 1)`, and never more than `(F - 1) * FINAL`, the run of a
  closed day aside; a run has one file for each `target_bytes` begun. For the
  default of 8, ten seconds between flushes and 8,640 commits a day: 35.
* a row is written again at most `floor(log_F n) + 2` times: once a level and once when the day is
  closed. Maintenance every five minutes merges the 30 files that came meanwhile at once, so that
  three levels last for a day: four times.

Only neighbours in order of commit are merged, and a run counts as as new as its newest file. So
"the later commit wins" gives the same row whatever was merged before. The order is that of
`TableFile.modified_ms`, the writers' clocks, and of the path for the same millisecond: of two
writers' commits that are closer than their clocks are apart, either may win, and at a merge the
rows of a whole run move with its newest. A receiver's own commits never lie so close.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import PurePath

from lake.files import TableFile
from lake.maintenance.policy import CompactionPolicy, is_closed

FINAL = 9
"""The level of a closed day's run. Even 8**8 flushes a day need no more levels below it."""

NAME = re.compile(r"compact-(?P<version>\d{20})-l(?P<level>\d)-(?P<run>[0-9a-f]{8})-")

LASTING = 3
"""Of a table without days, the level from which on runs are merged seldom."""

LATE_SHARE = 4
"""Late rows are merged into a closed day at once when they are more than one in so many."""


@dataclass(frozen=True, slots=True)
class Run:
    """Files that came of one merge; a file as it was flushed is a run of its own."""

    level: int
    files: tuple[TableFile, ...]

    @property
    def order(self) -> tuple[int, str]:
        """Later is newer."""
        return max((file.modified_ms, file.path) for file in self.files)

    @property
    def rows(self) -> int:
        """How many it has."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True)
class Merge:
    """Files, oldest first, to be merged into one run of a level."""

    day: date | None
    files: tuple[TableFile, ...]
    level: int

    @property
    def rows(self) -> int:
        """How many go in."""
        return sum(file.rows for file in self.files)

    @property
    def lasts(self) -> bool:
        """Whether what comes of it will stay long enough to be worth a dense file."""
        return self.level >= (LASTING if self.day is None else FINAL)


def prefix(version: int, level: int, run: str) -> str:
    """How the names of a run's files begin.

    Args:
        version: every row was committed to the table of samples at or before this version of it.
        level: of the run.
        run: eight hexadecimal digits of its own.

    >>> prefix(12, 1, "0123abcd")
    'compact-00000000000000000012-l1-0123abcd-'
    """
    return f"compact-{version:020d}-l{level}-{run}-"


def prefix_of(file: TableFile) -> str | None:
    """How a merged file's name begins, and so those of its parts; None for another file."""
    found = NAME.match(PurePath(file.path).name)
    return None if found is None else found[0]


def runs(files: Iterable[TableFile]) -> list[Run]:
    """The runs of one day, in order of commit."""
    found: dict[str, list[TableFile]] = {}
    for file in files:
        found.setdefault(prefix_of(file) or file.path, []).append(file)
    made = [Run(_level(begin), tuple(members)) for begin, members in found.items()]
    return sorted(made, key=lambda run: run.order)


def _level(name: str) -> int:
    found = NAME.match(name)
    return 0 if found is None else int(found["level"])


def is_final(file: TableFile) -> bool:
    """Whether it is of a closed day's run."""
    return runs([file])[0].level == FINAL


def by_day(files: Iterable[TableFile]) -> dict[date | None, list[TableFile]]:
    """The files of each day, of the newest day first; a table without days has one group."""
    ordered = sorted(files, key=lambda file: file.day or date.max, reverse=True)
    return {day: list(group) for day, group in groupby(ordered, key=lambda file: file.day)}


def plan(files: Iterable[TableFile], now: datetime, policy: CompactionPolicy) -> list[Merge]:
    """What to merge next, at most one merge a day, of the newest day first.

    A merge makes way for others: plan again until the plan is empty.
    """
    merges = (plan_day(day, own, now, policy) for day, own in by_day(files).items())
    return [merge for merge in merges if merge is not None]


def plan_day(
    day: date | None, files: Sequence[TableFile], now: datetime, policy: CompactionPolicy
) -> Merge | None:
    """What to merge next of one day's files; None = nothing."""
    ordered = runs(files)
    if day is not None and is_closed(day, now, policy) and _wants_final(ordered, now, policy):
        return _merge(day, ordered, FINAL)
    for level in range(FINAL):
        for inside, group in groupby(ordered, key=lambda run: run.level <= level):
            stretch = list(group)
            if inside and len(stretch) > (policy.fan_in - 1) * (level + 1):
                return _merge(day, stretch, min(level + 1, FINAL - 1))
    return None


def _wants_final(ordered: Sequence[Run], now: datetime, policy: CompactionPolicy) -> bool:
    final = [run for run in ordered if run.level == FINAL]
    late = [run for run in ordered if run.level != FINAL]
    if len(final) != 1:
        return True
    if not late:
        return False
    newest = datetime.fromtimestamp(max(run.order for run in late)[0] / 1000, UTC)
    many = sum(run.rows for run in late) * LATE_SHARE > final[0].rows
    return many or now - newest >= policy.settle_after


def _merge(day: date | None, stretch: Sequence[Run], level: int) -> Merge:
    return Merge(day, tuple(file for run in stretch for file in run.files), level)


def most_files(commits: int, size: int, policy: CompactionPolicy) -> int:
    """The bound on a day's files when the plan is empty.

    Args:
        commits: to the day, each of one file.
        size: bytes of the day's files.
        policy: what was planned with.

    >>> most_files(8640, 0, CompactionPolicy())
    36
    """
    level, reach = 0, policy.fan_in
    while reach <= commits and level < FINAL - 1:
        level, reach = level + 1, reach * policy.fan_in
    return (policy.fan_in - 1) * (level + 1) + 1 + size // policy.target_bytes
