"""The log of one Delta table: its versions, the files of each, and whether all that is on disk."""

import threading

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lake.errors import TableDamagedError
from lake.files import TableFile, table_files
from lake.schema_version import check_version
from lake.store import Store, is_of_store, plain_text
from lake.table_properties import GRACE, properties
from lake.table_spec import TableSpec

KEPT_VERSIONS = 4
"""Lists of files kept: the newest, and those that long queries may still name."""


class FileLists:
    """The files of the versions that were asked for last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lists: dict[int, tuple[TableFile, ...]] = {}

    def get(self, version: int) -> tuple[TableFile, ...] | None:
        """The files of a version; None = not kept."""
        with self._lock:
            found = self._lists.pop(version, None)
            if found is not None:
                self._lists[version] = found  # the last used stands last
            return found

    def keep(self, version: int, files: tuple[TableFile, ...]) -> None:
        """Keep a list, and let go of the one that was not asked for the longest."""
        with self._lock:
            self._lists[version] = files
            if len(self._lists) > KEPT_VERSIONS:
                del self._lists[next(iter(self._lists))]


class DeltaLog:
    """Reads the log, as far as it has grown since the last look. For one thread at a time.

    Of `open` and `files` of a version that is named, any number of threads may make use at once.

    Every method raises TableDamagedError where the log cannot be read, and NewerLakeError where a
    newer program wrote it.

    Args:
        store: the table's place.
        spec: of the table.
        lists: shared by all logs of the same table, for a list may take a lot of memory.
    """

    def __init__(self, store: Store, spec: TableSpec, lists: FileLists) -> None:
        self._store = store
        self._spec = spec
        self._lists = lists
        self._newest: DeltaTable | None = None
        self._mark: int | None = None
        self._synced: int | None = None

    def create(self) -> None:
        """Begin the log, if it is not there."""
        try:
            DeltaTable.create(
                self._store.url,
                schema=self._spec.stored_schema,
                partition_by=self._spec.partition_by,
                mode="ignore",
                # Now, for setting them later lets no other thread run.
                configuration=properties(GRACE),
                raise_if_key_not_exists=False,
                storage_options=self._store.options,
            )
        except DeltaError as error:
            raise self._damaged(error) from error
        self.open()  # what was there already may be of a newer program

    def open(self, version: int | None = None) -> DeltaTable:
        """Delta's own object for a version (newest by default), of the caller's own."""
        try:
            delta = DeltaTable(self._store.url, version, self._store.options)
        except TableNotFoundError:
            raise
        except DeltaError as error:
            raise self._damaged(error) from error
        check_version(delta, self._spec.name)
        return delta

    def newest(self) -> DeltaTable:
        """Delta's own object, which moves on with every call."""
        if self._newest is None:
            self._newest = self.open()
            return self._newest
        mark = self._store.log_mark(self._newest.version())
        if mark is not None and mark == self._mark:
            return self._newest
        try:
            self._newest.update_incremental()
        except DeltaError as error:
            raise self._damaged(error) from error
        self._mark = mark
        return self._newest

    def files(self, version: int | None = None) -> tuple[int, tuple[TableFile, ...]]:
        """See `Table.files`."""
        delta = None
        if version is None:
            delta = self.newest()
            version = delta.version()
        found = self._lists.get(version)
        if found is None:
            delta = delta or self.open(version)
            actions = pa.table(delta.get_add_actions(flatten=True))
            found = table_files(self._store.url, actions, self._spec.day_of)
            self._lists.keep(version, found)
        return version, found

    def position(self, app: str) -> int | None:
        """The last position of the stream `app` in the newest version."""
        try:
            position: int | None = self.newest().transaction_version(app)
        except DeltaError as error:
            raise self._damaged(error) from error
        return position

    def paths(self) -> set[str]:
        """Of the newest version's files."""
        return {file.path for file in self.files()[1]}

    def sync(self) -> int:
        """Make the log durable and give its version: the receiver deletes its own on that strength.

        All versions since the last call that came to its end, for which of them is ours is not
        told; at the first call, every file that is there.
        """
        newest = self.newest().version()
        self._store.sync_log(self._synced, newest)
        self._synced = newest
        return newest

    def _damaged(self, error: DeltaError) -> Exception:
        if is_of_store(error):
            return error
        return TableDamagedError(self._spec.name, self._store.url, plain_text(error))
