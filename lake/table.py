"""One Delta table: append once, replace a slice, list the files of a version."""

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from lake.clock import Clock
from lake.commit import Commit, CommitKey
from lake.committer import Committer
from lake.delta_log import DeltaLog, FileLists
from lake.errors import LakeNotFoundError
from lake.files import TableFile
from lake.parquet import DataFile, Rows, write_file
from lake.partitions import by_day
from lake.places import folder_of
from lake.replacement import Replacement
from lake.store import Store, failures_of
from lake.table_spec import TableSpec


class Table:
    """A Delta table. Safe to use from several threads and beside other writers.

    Who writes waits for the write before. Who asks for versions, files or positions seen waits for
    no writer, however long one hangs: reading has a view of the log of its own.

    Every method that touches the place raises StoreError where that fails, LakeNotFoundError where
    the table is gone, and TableDamagedError where its log cannot be read.
    """

    def __init__(self, store: Store, spec: TableSpec, clock: Clock) -> None:
        self.store = store
        self.spec = spec
        lists = FileLists()
        self._writing = threading.RLock()
        self._log = DeltaLog(store, spec, lists)
        self._committer = Committer(store, spec, clock, self._log)
        self._looking = threading.Lock()
        self._view = DeltaLog(store, spec, lists)

    @property
    def folder(self) -> Path:
        """Its folder.

        Raises:
            LakeFolderError: it lies in none.
        """
        return folder_of(self.store)

    def exists(self) -> bool:
        """Whether the table has been created."""
        # `DeltaTable.is_deltatable` would let no other thread run while it waits for a server.
        try:
            self.version()
        except LakeNotFoundError:
            return False
        return True

    def create(self) -> None:
        """Create the table if it is not there."""
        with failures_of(self.store, f"create table {self.spec.name!r}"):
            self._log.create()

    def delta(self, version: int | None = None) -> DeltaTable:
        """Delta's own object for a version (newest by default), for maintenance of the log."""
        with self._failures("open"):
            return self._view.open(version)

    def version(self) -> int:
        """The newest version."""
        with self._seeing("open"):
            return self._view.newest().version()

    def committed_position(self, app: str) -> int | None:
        """The last position of the stream `app` that is in the table, and durable; None = none yet.

        A writer that was killed may have left a commit that was never forced to disk.
        """
        with self._touching("read"):
            position: int | None = self._log.position(app)
            if position is not None:
                self._log.sync()
            return position

    def seen_position(self, app: str) -> int | None:
        """The last position of the stream `app` in the newest version, durable or not."""
        with self._seeing("read"):
            position: int | None = self._view.position(app)
            return position

    def append(self, rows: pa.Table, key: CommitKey | None = None, *, ordered: bool = False) -> int:
        """Append rows in one commit and give the version that holds them.

        Args:
            rows: any number of rows of `spec.schema` (column order free).
            key: where given, an append whose position is already committed does nothing.
            ordered: the rows already stand in the table's sort order.

        Returns:
            The table's version after the call.

        Raises:
            SchemaError: the rows do not fit the table; nothing was written.
            ConflictError: other writers got in first every time; nothing was written.
            StoreError: see above. No file is left behind, but where a bucket did not answer whether
                it took the commit: that one is left to vacuum.
        """
        rows = self.spec.conform(rows)
        if not ordered:
            rows = self.spec.sorted(rows)
        with self._touching("append to"):
            delta = self._log.newest()
            if key is not None and key.is_in(delta):
                # By an attempt whose commit perhaps could not be forced to disk.
                return self._log.sync()
            if rows.num_rows == 0 and key is None:
                return delta.version()
            self._committer.commit(Commit(self._written(rows), key=key))
            return self._log.sync()

    def replace(self, rows: pa.Table, predicate: str) -> int:
        """Replace all rows for which the SQL `predicate` holds by `rows`, in one commit.

        Concurrent appends of rows that it may hold for are conflicts, after which it begins again:
        for closed days and re-runs, never for the live path. Where there is nothing to replace, and
        nothing to do it by, there is no commit.

        Returns:
            The version that holds the rows; of those committed before, it has none of the others.

        Raises:
            SchemaError: the rows do not fit the table, or one does not satisfy the predicate;
                nothing was written.
            ConflictError: other writers got in first every time; nothing was written.
            FileDamagedError: a file that may hold such rows cannot be read; nothing was written.
        """
        rows = self.spec.sorted(self.spec.conform(rows))
        with self._touching("replace rows of"):
            replacement = Replacement(
                self.store,
                self.spec,
                rows,
                predicate,
                write=self.write,
                discard=self._committer.discard,
            )
            self._committer.commit_planned(replacement.plan)
            return self._log.sync()

    def write(
        self,
        rows: Rows,
        day: date | None,
        name_prefix: str = "",
        *,
        dense: bool = False,
        modified_ms: int | None = None,
        most_bytes: int | None = None,
    ) -> DataFile:
        """Write a file of the table, durably, without committing it; for `rewrite`.

        Args:
            rows: at least one row of `spec.schema`, in the table's sort order, or tables of them.
            day: their partition, or None for a table without.
            name_prefix: begins the file's name.
            dense: take more time for fewer bytes.
            modified_ms: what `TableFile.modified_ms` is to be; None = the time of the commit.
            most_bytes: see `lake.parquet.write_file`.
        """
        with failures_of(self.store, f"write a file of table {self.spec.name!r}"):
            name = f"{name_prefix}{uuid.uuid4().hex}.parquet"
            file = write_file(self.store, name, rows, day, dense=dense, most_bytes=most_bytes)
            return replace(file, modified_ms=modified_ms)

    def rewrite(
        self,
        added: Sequence[DataFile],
        removed: Sequence[TableFile],
        key: CommitKey | None = None,
        *,
        data_change: bool = False,
        news: bool = False,
    ) -> int:
        """Put files of this table's place in the place of others, in one commit.

        Appends by other writers are no conflict. Of two that rewrite or replace the same file at
        once, one succeeds and the other gets a ConflictError.

        Args:
            added: files from `write` that hold what takes the others' place.
            removed: files of the newest version.
            key: committed with it, as `append` does.
            data_change: whether the rows differ (a rollup done again, rows deleted) or only where
                they lie (compaction).
            news: whether rollups of the removed files' days are to be computed again; rows that are
                dropped for their age leave them as they are.

        Raises:
            ConflictError: a file of `removed` is in the table no longer, or other writers got in
                first every time. Nothing was committed, and the added files are gone.
        """
        with self._touching("rewrite files of"):
            self._committer.commit(Commit(added, removed, key, data_change, news))
            return self._log.sync()

    def files(self, version: int | None = None) -> tuple[int, tuple[TableFile, ...]]:
        """The version (newest by default) and its files, by day, then path.

        Lists are kept for the last few versions: reading one takes time that grows with the lake.
        """
        if version is None:
            with self._seeing("list the files of"):
                return self._view.files()
        with self._failures("list the files of"):
            return self._view.files(version)

    def discard(self, files: Sequence[DataFile]) -> None:
        """Delete files from `write` that nobody tried to commit; vacuum takes what resists."""
        self._committer.discard(files)

    @contextmanager
    def _touching(self, action: str) -> Iterator[None]:
        """Write to the table, one thread at a time, with errors that say what was done."""
        with self._writing, self._failures(action):
            yield

    @contextmanager
    def _seeing(self, action: str) -> Iterator[None]:
        """Read the newest version, whatever a writer is at."""
        with self._looking, self._failures(action):
            yield

    def _failures(self, action: str) -> AbstractContextManager[None]:
        return failures_of(self.store, f"{action} table {self.spec.name!r}")

    def _written(self, rows: pa.Table) -> list[DataFile]:
        """A file for each day, or none at all."""
        files: list[DataFile] = []
        try:
            for day, part in by_day(self.spec, rows):
                files.append(self.write(part, day))
        except BaseException:
            self._committer.discard(files)
            raise
        return files
