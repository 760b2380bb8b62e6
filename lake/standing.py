"""The lake's views, made once in a connection's catalogue; each query says which files they show.

To make a view takes as long as to plan a query, and opens the footers of its files. So the files
are a variable of the connection, which a view reads when it is planned.
"""

from collections.abc import Collection, Sequence

import duckdb

from lake.files import Paths
from lake.rollups.macro import buckets_statements
from lake.rollups.stale import Stale
from lake.schema import TABLES
from lake.views import identifier, queries_of, quote, rows_of, stored_rows


class StandingViews:
    """The views in one connection, whose catalogue has an empty schema `stored`. Of one thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._files: dict[str, list[str]] = {}
        self._views: dict[str, str] = {}
        self._buckets: list[str] = []

    def show(self, paths: Paths, stale: Stale | None, views: Collection[str]) -> None:
        """Let them show these files, until the next call.

        Args:
            paths: all files of the tables that the query reads; none of the past (`name@number`).
            stale: for the table macro `buckets`, if the query calls it.
            views: those that the query reads, see `lake.views.queries_of`.

        Raises:
            duckdb.Error: a file cannot be read.
        """
        for table in (table for table in TABLES if table in paths):
            self._store(table, paths[table])
        for name, query in queries_of(views).items():
            if self._views.get(name) != query:
                self._connection.execute(f"CREATE OR REPLACE VIEW {identifier(name)} AS {query}")
                self._views[name] = query
        if stale is not None:
            self._make_buckets(buckets_statements(stale, paths, None))

    def _store(self, table: str, paths: Sequence[str]) -> None:
        files, before = list(paths), self._files.get(table)
        if files == before:
            return
        variable = f"files_of_{table}"
        if files:
            listed = ", ".join(map(quote, files))
            self._connection.execute(f"SET VARIABLE {variable} = [{listed}]")
        if before is None or bool(before) is not bool(files):
            spec = TABLES[table]
            rows = rows_of(spec, f"getvariable('{variable}')") if files else stored_rows(spec, ())
            self._connection.execute(f"CREATE OR REPLACE VIEW stored.{table} AS {rows}")
        self._files[table] = files

    def _make_buckets(self, statements: list[str]) -> None:
        if statements != self._buckets:
            self._buckets = []  # of two statements, one may fail
            for statement in statements:
                self._connection.execute(statement)
            self._buckets = statements


def of_the_past(paths: Paths) -> bool:
    """Whether files are of a table as it was at some other time: its views are of one query."""
    return any("@" in name for name in paths)
