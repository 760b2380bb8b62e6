"""Dropping what is older than it is to be kept: a pure plan and an act, whole days at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lake.clusters import may_hold
from lake.files import TableFile
from lake.maintenance.levels import is_final
from lake.maintenance.output import name_of_part, write_merged
from lake.maintenance.policy import CompactionPolicy, Keep
from lake.maintenance.reading import files_with
from lake.maintenance.telling import Progress, Told, quiet
from lake.rollups.progress import note_cutoffs
from lake.table import Table
from lake.views import quote


@dataclass(frozen=True, slots=True)
class Drop:
    """A file to be taken out, with or without another in its place.

    Attributes:
        file: of the newest version.
        without: clusters whose rows go; None = all but those of `only`.
        only: clusters whose rows stay where `without` is None; empty = the whole file goes.
    """

    file: TableFile
    without: tuple[str, ...] | None
    only: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing takes the file's place."""
        return self.without is None and not self.only

    @property
    def where(self) -> str:
        """The rows that stay, as SQL."""
        if self.without is None:
            return f"cluster IN ({', '.join(map(quote, self.only))})" if self.only else "false"
        return f"cluster NOT IN ({', '.join(map(quote, self.without))})"


@dataclass
class Dropped:
    """What was taken out."""

    files: int = 0
    rewritten: int = 0
    rows: int = 0


def plan(files: Iterable[TableFile], keep: Keep, today: date) -> list[Drop]:
    """Which files hold rows of days that are over the time they are kept.

    A file is only touched if its statistics leave room for a cluster whose rows go. Where they say
    least and greatest cluster alone, that may turn out to be none.

    Args:
        files: of a partitioned table.
        keep: how long.
        today: the UTC day.
    """
    cutoff, own = keep.cutoffs(today)
    drops = (_drop(file, cutoff, own) for file in files if file.day is not None)
    return [drop for drop in drops if drop is not None]


def _drop(file: TableFile, cutoff: date, own: dict[str, date]) -> Drop | None:
    assert file.day is not None  # noqa: S101 - the caller leaves out the others
    held = {cluster: first for cluster, first in own.items() if may_hold(file, [cluster])}
    if file.day < cutoff:
        only = tuple(sorted(c for c, first in held.items() if file.day >= first))
        if file.clusters is not None and file.clusters[0] == file.clusters[1] in only:
            return None
        return Drop(file, None, only)
    without = tuple(sorted(c for c, first in held.items() if file.day < first))
    if not without:
        return None
    alone = file.clusters is not None and file.clusters == (without[0], without[0])
    return Drop(file, None) if alone else Drop(file, without)


def retain(
    table: Table, keep: Keep, now: datetime, policy: CompactionPolicy, told: Told = quiet
) -> Dropped:
    """Take out what the plan says; a file that holds other rows too is written again without.

    Raises:
        ConflictError: another process rewrote the same files at every attempt.
        FileDamagedError: a file to be written again cannot be read.
        StoreError: the disk or the object store fails.
    """
    version, files = table.files()
    drops = plan(files, keep, now.date())
    if drops:
        note_cutoffs(table, *keep.cutoffs(now.date()))
    return carry_out(table, version, drops, policy, told)


def carry_out(
    table: Table,
    version: int,
    drops: Sequence[Drop],
    policy: CompactionPolicy,
    told: Told = quiet,
) -> Dropped:
    """Commit drops of files of this version: whole files all at once, the others one by one."""
    done = Dropped()
    progress = Progress(told)
    progress.plan(len(drops))
    whole = [drop.file for drop in drops if drop.whole]
    if whole:
        table.rewrite([], whole, data_change=True)
        progress.add(len(whole))
        done.files += len(whole)
        done.rows += sum(file.rows for file in whole)
    for where, parts in _by_condition(drops).items():
        holding = files_with(table, parts, f"NOT ({where})")
        progress.add(len(parts) - len(holding))
        for file in holding:
            prefix = name_of_part(file, version)
            dense = is_final(file)
            written = write_merged(table, [file], prefix, policy, where=where, dense=dense)
            table.rewrite(written, [file], data_change=True)
            progress.add(1)
            done.rewritten += 1
            done.rows += file.rows - sum(one.rows for one in written)
    return done


def _by_condition(drops: Sequence[Drop]) -> dict[str, list[TableFile]]:
    found: dict[str, list[TableFile]] = {}
    for drop in drops:
        if not drop.whole:
            found.setdefault(drop.where, []).append(drop.file)
    return found
