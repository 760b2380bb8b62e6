"""A pinned version of every table, and DuckDB connections that see exactly that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from lake.schema import TABLES
from lake.table import TableFile
from lake.timerange import TimeRange
from lake.views import VIEWS, quote, stored_view

STATISTICS_STEP = timedelta(milliseconds=1)
"""Delta truncates times in its statistics to milliseconds, maxima too: rows may be this much later
than `TableFile.last` says. (https://github.com/delta-io/delta/blob/master/PROTOCOL.md)"""


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One table at one version: its files by day, then path."""

    version: int
    files: tuple[TableFile, ...]

    def within(self, between: TimeRange | None) -> tuple[TableFile, ...]:
        """The files that can hold rows of the range, by partition day and log statistics."""
        if between is None:
            return self.files
        days = (between.start.date(), between.end.date())
        return tuple(file for file in self.files if _overlaps(file, between, days))


def _overlaps(file: TableFile, between: TimeRange, days: tuple[object, object]) -> bool:
    if file.day is None:
        return True
    if not days[0] <= file.day <= days[1]:  # type: ignore[operator]
        return False
    starts: datetime | None = file.first
    ends: datetime | None = file.last
    return (starts is None or starts < between.end) and (
        ends is None or ends + STATISTICS_STEP > between.start
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use and give. Bytes are bytes, `seconds` is wall time."""

    rows: int = 100_000
    result_bytes: int = 256 << 20
    seconds: float = 30.0
    memory_bytes: int = 1 << 30
    threads: int = 2


@dataclass(frozen=True)
class Snapshot:
    """A version of every table. Cheap to make; never changes; readers of it wait for nobody."""

    root: Path
    tables: Mapping[str, TableVersion]

    @property
    def versions(self) -> dict[str, int]:
        """Table name to Delta version: enough to see the same rows again."""
        return {name: table.version for name, table in self.tables.items()}

    def connect(
        self,
        *,
        between: TimeRange | Mapping[str, TimeRange] | None = None,
        limits: Limits | None = None,
        locked: bool = False,
    ) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection of its own with all views.

        Args:
            between: leave out files that hold nothing of this range, of all tables or by table.
                An optimisation only: the query still filters on its own.
            limits: memory and threads; DuckDB's defaults where not given.
            locked: for SQL from strangers: nothing outside the lake's folder can be read, no
                extension loaded, no setting changed.
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
            within = between.get(name) if isinstance(between, Mapping) else between
            paths = [file.path for file in self.tables[name].within(within)]
            connection.execute(stored_view(spec, paths))
        for name, query in VIEWS.items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
        if locked:
            self._lock(connection)
        return connection

    def _lock(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(f"SET allowed_directories = [{quote(str(self.root) + '/')}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
