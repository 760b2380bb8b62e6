"""One Delta table: append once, replace a slice, list the files of a version."""

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from lake.clock import Clock
from lake.errors import ConflictError, SchemaError
from lake.files import TableFile, table_files
from lake.parquet import DataFile, sync, write_file
from lake.schema import TableSpec
from lake.timerange import DAY, EPOCH

MICROS_A_DAY = 86_400_000_000

COMMIT_ATTEMPTS = 10
"""Each conflict means that another writer got ahead, so ten in a row need ten of them."""

CONFLICT_SECONDS = 0.01
"""Longer by this after each conflict: about as long as a commit takes."""

KEPT_VERSIONS = 4
"""Lists of files kept: the newest, and those that long queries may still name."""

NOT_SATISFIED = "failed validation check"
"""delta-rs has no error class of its own for rows outside the predicate."""


@dataclass(frozen=True, slots=True)
class CommitKey:
    """Makes an append idempotent: `position` of the stream `app` is committed at most once.

    Positions of one stream only grow. The pair is stored in the commit itself (Delta's app
    transaction), so rows and position become visible together or not at all.
    """

    app: str
    position: int


class Table:
    """A Delta table in a folder. Safe to use from several threads and beside other writers."""

    def __init__(self, folder: Path, spec: TableSpec, clock: Clock) -> None:
        self.folder = folder
        self.spec = spec
        self._clock = clock
        self._lock = threading.RLock()
        self._delta: DeltaTable | None = None
        self._files: dict[int, tuple[TableFile, ...]] = {}
        self._synced: int | None = None

    def exists(self) -> bool:
        """Whether the table has been created."""
        return DeltaTable.is_deltatable(str(self.folder))

    def create(self) -> None:
        """Create the table if it is not there."""
        DeltaTable.create(
            str(self.folder),
            schema=self.spec.stored_schema,
            partition_by=self.spec.partition_by,
            mode="ignore",
        )

    def version(self) -> int:
        """The newest version."""
        return self._current().version()

    def committed_position(self, app: str) -> int | None:
        """The last position of the stream `app` that is in the table, and on disk; None = none yet.

        A writer that was killed may have left a commit that was never forced to disk.
        """
        with self._lock:
            position: int | None = self._current().transaction_version(app)
            if position is not None:
                self._sync_log()
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
        """
        rows = self.spec.conform(rows)
        if not ordered:
            rows = self.spec.sorted(rows)
        with self._lock:
            delta = self._current()
            if key is not None and _is_committed(delta, key):
                # By an attempt whose commit perhaps could not be forced to disk.
                self._sync_log()
                return delta.version()
            if rows.num_rows == 0 and key is None:
                return delta.version()
            files = [
                write_file(self.folder, f"{uuid.uuid4().hex}.parquet", part, day)
                for day, part in self._by_day(rows)
            ]
            self._commit(files, key)
            self._sync_log()
            return self.version()

    def replace(self, rows: pa.Table, predicate: str) -> int:
        """Replace all rows for which the SQL `predicate` holds by `rows`, in one commit.

        Concurrent appends to the same day are conflicts, after which it begins again: for closed
        days and re-runs, never for the live path.

        Raises:
            SchemaError: the rows do not fit the table, or one does not satisfy the predicate;
                nothing was written.
            ConflictError: other writers got in first every time; nothing was written.
        """
        rows = self.spec.sorted(self.spec.conform(rows))
        if self.spec.day_of is not None:
            days = rows.column(self.spec.day_of).cast(pa.date32())
            rows = rows.add_column(0, pa.field("date", pa.date32(), nullable=False), days)
        rows = rows.cast(self.spec.stored_schema)
        with self._lock:
            for attempt in range(COMMIT_ATTEMPTS):
                try:
                    write_deltalake(
                        self._current(),
                        rows,
                        mode="overwrite",
                        predicate=predicate,
                        partition_by=self.spec.partition_by,
                    )
                except CommitFailedError:
                    time.sleep(CONFLICT_SECONDS * attempt)
                except DeltaError as error:
                    if NOT_SATISFIED not in str(error):
                        raise
                    raise SchemaError(self.spec.name, f"a row is outside {predicate!r}") from error
                else:
                    return self.version()
            raise ConflictError(self.spec.name, COMMIT_ATTEMPTS)

    def rewrite(
        self,
        added: Sequence[DataFile],
        removed: Sequence[TableFile],
        key: CommitKey | None = None,
        *,
        data_change: bool = False,
    ) -> int:
        """Put files of this table's folder in the place of others, in one commit.

        Appends by other writers are no conflict. For the one maintenance writer: two that rewrite
        the same file must not meet.

        Args:
            added: files from `lake.parquet.write_file` that hold what takes the others' place.
            removed: files of the newest version.
            key: committed with it, as `append` does.
            data_change: whether the rows differ (a rollup done again, rows deleted) or only where
                they lie (compaction).

        Raises:
            ConflictError: a file of `removed` is in the table no longer, or other writers got in
                first every time. Nothing was committed, and the added files are gone.
        """
        with self._lock:
            self._commit(list(added), key, tuple(removed), data_change=data_change)
            self._sync_log()
            return self.version()

    def files(self, version: int | None = None) -> tuple[int, tuple[TableFile, ...]]:
        """The version (newest by default) and its files, by day, then path.

        Lists are kept for the last few versions: reading one takes time that grows with the lake.
        """
        with self._lock:
            delta = None
            if version is None:
                delta = self._current()
                version = delta.version()
            found = self._files.pop(version, None)
            if found is None:
                delta = delta or DeltaTable(str(self.folder), version=version)
                actions = pa.table(delta.get_add_actions(flatten=True))
                found = table_files(self.folder, actions, self.spec.day_of)
            self._files[version] = found  # the last used stands last
            if len(self._files) > KEPT_VERSIONS:
                del self._files[next(iter(self._files))]
            return version, found

    def _current(self) -> DeltaTable:
        with self._lock:
            if self._delta is None:
                self._delta = DeltaTable(str(self.folder))
            else:
                self._delta.update_incremental()
            return self._delta

    def _by_day(self, rows: pa.Table) -> Iterator[tuple[date | None, pa.Table]]:
        if rows.num_rows == 0:
            return
        if self.spec.day_of is None:
            yield None, rows
            return
        micros = rows.column(self.spec.day_of).cast(pa.int64())
        days = np.asarray(micros) // MICROS_A_DAY
        low, high = int(days.min()), int(days.max())
        if low == high:
            yield (EPOCH + low * DAY).date(), rows
            return
        for day in np.unique(days):
            yield (EPOCH + int(day) * DAY).date(), rows.filter(pc.equal(pa.array(days), int(day)))

    def _commit(
        self,
        files: list[DataFile],
        key: CommitKey | None,
        removed: tuple[TableFile, ...] = (),
        *,
        data_change: bool = True,
    ) -> None:
        """Commit the files, or remove them: the key was committed by another, or no attempt won."""
        for attempt in range(COMMIT_ATTEMPTS):
            delta = self._current()
            if key is not None and _is_committed(delta, key):
                self._remove(files)
                return
            if removed and not {file.path for file in removed} <= self._paths():
                break
            try:
                self._commit_once(delta, files, key, removed, data_change=data_change)
            except CommitFailedError:
                time.sleep(CONFLICT_SECONDS * attempt)
            else:
                return
        self._remove(files)
        raise ConflictError(self.spec.name, COMMIT_ATTEMPTS)

    def _commit_once(
        self,
        delta: DeltaTable,
        files: list[DataFile],
        key: CommitKey | None,
        removed: tuple[TableFile, ...],
        *,
        data_change: bool,
    ) -> None:
        modified = int(self._clock().timestamp() * 1000)
        transactions = [] if key is None else [Transaction(key.app, key.position)]
        delta.create_write_transaction(
            [
                *(
                    AddAction(
                        path=file.path,
                        size=file.size,
                        partition_values=_partition(file.day),
                        modification_time=modified,
                        data_change=data_change,
                        stats=file.stats,
                    )
                    for file in files
                ),
                *(
                    RemoveAction(
                        path=file.path.removeprefix(f"{self.folder}/"),
                        data_change=data_change,
                        deletion_timestamp=modified,
                        partition_values=_partition(file.day),
                        size=file.size,
                    )
                    for file in removed
                ),
            ],
            mode="append",
            schema=self.spec.stored_schema,
            partition_by=self.spec.partition_by,
            commit_properties=CommitProperties(app_transactions=transactions),
        )

    def _remove(self, files: list[DataFile]) -> None:
        """Delete files of no version; those of a commit that failed only in appearance stay."""
        committed = self._paths()
        for file in files:
            path = self.folder / file.path
            if str(path) not in committed:
                path.unlink(missing_ok=True)

    def _paths(self) -> set[str]:
        return {file.path for file in self.files()[1]}

    def _sync_log(self) -> None:
        """Force the log to disk: the receiver deletes its own log on the strength of it.

        All versions since the last call that came to its end, for which of them is ours is not
        told; at the first call, every file that is there.
        """
        log, newest = self.folder / "_delta_log", self.version()
        if self._synced is None:
            paths = [path for path in log.iterdir() if path.is_file()]
        else:
            names = [f"{version:020d}" for version in range(self._synced + 1, newest + 1)]
            paths = [log / f"{name}.json" for name in names]
            paths += [log / f"{name}.checkpoint.parquet" for name in names]
        for path in paths:
            with suppress(FileNotFoundError):  # no checkpoint, or cleaned up meanwhile
                sync(path)
        if self._synced != newest:
            sync(log)
        self._synced = newest


def _partition(day: date | None) -> dict[str, str | None]:
    return {} if day is None else {"date": day.isoformat()}


def _is_committed(delta: DeltaTable, key: CommitKey) -> bool:
    done = delta.transaction_version(key.app)
    return done is not None and done >= key.position
