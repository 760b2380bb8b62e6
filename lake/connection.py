"""DuckDB connections that see given files of each table through the lake's views."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import duckdb

from lake.clusters import confined_view
from lake.engine import new_engine, shared
from lake.files import Paths
from lake.read_failure import read_failure
from lake.rollups.macro import buckets_statements
from lake.rollups.stale import Stale
from lake.schema import TABLES
from lake.standing import of_the_past
from lake.store import Store
from lake.table_spec import TableSpec
from lake.views import identifier, past_views, queries_of, quote, stored_view


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use and give. Bytes are bytes, `seconds` is wall time."""

    rows: int = 100_000
    result_bytes: int = 256 << 20
    seconds: float = 30.0
    memory_bytes: int = 1 << 30
    threads: int = 2


def connect(
    paths: Paths,
    *,
    limits: Limits | None = None,
    locked: bool = False,
    clusters: Collection[str] | None = None,
    store: Store | None = None,
    stale: Stale | None = None,
    views: Collection[str] | None = None,
    engine: duckdb.DuckDBPyConnection | None = None,
) -> duckdb.DuckDBPyConnection:
    """A connection to an engine of its own, with views over the files.

    Args:
        paths: a table that is absent is empty.
        limits: memory and threads; DuckDB's defaults where not given.
        locked: for SQL from strangers: no file but these can be read or written, no extension
            loaded, no setting changed.
        clusters: only rows of these can be seen, whatever the SQL (`lake/clusters.py`); None = all.
        store: where the files are; None = on this machine.
        stale: makes the table macro `buckets`, which needs `Stale.paths` in `paths`; None = no such
            macro.
        views: those that the query reads, with all of their tables in `paths`; None = all.
        engine: one made ahead by `lake.engine.new_engine`, for this alone.

    Raises:
        FileDamagedError: a file is gone, cut off or foreign.
        StoreError: the place cannot be read.
    """
    connection = engine or new_engine()
    try:
        with _failures_of(paths, store):
            every = [path for each in paths.values() for path in each]
            if store is not None:
                store.attach(connection, every, locked=locked)
            if limits is not None:
                limit(connection, limits)
            _furnish(connection, paths, clusters, stale, views)
            if locked:
                lock(connection, "allowed_paths", every)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def session(
    paths: Paths, *, store: Store, stale: Stale | None = None, views: Collection[str] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for one trusted query; as `connect` gives it, but sooner where that is possible.

    Whoever makes or registers something in it takes it out again.

    Raises:
        FileDamagedError, StoreError: see `connect`.
    """
    if store.reader != "file" or views is None:
        # Of a bucket, an engine knows the files of one query; and SQL that is not understood may
        # change settings, or list what there is.
        with connect(paths, store=store, stale=stale, views=views) as connection:
            yield connection
        return
    if of_the_past(paths):
        with shared.session() as connection:
            with _failures_of(paths, store):
                _furnish(connection, paths, None, stale, views)
            yield connection
        return
    with shared.standing() as one:
        with _failures_of(paths, store):
            one.views.show(paths, stale, views)
        yield one.connection


def _furnish(
    connection: duckdb.DuckDBPyConnection,
    paths: Paths,
    clusters: Collection[str] | None,
    stale: Stale | None,
    views: Collection[str] | None,
) -> None:
    """Make the views of a query, and the macro `buckets`. Each view opens the files' footers."""
    for name in TABLES if views is None else [name for name in TABLES if name in paths]:
        _store(connection, TABLES[name], paths.get(name, ()), clusters)
    for name in (name for name in paths if "@" in name):
        # A table in another past; its views are those of the lake over such tables.
        spec = replace(TABLES[name.partition("@")[0]], name=identifier(name))
        _store(connection, spec, paths[name], clusters)
    for name, query in {**queries_of(views), **past_views(paths)}.items():
        connection.execute(f"CREATE VIEW {identifier(name)} AS {query}")
    if stale is not None:
        for statement in buckets_statements(stale, paths, clusters):
            connection.execute(statement)


def _store(
    connection: duckdb.DuckDBPyConnection,
    spec: TableSpec,
    files: Sequence[str],
    clusters: Collection[str] | None,
) -> None:
    if clusters is None:
        connection.execute(stored_view(spec, files))
    else:
        connection.execute(confined_view(spec, files, clusters))


@contextmanager
def _failures_of(paths: Paths, store: Store | None) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        failure = read_failure(error, paths, store)
        if failure is None:
            raise
        raise failure from error


def limit(connection: duckdb.DuckDBPyConnection, limits: Limits) -> None:
    """Let its engine take so much of the machine."""
    connection.execute(f"SET memory_limit = '{limits.memory_bytes}B'")
    connection.execute(f"SET threads = {limits.threads}")
    # Else a big sort of a stranger fills the disk below the working directory.
    connection.execute("SET temp_directory = ''")


def lock(connection: duckdb.DuckDBPyConnection, setting: str, readable: Sequence[str]) -> None:
    """For SQL from strangers, once and for all.

    Args:
        connection: whose engine it is.
        setting: `allowed_paths` or `allowed_directories`.
        readable: what may be read of this machine; nothing else.
    """
    if readable:
        connection.execute(f"SET {setting} = [{', '.join(map(quote, readable))}]")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
