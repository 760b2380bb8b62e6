"""DuckDB connections that see given files of each table through the lake's views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from lake.schema import TABLES
from lake.views import VIEWS, quote, stored_view

Paths = Mapping[str, Sequence[str]]
"""Table name to the files to be read of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use and give. Bytes are bytes, `seconds` is wall time."""

    rows: int = 100_000
    result_bytes: int = 256 << 20
    seconds: float = 30.0
    memory_bytes: int = 1 << 30
    threads: int = 2


def connect(
    paths: Paths, *, limits: Limits | None = None, locked: bool = False
) -> duckdb.DuckDBPyConnection:
    """A connection of its own with all views over the files.

    Args:
        paths: a table that is absent is empty.
        limits: memory and threads; DuckDB's defaults where not given.
        locked: for SQL from strangers: no file but these can be read or written, no extension
            loaded, no setting changed.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    if limits is not None:
        connection.execute(f"SET memory_limit = '{limits.memory_bytes}B'")
        connection.execute(f"SET threads = {limits.threads}")
        # Else a big sort of a stranger fills the disk below the working directory.
        connection.execute("SET temp_directory = ''")
    connection.execute("CREATE SCHEMA stored")
    for name, spec in TABLES.items():
        connection.execute(stored_view(spec, paths.get(name, ())))
    for name, query in VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {query}")
    if locked:
        _lock(connection, [path for each in paths.values() for path in each])
    return connection


def _lock(connection: duckdb.DuckDBPyConnection, readable: Sequence[str]) -> None:
    if readable:
        connection.execute(f"SET allowed_paths = [{', '.join(map(quote, readable))}]")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
