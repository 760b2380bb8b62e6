"""The lake: a folder of Delta tables, opened, written, pinned and queried."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from lake.clock import Clock, utc_now
from lake.connection import Limits
from lake.errors import LakeFolderError, LakeNotFoundError
from lake.query import Result, run, run_guarded
from lake.schema import TABLES
from lake.snapshot import Snapshot, TableVersion
from lake.table import Table
from lake.timerange import TimeRange

UNSAFE = "%[]^|\\"
"""delta-rs decodes `%` twice, takes a backslash for a slash, and panics at the others."""


class Lake:
    """All tables of one lake. Safe to share between threads; other processes may write too.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lake = Lake.open(folder)
    ...     lake.sql("SELECT count(*) AS n FROM metrics").to_pylist()
    [{'n': 0}]
    """

    def __init__(self, root: Path, clock: Clock) -> None:
        self.root = root
        self.tables = {name: Table(root / name, spec, clock) for name, spec in TABLES.items()}

    @classmethod
    def open(cls, root: str | Path, *, create: bool = True, clock: Clock = utc_now) -> Self:
        """Open the lake in a folder.

        Args:
            root: the folder.
            create: make the folder and the tables where they are missing.
            clock: the time of commits.

        Raises:
            LakeNotFoundError: a table is missing and `create` is false.
            LakeFolderError: the folder's path cannot be read back rightly.
        """
        lake = cls(Path(root).resolve(), clock)
        _check_folder(lake.root)
        for table in lake.tables.values():
            if create:
                table.create()
            elif not table.exists():
                raise LakeNotFoundError(str(root))
        return lake

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

    def snapshot(self) -> Snapshot:
        """Pin the newest version of every table.

        `samples` is pinned before `series`: a series is committed before the samples that name
        it, so no pinned sample lacks its series.
        """
        pinned = {}
        for name, table in self.tables.items():
            version, files = table.files()
            pinned[name] = TableVersion(version, files)
        return Snapshot(self.root, pinned)

    def sql(
        self,
        query: str,
        params: Mapping[str, object] | None = None,
        *,
        between: TimeRange | None = None,
    ) -> pa.Table:
        """Run trusted SQL on the newest snapshot; see `lake.query.run`."""
        return self.query(query, params, between=between).rows

    def query(
        self,
        query: str,
        params: Mapping[str, object] | None = None,
        *,
        between: TimeRange | None = None,
    ) -> Result:
        """Like `sql`, with the versions that were read."""
        return run(self.snapshot(), query, params, between)

    def query_guarded(self, query: str, limits: Limits) -> Result:
        """Run SQL from outside; see `lake.query.run_guarded`."""
        return run_guarded(self.snapshot(), query, limits)


def _check_folder(root: Path) -> None:
    columns = {name for spec in TABLES.values() for name in spec.stored_schema.names}
    for part in root.parts:
        name, equals, _ = part.partition("=")
        if equals and name.lower() in columns:
            # DuckDB reads partitions off the whole path: this one would stand in for the column.
            raise LakeFolderError(str(root), part, "looks like a partition of a column")
        wrong = next((character for character in part if character in UNSAFE), None)
        if wrong is not None:
            raise LakeFolderError(str(root), part, f"holds {wrong!r}, which Delta Lake misreads")


def connect(root: str | Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection for a notebook, with every view of the lake's newest snapshot.

    Connect again to see newer rows.

    Raises:
        LakeNotFoundError: there is no lake in the folder.
    """
    return Lake.open(root, create=False).snapshot().connect()
