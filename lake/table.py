"""One Delta table: append once, replace a slice, list the files of a version."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction

from lake.clock import Clock
from lake.errors import SchemaError
from lake.parquet import DataFile, sync, write_file
from lake.schema import TableSpec
from lake.timerange import DAY, EPOCH

MICROS_A_DAY = 86_400_000_000

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


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of a table version, with what the log knows of it.

    `first` and `last` are inclusive bounds of the table's column of time; None where the table
    has none or the log does not say.
    """

    path: str
    day: date | None
    rows: int
    size: int
    first: datetime | None
    last: datetime | None


class Table:
    """A Delta table in a folder. Safe to use from several threads and beside other writers."""

    def __init__(self, folder: Path, spec: TableSpec, clock: Clock) -> None:
        self.folder = folder
        self.spec = spec
        self._clock = clock
        self._lock = threading.RLock()
        self._delta: DeltaTable | None = None

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
        """The last position of the stream `app` that is in the table; None = none yet."""
        return self._current().transaction_version(app)

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
        """
        rows = self.spec.conform(rows)
        if not ordered:
            rows = self.spec.sorted(rows)
        with self._lock:
            delta = self._current()
            if key is not None:
                done = delta.transaction_version(key.app)
                if done is not None and done >= key.position:
                    return delta.version()
            if rows.num_rows == 0 and key is None:
                return delta.version()
            files = [
                write_file(self.folder, f"{uuid.uuid4().hex}.parquet", part, day)
                for day, part in self._by_day(rows)
            ]
            self._commit(delta, files, key)
            return self.version()

    def replace(self, rows: pa.Table, predicate: str) -> int:
        """Replace all rows for which the SQL `predicate` holds by `rows`, in one commit.

        Conflicts with concurrent appends to the same day are raised by Delta: for closed days and
        re-runs, never for the live path.

        Raises:
            SchemaError: the rows do not fit the table, or one does not satisfy the predicate;
                nothing was written.
        """
        rows = self.spec.sorted(self.spec.conform(rows))
        if self.spec.day_of is not None:
            days = rows.column(self.spec.day_of).cast(pa.date32())
            rows = rows.add_column(0, pa.field("date", pa.date32(), nullable=False), days)
        with self._lock:
            try:
                write_deltalake(
                    self._current(),
                    rows.cast(self.spec.stored_schema),
                    mode="overwrite",
                    predicate=predicate,
                    partition_by=self.spec.partition_by,
                )
            except DeltaError as error:
                if NOT_SATISFIED not in str(error):
                    raise
                raise SchemaError(self.spec.name, f"a row is outside {predicate!r}") from error
            return self.version()

    def files(self, version: int | None = None) -> tuple[int, tuple[TableFile, ...]]:
        """The version (newest by default) and its files, by day, then path."""
        if version is None:
            with self._lock:
                delta = self._current()
                pinned, actions = delta.version(), pa.table(delta.get_add_actions(flatten=True))
        else:
            delta = DeltaTable(str(self.folder), version=version)
            pinned, actions = version, pa.table(delta.get_add_actions(flatten=True))
        found = (self._file(row) for row in actions.to_pylist())
        return pinned, tuple(sorted(found, key=lambda file: (file.day or date.min, file.path)))

    def _file(self, row: dict[str, object]) -> TableFile:
        time = self.spec.day_of or ""
        return TableFile(
            path=str(self.folder / str(row["path"])),
            day=row.get("partition.date"),  # type: ignore[arg-type]
            rows=int(row["num_records"] or 0),  # type: ignore[call-overload]
            size=int(row["size_bytes"]),  # type: ignore[call-overload]
            first=row.get(f"min.{time}"),  # type: ignore[arg-type]
            last=row.get(f"max.{time}"),  # type: ignore[arg-type]
        )

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

    def _commit(self, delta: DeltaTable, files: list[DataFile], key: CommitKey | None) -> None:
        modified = int(self._clock().timestamp() * 1000)
        before = delta.version()
        transactions = [] if key is None else [Transaction(key.app, key.position)]
        delta.create_write_transaction(
            [
                AddAction(
                    path=file.path,
                    size=file.size,
                    partition_values={} if file.day is None else {"date": file.day.isoformat()},
                    modification_time=modified,
                    data_change=True,
                    stats=file.stats,
                )
                for file in files
            ],
            mode="append",
            schema=self.spec.stored_schema,
            partition_by=self.spec.partition_by,
            commit_properties=CommitProperties(app_transactions=transactions),
        )
        self._sync_log(before)

    def _sync_log(self, before: int) -> None:
        """Force the commit to disk: the receiver deletes its log on the strength of it.

        Other writers may have committed since `before`; which version became ours is not told.
        """
        log = self.folder / "_delta_log"
        for version in range(before + 1, self.version() + 1):
            sync(log / f"{version:020d}.json")
        sync(log)
