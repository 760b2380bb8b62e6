"""Running SQL on a snapshot: for ourselves without limits, for others within them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from lake.bounds import time_bounds
from lake.errors import QueryError, QueryTimeoutError, ResultTooLargeError
from lake.guard import check_select
from lake.snapshot import Limits, Snapshot
from lake.timerange import TimeRange

BATCH_ROWS = 8_192
"""Rows fetched between two looks at the limits: few, since each may hold a long text."""

INTERRUPT_SECONDS = 0.05
"""Between two attempts to stop a query: one before the engine has begun has no effect."""


@dataclass(frozen=True, slots=True)
class Result:
    """Rows, and the table versions that they were read from."""

    rows: pa.Table
    versions: dict[str, int]


def run(
    snapshot: Snapshot,
    sql: str,
    params: Mapping[str, object] | None = None,
    between: TimeRange | None = None,
) -> Result:
    """Run trusted SQL (ours, a notebook's, the terminal's) and give all rows.

    Args:
        snapshot: what to read.
        sql: any one statement that gives rows; `$name` takes a parameter.
        params: values of the parameters.
        between: skip files without rows of this range; by default, read off the query itself.

    Raises:
        QueryError: the engine refused it.
    """
    with snapshot.connect(between=between or time_bounds(sql)) as connection:
        try:
            relation = connection.sql(sql, params=dict(params) if params else None)
            rows = relation.to_arrow_table()
        except duckdb.Error as error:
            raise QueryError(str(error)) from error
    return Result(rows, snapshot.versions)


def run_guarded(snapshot: Snapshot, sql: str, limits: Limits) -> Result:
    """Run SQL from outside: one SELECT, read-only, within the limits.

    Raises:
        QueryNotAllowedError: it is something else than one SELECT over the views.
        QueryTimeoutError: it ran too long and was cancelled.
        ResultTooLargeError: it gave more rows or bytes than allowed.
        QueryError: the engine refused it.
    """
    check_select(sql)
    bounds = time_bounds(sql)
    with snapshot.connect(between=bounds, limits=limits, locked=True) as connection:
        finished, expired = threading.Event(), threading.Event()

        def watch() -> None:
            if not finished.wait(limits.seconds):
                expired.set()
                while not finished.wait(INTERRUPT_SECONDS):
                    connection.interrupt()

        watcher = threading.Thread(target=watch, name="query-timeout", daemon=True)
        watcher.start()
        try:
            rows = _fetch(connection, sql, limits)
        except duckdb.Error as error:
            if expired.is_set():
                raise QueryTimeoutError(limits.seconds) from error
            raise QueryError(str(error)) from error
        finally:
            finished.set()
            watcher.join()
    return Result(rows, snapshot.versions)


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits) -> pa.Table:
    reader = connection.sql(sql).to_arrow_reader(BATCH_ROWS)
    batches, count, size = [], 0, 0
    for batch in reader:
        count += batch.num_rows
        size += batch.nbytes
        if count > limits.rows:
            raise ResultTooLargeError("rows", limits.rows)
        if size > limits.result_bytes:
            raise ResultTooLargeError("bytes", limits.result_bytes)
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=reader.schema)
