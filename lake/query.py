"""Running SQL on a snapshot: for ourselves without limits, for others within them."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from lake.bounds import tables_read, time_bounds
from lake.connection import Limits, connect
from lake.errors import QueryError
from lake.guard import check_select
from lake.sandbox import shared
from lake.snapshot import Snapshot
from lake.timerange import TimeRange


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
    with connect(snapshot.paths(between or time_bounds(sql), tables_read(sql))) as connection:
        try:
            relation = connection.sql(sql, params=dict(params) if params else None)
            rows = relation.to_arrow_table()
        except duckdb.Error as error:
            raise QueryError(str(error)) from error
    return Result(rows, snapshot.versions)


def run_guarded(snapshot: Snapshot, sql: str, limits: Limits) -> Result:
    """Run SQL from outside: one SELECT, read-only, within the limits, in another process.

    Raises:
        QueryNotAllowedError: it is something else than one SELECT over the views.
        QueryTimeoutError: it ran too long and was cancelled.
        QueryMemoryError: it needed more memory than allowed.
        ResultTooLargeError: it gave more rows or bytes than allowed.
        QueryError: the engine refused it.
        EngineError: the process for it could not be started.
    """
    check_select(sql)
    paths = snapshot.paths(time_bounds(sql), tables_read(sql))
    rows = shared().run(paths, sql, limits)
    return Result(rows, snapshot.versions)
