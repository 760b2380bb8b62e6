"""Deleting files that no version of a table needs any more: a pure plan and an act.

Three kinds of file lie in a table's place and not in its newest version:

* taken out of the table by a commit, which the log remembers: deleted when that is `grace` ago;
* never committed: being written just now, or left behind by a process that died. Deleted when last
  written to `grace` ago, and never within `LEAST_AGE`, the longest that a writer takes from a file
  to its commit;
* not ours by its name: left alone and told.

So a version of the table stays readable for `grace` after the next one took its place, and a query
that runs no longer than that never loses a file.
"""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from lake.maintenance.telling import Told, failures, quiet
from lake.store import StoredFile
from lake.table import Table

OURS = re.compile(
    r"([0-9a-f]{32}|compact-\d{20}-.*|part-\d+-[0-9a-f-]{36}.*)\.parquet", re.IGNORECASE
)
"""Names of files that we or delta-rs have written."""

LEAST_AGE = timedelta(hours=1)

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Vacuum:
    """What to delete, and what is nobody's."""

    expired: tuple[StoredFile, ...]
    orphans: tuple[StoredFile, ...]
    foreign: tuple[StoredFile, ...]

    @property
    def bytes(self) -> int:
        """Of all that is deleted."""
        return sum(file.size for file in (*self.expired, *self.orphans))


def plan(
    found: Iterable[StoredFile],
    live: Collection[str],
    expired: Collection[str],
    recent: Collection[str],
    now: datetime,
    grace: timedelta,
) -> Vacuum:
    """Sort the files of a table's place.

    Args:
        found: what lies there, log aside.
        live: paths that the newest version names.
        expired: paths that were taken out of the table `grace` ago or longer.
        recent: paths that were taken out since.
        now: the time by which files are old.
        grace: see above.
    """
    gone, orphans, foreign = [], [], []
    oldest = now - max(grace, LEAST_AGE)
    for file in found:
        if file.path in live or file.path in recent:
            continue
        if file.path in expired:
            gone.append(file)
        elif not OURS.fullmatch(PurePosixPath(file.path).name):
            foreign.append(file)
        elif file.modified < oldest:
            orphans.append(file)
    return Vacuum(tuple(gone), tuple(orphans), tuple(foreign))


def vacuum(table: Table, grace: timedelta, now: datetime, told: Told = quiet) -> Vacuum:
    """Delete what the plan says; give it.

    Args:
        table: whose place.
        grace: begun hours count whole.
        now: the time.
        told: called with the files deleted.

    Raises:
        StoreError: the disk or the object store fails; some files may be deleted.
        TableDamagedError: the log cannot be read; nothing was deleted.
    """
    planned = look(table, grace, now)
    files = (*planned.expired, *planned.orphans)
    with failures(table, "delete files of"):
        for done, file in enumerate(files, start=1):
            table.store.delete(file.path)
            told(done, len(files))
    return planned


def look(table: Table, grace: timedelta, now: datetime) -> Vacuum:
    """What `vacuum` would delete; nothing is changed.

    Raises:
        StoreError: the disk or the object store fails.
        TableDamagedError: the log cannot be read.
    """
    # Files first: one that is committed after the list was made is in it and in the version.
    with failures(table, "list files of"):
        found = list(table.store.files())
    prefix = f"{table.store.url}/"
    live = {file.path.removeprefix(prefix) for file in table.files()[1]}
    expired = _removed(table, math.ceil(grace / HOUR))
    recent = _removed(table, 0) - expired
    return plan(found, live, expired - live, recent, now, grace)


def _removed(table: Table, hours: int) -> set[str]:
    """Paths that were taken out so many hours ago, as far as the log knows."""
    with failures(table, "find old files of"):
        delta = table.delta()
        return set(
            delta.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False)
        )
