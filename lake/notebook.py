"""The lake in a notebook: one call to open it, and queries that give DuckDB's relations."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb

from lake.connection import connect as connect_to
from lake.errors import QueryError
from lake.inspect import INSPECTED, inspected, lake_tables
from lake.lake import Lake
from lake.mistakes import with_place
from lake.prepare import Prepared, prepare
from lake.read_failure import read_failure
from lake.time_travel import AsOf
from lake.views import view_names

SHOWN = ("table_name", "rows", "bytes", "first_time", "last_time")


class Notebook:
    """A lake at one moment; `refresh` moves on to the newest.

    `sql(query)` gives a DuckDB relation: it shows itself, and has `df()` (pandas), `pl()` (Polars)
    and `to_arrow_table()`. Only the files that a query can need are read.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> lake = connect(Lake.open(folder.name).root)
    >>> lake.sql("SELECT count(*) AS n FROM samples").fetchall()
    [(0,)]
    >>> lake
    <lake at version 1-0.0.0.0.0.0.0.0.0.0.0: 0 samples; .sql("SELECT …"), .tables, .refresh()>
    >>> folder.cleanup()
    """

    def __init__(self, lake: Lake, as_of: AsOf | None = None) -> None:
        self._lake = lake
        self._as_of = as_of
        self._snapshot = lake.snapshot(as_of)

    @property
    def snapshot_id(self) -> str:
        """What is read; give it as `as_of` to see the same again."""
        return self._snapshot.id

    @property
    def tables(self) -> list[str]:
        """What can be queried."""
        return sorted({*view_names(), *INSPECTED})

    def sql(
        self, query: str, params: Mapping[str, object] | None = None
    ) -> duckdb.DuckDBPyRelation:
        """A query as a relation, which runs when it is looked at; `$name` takes a parameter.

        Raises:
            QueryError: the engine refuses it; the message says where.
        """
        ready = prepare(self._snapshot, query, params)
        connection = self._connection(query, ready)
        try:
            return connection.sql(ready.sql, params=ready.params or None)
        except duckdb.Error as error:
            failure = read_failure(error, ready.paths, self._snapshot.store)
            said = str(error) if params else with_place(connection, ready.sql, error)
            raise failure or QueryError(said) from error

    def execute(
        self, query: str, params: Mapping[str, object] | None = None
    ) -> duckdb.DuckDBPyConnection:
        """Run a query now, for those used to Python's DB-API: `fetchone()`, `fetchall()`.

        Raises:
            QueryError: the engine refuses it.
        """
        ready = prepare(self._snapshot, query, params)
        connection = self._connection(query, ready)
        try:
            return connection.execute(ready.sql, ready.params or None)
        except duckdb.Error as error:
            failure = read_failure(error, ready.paths, self._snapshot.store)
            raise failure or QueryError(str(error)) from error

    def refresh(self) -> Self:
        """Move on to the newest versions; with `as_of`, nothing changes."""
        self._snapshot = self._lake.snapshot(self._as_of)
        return self

    def close(self) -> None:
        """Nothing is held that has to be given back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        samples = sum(file.rows for file in self._snapshot.tables["samples"].files)
        return (
            f"<lake at version {self.snapshot_id}: {samples:,} samples; "
            '.sql("SELECT …"), .tables, .refresh()>'
        )

    def _repr_html_(self) -> str:
        """What a notebook shows of it: its tables."""
        rows = lake_tables(self._snapshot).select(SHOWN).to_pylist()
        head = "".join(f"<th>{name}</th>" for name in SHOWN)
        body = "".join(
            "<tr>" + "".join(f"<td>{_cell(row[name])}</td>" for name in SHOWN) + "</tr>"
            for row in rows
        )
        caption = escape(f"{self._lake.store.url} at {self.snapshot_id}")
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table>"

    def _connection(self, query: str, ready: Prepared) -> duckdb.DuckDBPyConnection:
        connection = connect_to(ready.paths, store=self._snapshot.store, stale=ready.stale)
        for name, rows in inspected(query, self._snapshot).items():
            connection.register(name, rows)
        return connection


def connect(
    root: str | Path,
    storage_options: Mapping[str, str] | None = None,
    *,
    as_of: AsOf | None = None,
) -> Notebook:
    """Open a lake for a notebook or a script.

    Args:
        root: the lake's folder, or `s3://bucket/prefix`.
        storage_options: how a bucket is reached, see `Lake.open`.
        as_of: the lake as it was, see `Lake.snapshot`.

    Raises:
        LakeNotFoundError: there is no lake.
        LakeError: as `Lake.open` and `Lake.snapshot`.
    """
    return Notebook(Lake.open(root, create=False, storage_options=storage_options), as_of)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return escape(f"{value:,}" if isinstance(value, int) else str(value))
