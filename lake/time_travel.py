"""The lake as it was: versions of its tables by number, by snapshot id or by time."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from lake.clock import Clock
from lake.commit_times import CommitTimes
from lake.errors import AsOfError, LakeError, VersionGoneError
from lake.files import TableFile
from lake.snapshot_id import ABSENT, SnapshotId
from lake.table import Table
from lake.table_version import TableVersion

AsOf = datetime | str | SnapshotId | Mapping[str, int]
"""A time; a snapshot id or a time as text; or versions by table (the newest of those not named)."""


class Past:
    """Other versions of a lake's tables than the newest."""

    def __init__(self, tables: Mapping[str, Table], clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self._times = {name: CommitTimes(table.store) for name, table in tables.items()}

    def pinned(self, as_of: AsOf, names: Collection[str]) -> dict[str, TableVersion]:
        """The versions of these tables that are meant, in the order of their names.

        Raises:
            AsOfError: the text is neither an id nor a time, the time has no zone or lies in the
                future, or a table is unknown.
            VersionGoneError: there is no such version (yet), or its log has been cleaned up.
        """
        versions = self._versions(as_of, names)
        return {
            name: TableVersion(*files_at(self._tables[name], version))
            for name, version in versions.items()
        }

    def _versions(self, as_of: AsOf, names: Collection[str]) -> dict[str, int | None]:
        """The version of each table; None is the newest, ABSENT none at all."""
        if isinstance(as_of, str):
            as_of = parsed(as_of)
        if isinstance(as_of, SnapshotId):
            return {name: as_of.versions[name] for name in names}
        if isinstance(as_of, datetime):
            moment = _checked(as_of, self._clock())
            return {name: self._at(name, moment) for name in names}
        unknown = next((name for name in as_of if name not in self._tables), None)
        if unknown is not None:
            raise AsOfError(unknown, f"is no table: there are {', '.join(self._tables)}")
        return {name: as_of.get(name) for name in names}

    def _at(self, name: str, moment: datetime) -> int:
        """The last version that was committed at the moment or before it."""
        newest, times = self._tables[name].version(), self._times[name]
        found = times.version_at(moment, newest)
        if found is not None:
            return found
        oldest = times.oldest(newest)
        if oldest == 0:
            return ABSENT
        rule = "has no log of that time any more"
        raise VersionGoneError(moment.isoformat(), name, oldest, newest, rule)

    def check(self, name: str, version: int, paths: Collection[str]) -> None:
        """Make sure that files of a version are still there.

        Raises:
            VersionGoneError: one is not.
        """
        check_files(self._tables[name], version, paths)


def parsed(text: str) -> datetime | SnapshotId:
    """The snapshot id, or the time (of UTC where it has no zone), that a text is.

    >>> parsed("2026-03-01 12:00").isoformat()
    '2026-03-01T12:00:00+00:00'
    >>> parsed("1-812.40").versions["samples"]
    812

    Raises:
        AsOfError: it is neither.
    """
    if SnapshotId.looks_like_one(text):
        return SnapshotId.parse(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        rule = "is neither a time such as '2026-03-01T12:00Z' nor a snapshot id"
        raise AsOfError(text, rule) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def files_at(table: Table, version: int | None) -> tuple[int, tuple[TableFile, ...]]:
    """The version and its files; see `Table.files`.

    Raises:
        VersionGoneError: there is no such version (any more, or yet).
    """
    if version == ABSENT:
        return ABSENT, ()
    try:
        return table.files(version)
    except LakeError as error:
        newest = table.version()
        if version is None:
            raise
        if version > newest:
            raise VersionGoneError(
                str(version), table.spec.name, _oldest(table, newest), newest, "has no such version"
            ) from error
        oldest = _oldest(table, newest)
        if version >= oldest:
            raise  # something else is wrong
        rule = "has no log of that version any more"
        raise VersionGoneError(str(version), table.spec.name, oldest, newest, rule) from error


def check_files(table: Table, version: int, files: Collection[str]) -> None:
    """Make sure that files of an old version are still there.

    Raises:
        VersionGoneError: one is not.
    """
    _, now = table.files()
    kept = {file.path for file in now}
    doubtful = {path for path in files if path not in kept}
    if doubtful and not doubtful <= _stored(table, doubtful):
        newest = table.version()
        rule = "has lost files of that version to a vacuum"
        oldest = _oldest(table, newest, whole=True)
        raise VersionGoneError(str(version), table.spec.name, oldest, newest, rule)


def _checked(moment: datetime, now: datetime) -> datetime:
    if moment.tzinfo is None:
        raise AsOfError(moment.isoformat(), "has no time zone: use UTC")
    if moment > now:
        # What will have been known then changes with every commit.
        raise AsOfError(moment.isoformat(), f"lies in the future: it is {now.isoformat()}")
    return moment


def _oldest(table: Table, newest: int, *, whole: bool = False) -> int:
    """The oldest version that can be read; with `whole`, whose files are all there too."""
    stored = _stored(table, None) if whole else None

    def readable(version: int) -> bool:
        try:
            _, files = table.files(version)
        except LakeError:
            return False
        return stored is None or all(file.path in stored for file in files)

    low, high = 0, newest
    while low < high:
        middle = (low + high) // 2
        if readable(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _stored(table: Table, wanted: set[str] | None) -> set[str]:
    """The paths of the table's folder, or those of some that are there."""
    store = table.store
    if wanted is not None and store.reader == "file":
        return {path for path in wanted if Path(path).exists()}
    return {f"{store.url}/{file.path}" for file in store.files()}
