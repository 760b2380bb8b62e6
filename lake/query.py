"""Running SQL on a snapshot: for ourselves without limits, for others within them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from lake.connection import Limits, session
from lake.errors import QueryError, ResultTooLargeError
from lake.guard import check_select
from lake.inspect import inspected
from lake.prepare import prepare
from lake.range_query import answered
from lake.read_failure import read_failure
from lake.results import Format, Whole, whole
from lake.sandbox import Answer, Job, shared
from lake.snapshot import Snapshot
from lake.timerange import TimeRange


@dataclass(frozen=True, slots=True)
class Result:
    """Rows, and the table versions that they were read from."""

    rows: pa.Table
    versions: dict[str, int]
    snapshot_id: str


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows as bytes in some format, made while they are read, and what they were read from."""

    answer: Answer | Whole
    versions: dict[str, int]
    snapshot_id: str


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
        FileDamagedError, StoreError: its files cannot be read.
    """
    if not params and between is None:
        found = answered(snapshot, sql)
        if found is not None:
            return Result(found, snapshot.versions, snapshot.id)
    ready = prepare(snapshot, sql, params, between=between)
    with session(
        ready.paths, store=snapshot.store, stale=ready.stale, views=ready.views
    ) as connection:
        tables = inspected(sql, snapshot)
        for name, table in tables.items():
            connection.register(name, table)
        try:
            relation = connection.sql(ready.sql, params=ready.params or None)
            rows = relation.to_arrow_table()
        except duckdb.Error as error:
            failure = read_failure(error, ready.paths, snapshot.store)
            raise failure or QueryError(str(error)) from error
        for name in tables:
            connection.unregister(name)
    return Result(rows, snapshot.versions, snapshot.id)


def run_guarded(
    snapshot: Snapshot, sql: str, limits: Limits, clusters: Collection[str] | None = None
) -> Result:
    """Run SQL from outside: one SELECT, read-only, within the limits, in another process.

    Raises:
        QueryNotAllowedError: it is something else than one SELECT over the views.
        QueryTimeoutError: it ran too long and was cancelled.
        QueryMemoryError: it needed more memory than allowed.
        ResultTooLargeError: it gave more rows or bytes than allowed.
        QueryError: the engine refused it.
        EngineError: the process for it could not be started.
    """
    rows = _range(snapshot, sql, limits, clusters)
    if rows is None:
        rows = shared().run(_job(snapshot, sql, limits, clusters, Format.arrow))
    return Result(rows.replace_schema_metadata(None), snapshot.versions, snapshot.id)


def stream_guarded(
    snapshot: Snapshot,
    sql: str,
    limits: Limits,
    clusters: Collection[str] | None = None,
    form: Format = Format.arrow,
) -> Stream:
    """As `run_guarded`, but as bytes in a format, made while they are read.

    The worker waits where nobody reads, and that time is none of the query's. The answer must be
    closed; it is whole if reading it came to its end without an error.
    """
    rows = _range(snapshot, sql, limits, clusters)
    answer: Answer | Whole
    if rows is None:
        answer = shared().ask(_job(snapshot, sql, limits, clusters, form))
    else:
        answer = whole(rows, form, _read_from(snapshot))
    return Stream(answer, snapshot.versions, snapshot.id)


def _range(
    snapshot: Snapshot, sql: str, limits: Limits, clusters: Collection[str] | None
) -> pa.Table | None:
    """The rows of a plain range query: nothing of a stranger's runs for it, so here."""
    rows = answered(snapshot, sql, clusters)
    if rows is not None and rows.num_rows > limits.rows:
        raise ResultTooLargeError("rows", limits.rows)
    if rows is not None and rows.nbytes > limits.result_bytes:
        raise ResultTooLargeError("bytes", limits.result_bytes)
    return rows


def _read_from(snapshot: Snapshot) -> dict[str, object]:
    return {"snapshot_id": snapshot.id, "lake_versions": snapshot.versions}


def _job(
    snapshot: Snapshot, sql: str, limits: Limits, clusters: Collection[str] | None, form: Format
) -> Job:
    # They tell of all clusters' data.
    tables = inspected(sql, snapshot) if clusters is None else {}
    check_select(sql, tables)
    ready = prepare(snapshot, sql, clusters=clusters)
    return Job(
        ready.paths,
        ready.sql,
        limits,
        None if clusters is None else sorted(clusters),
        form,
        _read_from(snapshot),
        tables,
        store=snapshot.store,
        stale=ready.stale,
        views=None if ready.views is None else sorted(ready.views),
    )
