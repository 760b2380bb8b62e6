"""Running SQL on a snapshot: for ourselves without limits, for others within them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from lake.errors import QueryError, QueryTimeoutError, ResultTooLargeError
from lake.guard import check_select
from lake.snapshot import Limits, Snapshot
from lake.timerange import TimeRange

BATCH_ROWS = 65_536


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
        between: skip files without rows of this range.

    Raises:
        QueryError: the engine refused it.
    """
    with snapshot.connect(between=between) as connection:
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
        ResultTooLargeError: it gave more rows than allowed.
        QueryError: the engine refused it.
    """
    check_select(sql)
    with snapshot.connect(limits=limits, locked=True) as connection:
        expired = threading.Event()

        def cancel() -> None:
            expired.set()
            connection.interrupt()

        timer = threading.Timer(limits.seconds, cancel)
        timer.start()
        try:
            rows = _fetch(connection, sql, limits.rows)
        except duckdb.InterruptException as error:
            raise QueryTimeoutError(limits.seconds) from error
        except duckdb.Error as error:
            if expired.is_set():
                raise QueryTimeoutError(limits.seconds) from error
            raise QueryError(str(error)) from error
        finally:
            timer.cancel()
    return Result(rows, snapshot.versions)


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, most: int) -> pa.Table:
    reader = connection.sql(sql).to_arrow_reader(BATCH_ROWS)
    batches, count = [], 0
    for batch in reader:
        count += batch.num_rows
        if count > most:
            raise ResultTooLargeError("rows", most)
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=reader.schema)
