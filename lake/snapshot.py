"""A pinned version of every table, and DuckDB connections that see exactly that."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb

from lake.connection import Limits, connect
from lake.errors import AsOfError
from lake.files import TableFile
from lake.pruning.conditions import ALWAYS, Condition, times
from lake.pruning.entities import Question
from lake.rollups.stale import Stale, Staleness
from lake.schema import SAMPLES, SERIES, TABLES
from lake.series_index import SeriesIndex
from lake.snapshot_id import SnapshotId
from lake.store import Store
from lake.table_version import TableVersion
from lake.time_travel import AsOf, Past
from lake.timerange import MICROSECOND, TimeRange, to_micros

__all__ = ["Snapshot", "TableVersion"]


@dataclass(frozen=True)
class Snapshot:
    """A version of every table. Cheap to make; never changes; readers of it wait for nobody.

    Attributes:
        store: where the lake is.
        tables: the versions.
        past: gives other versions, for what a query reads `AT` one.
        historic: the versions are not the newest: their files may have been deleted.
        index: answers what is known of series.
        staleness: tells where the rollups lack samples; None = there is no `buckets`.
    """

    store: Store
    tables: Mapping[str, TableVersion]
    past: Past | None = None
    historic: bool = False
    index: SeriesIndex = field(default_factory=SeriesIndex, repr=False, compare=False)
    staleness: Staleness | None = field(default=None, repr=False, compare=False)

    @property
    def versions(self) -> dict[str, int]:
        """Table name to Delta version: enough to see the same rows again. -1: it did not exist."""
        return {name: table.version for name, table in self.tables.items()}

    @property
    def id(self) -> str:
        """The same as a short text; see `lake.snapshot_id`."""
        return str(SnapshotId(self.versions))

    def paths(
        self,
        between: TimeRange | Mapping[str, TimeRange] | None = None,
        tables: Collection[str] = TABLES,
        clusters: Collection[str] | None = None,
    ) -> dict[str, list[str]]:
        """The tables' files that can hold rows of this range, of all tables or by table.

        Args:
            between: the range; None = all time.
            tables: of which tables.
            clusters: only files that can hold rows of these; None = all.

        Raises:
            VersionGoneError: such a file of an old version has been deleted.
        """
        found = {}
        for name in tables:
            within = between.get(name) if isinstance(between, Mapping) else between
            version = self.tables[name]
            kept = TableVersion(version.version, version.within(within)).needed(ALWAYS, clusters)
            self.check(name, kept)
            found[name] = [file.path for file in kept]
        return found

    def check(self, table: str, files: Sequence[TableFile]) -> None:
        """Make sure that these files are there, where that is in doubt.

        Raises:
            VersionGoneError: one is not.
        """
        if self.historic and self.past is not None:
            self.past.check(table, self.tables[table].version, [file.path for file in files])

    def ask(self, question: Question, clusters: Collection[str] | None = None) -> Condition:
        """The condition on files of samples that the table `series` gives for a filter.

        Args:
            question: the filter.
            clusters: the caller's; None = all.
        """
        series = self.tables.get(SERIES.name)
        if series is None or series.problem is not None:
            return ALWAYS
        paths = [file.path for file in series.files]
        return self.index.ask(self.store, series.version, paths, question, clusters)

    def earlier(self, as_of: AsOf | int, views: Mapping[str, Sequence[str]]) -> "Snapshot":
        """The same with another version of the tables of these views, and without any other table.

        Args:
            as_of: a number is the version of a view of one table.
            views: view to its tables.

        Raises:
            AsOfError: there is no such version.
        """
        if isinstance(as_of, int):
            several = next((view for view, tables in views.items() if len(tables) > 1), None)
            if several is not None:
                rule = (
                    f"is of one table: {several!r} reads several, so name a time or a snapshot id"
                )
                raise AsOfError(str(as_of), rule)
            as_of = {tables[0]: as_of for tables in views.values()}
        if self.past is None:
            raise AsOfError(str(as_of), "cannot be read from a snapshot without its lake")
        names = [name for name in self.tables if any(name in each for each in views.values())]
        return replace(self, tables=self.past.pinned(as_of, names), historic=True)

    def stale(self, condition: Condition = ALWAYS) -> Stale:
        """Where `buckets` must look at samples, as far as buckets under a condition need it."""
        if self.staleness is None:
            return Stale()
        first, last = times(condition)
        span = (to_micros(first), to_micros(last + MICROSECOND))
        return self.staleness.at(self.versions, self.tables[SAMPLES.name].files).near(span)

    def connect(
        self,
        *,
        between: TimeRange | Mapping[str, TimeRange] | None = None,
        limits: Limits | None = None,
        locked: bool = False,
        clusters: Collection[str] | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection of its own with all views; see `lake.connection.connect`.

        Args:
            between: leave out files that hold nothing of this range, of all tables or by table.
                An optimisation only: the query still filters on its own.
            limits: memory and threads; DuckDB's defaults where not given.
            locked: for SQL from strangers.
            clusters: only rows of these can be seen; None = all.

        Raises:
            VersionGoneError: a file of an old version has been deleted.
        """
        paths = self.paths(between, clusters=clusters)
        stale = self.stale()
        needed = set(paths[SAMPLES.name])
        samples = [file for file in self.tables[SAMPLES.name].files if file.path in needed]
        return connect(
            {**paths, **stale.paths(samples)},
            limits=limits,
            locked=locked,
            clusters=clusters,
            store=self.store,
            stale=stale,
        )
