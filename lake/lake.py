"""The lake: Delta tables in one place, opened, written, pinned and queried."""

import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

import pyarrow as pa

from lake.clock import Clock, utc_now
from lake.connection import Limits
from lake.errors import LakeNotFoundError, TableDamagedError
from lake.places import folder_of, open_store
from lake.query import Result, run, run_guarded
from lake.rollups.stale import Staleness
from lake.schema import ADDED_LATER, SAMPLES_1H, SAMPLES_5M, TABLES
from lake.series_index import SeriesIndex
from lake.snapshot import Snapshot, TableVersion
from lake.snapshot_id import ABSENT
from lake.store import Store
from lake.table import Table
from lake.time_travel import AsOf, Past
from lake.timerange import TimeRange

logger = logging.getLogger(__name__)

ROLLUPS = (SAMPLES_1H.name, SAMPLES_5M.name)

PINNED_IN_ORDER = (*ROLLUPS, *(name for name in TABLES if name not in ROLLUPS))
"""In which a snapshot takes the tables' newest versions."""


class Lake:
    """All tables of one lake. Safe to share between threads; other processes may write too.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lake = Lake.open(folder)
    ...     lake.sql("SELECT count(*) AS n FROM metrics").to_pylist()
    [{'n': 0}]
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.tables = {name: Table(store.below(name), spec, clock) for name, spec in TABLES.items()}
        self._past = Past(self.tables, clock)
        self._index = SeriesIndex()
        self._staleness = Staleness(self.tables)

    @classmethod
    def open(
        cls,
        root: str | Path,
        *,
        create: bool = True,
        clock: Clock = utc_now,
        storage_options: Mapping[str, str] | None = None,
    ) -> Self:
        """Open the lake in a folder or a bucket.

        Args:
            root: the folder, or `s3://bucket/prefix`.
            create: make the folder and the tables where they are missing (a bucket must exist).
            clock: the time of commits.
            storage_options: how a bucket is reached, see `lake.s3_options.S3Options`; what is
                missing is taken from `AWS_…` variables.

        Raises:
            LakeNotFoundError: a table is missing and `create` is false.
            LakeFolderError: the place's name cannot be read back rightly.
            StoreOptionError: a storage option is unknown, wrong or unsafe.
            StoreError: the place cannot be reached or written.
        """
        lake = cls(open_store(root, storage_options, os.environ), clock)
        for table in list(lake.tables.values()):
            try:
                if create:
                    table.create()
                elif not table.exists():
                    if table.spec.name not in ADDED_LATER:
                        raise LakeNotFoundError(str(root))
                    # As if it were empty: who only looks at an old lake changes nothing.
                    del lake.tables[table.spec.name]
            except TableDamagedError as error:
                # Whoever uses this table is told; the others are in order.
                logger.error("%s", error)  # noqa: TRY400 - its trace says no more
        return lake

    @property
    def root(self) -> Path:
        """Its folder.

        Raises:
            LakeFolderError: it lies in a bucket.
        """
        return folder_of(self.store)

    @property
    def reader(self) -> str:
        """What DuckDB reads its files by: "file", "arrow" or "httpfs"."""
        return self.store.reader

    @property
    def samples(self) -> Table:
        """One row a sample."""
        return self.tables["samples"]

    @property
    def series(self) -> Table:
        """One row a series and day (the view shows one a series)."""
        return self.tables["series"]

    @property
    def events(self) -> Table:
        """What happened: Kubernetes events, policy decisions, changes, alerts."""
        return self.tables["events"]

    @property
    def anomalies(self) -> Table:
        """One row an anomalous interval (the view shows its newest state)."""
        return self.tables["anomalies"]

    @property
    def objects(self) -> Table:
        """One row an object of a cluster and change, and one a day that it only was there."""
        return self.tables["objects"]

    @property
    def models(self) -> Table:
        """One row a choice of a detector for a metric."""
        return self.tables["models"]

    @property
    def incidents(self) -> Table:
        """One row an incident (the view shows its newest state)."""
        return self.tables["incidents"]

    @property
    def forecasts(self) -> Table:
        """One row a resource with a limit and time at which its forecast changed, or is a time."""
        return self.tables["forecasts"]

    @property
    def advice(self) -> Table:
        """One row an advice (the view shows its newest state)."""
        return self.tables["advice"]

    def snapshot(self, as_of: AsOf | None = None) -> Snapshot:
        """Pin a version of every table, by default the newest.

        `samples` is pinned before `series`: a series is committed before the samples that name
        it, so no pinned sample lacks its series. The rollups are pinned before `samples`: they
        hold nothing that is not in it.

        Args:
            as_of: the lake as it was: at a time (of each table the last version committed then), in
                a snapshot that was read before, by its id or text, or in versions by table.

        Raises:
            AsOfError: that past is not there, or not any more (VersionGoneError).
        """
        if as_of is None:
            newest = {name: self._newest(name) for name in PINNED_IN_ORDER if name in self.tables}
            held = {name: newest[name] for name in self.tables}
        else:
            held = self._past.pinned(as_of, self.tables)
        pinned = {name: held.get(name, TableVersion(ABSENT, ())) for name in TABLES}
        return Snapshot(
            self.store,
            pinned,
            past=self._past,
            historic=as_of is not None,
            index=self._index,
            staleness=self._staleness,
        )

    def _newest(self, name: str) -> TableVersion:
        try:
            return TableVersion(*self.tables[name].files())
        except TableDamagedError as error:
            # Whoever reads this table is told; the others can be read.
            return TableVersion(ABSENT, (), error)

    def sql(
        self,
        query: str,
        params: Mapping[str, object] | None = None,
        *,
        between: TimeRange | None = None,
        as_of: AsOf | None = None,
    ) -> pa.Table:
        """Run trusted SQL on the newest snapshot, or another; see `lake.query.run`."""
        return self.query(query, params, between=between, as_of=as_of).rows

    def query(
        self,
        query: str,
        params: Mapping[str, object] | None = None,
        *,
        between: TimeRange | None = None,
        as_of: AsOf | None = None,
    ) -> Result:
        """Like `sql`, with the versions that were read."""
        return run(self.snapshot(as_of), query, params, between)

    def query_guarded(
        self,
        query: str,
        limits: Limits,
        *,
        as_of: AsOf | None = None,
        clusters: Collection[str] | None = None,
    ) -> Result:
        """Run SQL from outside; see `lake.query.run_guarded`."""
        return run_guarded(self.snapshot(as_of), query, limits, clusters)
