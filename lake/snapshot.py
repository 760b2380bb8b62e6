"""A pinned version of every table, and DuckDB connections that see exactly that."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from lake.connection import Limits, connect
from lake.files import TableFile
from lake.schema import TABLES
from lake.timerange import TimeRange

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


@dataclass(frozen=True)
class Snapshot:
    """A version of every table. Cheap to make; never changes; readers of it wait for nobody."""

    root: Path
    tables: Mapping[str, TableVersion]

    @property
    def versions(self) -> dict[str, int]:
        """Table name to Delta version: enough to see the same rows again."""
        return {name: table.version for name, table in self.tables.items()}

    def paths(
        self,
        between: TimeRange | Mapping[str, TimeRange] | None = None,
        tables: Collection[str] = TABLES,
    ) -> dict[str, list[str]]:
        """The tables' files that can hold rows of this range, of all tables or by table."""
        found = {}
        for name in tables:
            within = between.get(name) if isinstance(between, Mapping) else between
            found[name] = [file.path for file in self.tables[name].within(within)]
        return found

    def connect(
        self,
        *,
        between: TimeRange | Mapping[str, TimeRange] | None = None,
        limits: Limits | None = None,
        locked: bool = False,
    ) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection of its own with all views; see `lake.connection.connect`.

        Args:
            between: leave out files that hold nothing of this range, of all tables or by table.
                An optimisation only: the query still filters on its own.
            limits: memory and threads; DuckDB's defaults where not given.
            locked: for SQL from strangers.
        """
        return connect(self.paths(between), limits=limits, locked=locked)
