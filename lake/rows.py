"""A trusted query at work: rows batch by batch, how far it is, and an end to it from outside."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from lake.batches import batches
from lake.connection import connect
from lake.errors import LakeError, QueryCancelledError, QueryError
from lake.files import Paths
from lake.inspect import inspected
from lake.mistakes import with_place
from lake.prepare import prepare
from lake.read_failure import read_failure
from lake.snapshot import Snapshot

BATCH_ROWS = 65_536

INTERRUPT_SECONDS = 0.05
"""Between two attempts to stop it: one before the engine has begun has no effect."""


class Rows:
    """The rows of one query. One thread reads, any other may ask for progress or cancel."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        sql: str,
        paths: Paths,
        snapshot: Snapshot,
    ) -> None:
        self.snapshot_id = snapshot.id
        self._connection = connection
        self._sql = sql
        self._paths = paths
        self._store = snapshot.store
        self._cancelled = False
        self._over = threading.Event()

    def batches(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run it: its schema, and batches as they are made.

        Raises:
            QueryCancelledError: `cancel` was called; the iterator raises it too.
            QueryError: the engine refused it; likewise.
        """
        with self._failures():
            reader = self._connection.sql(self._sql).to_arrow_reader(BATCH_ROWS)
        return reader.schema, self._read(reader)

    def progress(self) -> float | None:
        """The share done, 0 to 1, by the engine's estimate; None where it has none."""
        percent = self._connection.query_progress()
        return percent / 100 if percent >= 0 else None

    def cancel(self) -> None:
        """Stop it, and wait until it has stopped."""
        self._cancelled = True
        while not self._over.wait(INTERRUPT_SECONDS):
            self._connection.interrupt()

    def end(self) -> None:
        """Nobody reads any more."""
        self._over.set()

    def _read(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        with self._failures():
            yield from batches(reader)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, pa.ArrowException) as error:
            self.end()
            if self._cancelled:
                raise QueryCancelledError from error
            failure: LakeError | None = read_failure(error, self._paths, self._store)
            raise failure or QueryError(with_place(self._connection, self._sql, error)) from error


@contextmanager
def rows_of(snapshot: Snapshot, sql: str) -> Iterator[Rows]:
    """A trusted query over a snapshot; nothing has run yet.

    Raises:
        LakeError: as `lake.query.run`.
    """
    ready = prepare(snapshot, sql)
    with connect(ready.paths, store=snapshot.store, stale=ready.stale) as connection:
        # Without this, there is no estimate of progress to be asked for.
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        for name, table in inspected(sql, snapshot).items():
            connection.register(name, table)
        rows = Rows(connection, ready.sql, ready.paths, snapshot)
        try:
            yield rows
        finally:
            rows.end()
