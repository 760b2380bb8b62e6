"""What one Delta commit says: files that come, files that go, and a stream's position."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.transaction import AddAction, RemoveAction

from lake.files import TableFile
from lake.parquet import DataFile
from lake.table_spec import TableSpec

REMOVALS = "fleetlake/removals"
"""The stream of commits that remove files."""

NEWS = "fleetlake.news"
"""In the log, of a commit that removes files: what is made of their rows is to be made again."""


@dataclass(frozen=True, slots=True)
class CommitKey:
    """Makes an append idempotent: `position` of the stream `app` is committed at most once.

    Positions of one stream only grow. The pair is stored in the commit itself (Delta's app
    transaction), so rows and position become visible together or not at all.
    """

    app: str
    position: int

    def is_in(self, delta: DeltaTable) -> bool:
        """Whether this version holds the position, or one after it."""
        done = delta.transaction_version(self.app)
        return done is not None and done >= self.position


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, which may have to be tried several times.

    Attributes:
        added: files in the table's place that no version names yet.
        removed: files of the newest version.
        key: committed with it.
        data_change: whether rows differ, or only where they lie.
        news: whether what is made of the rows, as rollups are, is to be made again, although files
            are removed. What is dropped for its age leaves them as they are.
        alone: only right on the very version that it is tried on: any other commit is a conflict.
    """

    added: Sequence[DataFile]
    removed: Sequence[TableFile] = ()
    key: CommitKey | None = None
    data_change: bool = True
    news: bool = False
    alone: bool = False

    def attempt(self, delta: DeltaTable, spec: TableSpec, url: str, modified_ms: int) -> None:
        """Commit on top of this version.

        Args:
            delta: the newest version known.
            spec: of the table.
            url: of the table: `TableFile.path` begins with it.
            modified_ms: the time of the commit.

        Raises:
            deltalake.exceptions.CommitFailedError: another writer came in between.
        """
        add = [
            AddAction(
                path=file.path,
                size=file.size,
                partition_values=_partition(file.day),
                modification_time=modified_ms if file.modified_ms is None else file.modified_ms,
                data_change=self.data_change,
                stats=file.stats,
            )
            for file in self.added
        ]
        remove = [
            RemoveAction(
                path=file.path.removeprefix(f"{url}/"),
                data_change=self.data_change,
                deletion_timestamp=modified_ms,
                partition_values=_partition(file.day),
                size=file.size,
            )
            for file in self.removed
        ]
        key = self.key
        transactions = [] if key is None else [Transaction(key.app, key.position)]
        if self.removed:
            transactions.append(fence(delta))
        delta.create_write_transaction(
            [*add, *remove],
            mode="append",
            schema=spec.stored_schema,
            partition_by=spec.partition_by,
            commit_properties=CommitProperties(
                app_transactions=transactions,
                custom_metadata={NEWS: "true"} if self.news else None,
                max_commit_retries=0 if self.alone else None,
            ),
        )


def fence(delta: DeltaTable) -> Transaction:
    """Makes a commit that removes files conflict with every other such commit on this version.

    delta-rs takes our own for appends, which nothing conflicts with: of two that replace one file
    by new ones, both would succeed, and its rows be there twice.
    """
    return Transaction(REMOVALS, (delta.transaction_version(REMOVALS) or 0) + 1)


def _partition(day: date | None) -> dict[str, str | None]:
    return {} if day is None else {"date": day.isoformat()}
