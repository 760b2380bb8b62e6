"""What takes the place of the rows for which a predicate holds, as files to be committed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Protocol

import duckdb
import pyarrow as pa

from lake.commit import Commit
from lake.errors import SchemaError
from lake.files import TableFile
from lake.parquet import DataFile, Rows
from lake.partitions import by_day, with_date
from lake.pruning.columns import Mention
from lake.pruning.conditions import ALWAYS, Condition, choose
from lake.pruning.constants import Constants
from lake.pruning.leaves import Leaves
from lake.read_failure import read_failure
from lake.store import Store
from lake.syntax import parse, parser
from lake.table_spec import TableSpec
from lake.views import quote

BATCH_ROWS = 131_072


class Write(Protocol):
    """Writes a file of the table, durably, without committing it: `Table.write`."""

    def __call__(self, rows: Rows, day: date | None, *, modified_ms: int | None = None) -> DataFile:
        """See `Table.write`."""
        ...


class Replacement:
    """Plans the commit for a version's files; done again only where those that matter differ.

    A file in which the predicate holds for no row stays. Of another, the rows for which it does
    not are written again, into a file that counts as written when theirs was: what was written
    between the two still wins over it.

    Args:
        store: the table's place.
        spec: of the table.
        rows: what comes, in the table's order.
        predicate: SQL over the table's columns, `date` among them.
        write: writes a file.
        discard: deletes files that nobody tried to commit.

    Raises:
        SchemaError: a row does not satisfy the predicate, or that is no SQL over the columns.
    """

    def __init__(
        self,
        store: Store,
        spec: TableSpec,
        rows: pa.Table,
        predicate: str,
        *,
        write: Write,
        discard: Callable[[Sequence[DataFile]], None],
    ) -> None:
        self._store = store
        self._spec = spec
        self._rows = rows
        self._predicate = predicate
        self._write = write
        self._discard = discard
        self._check()
        self._condition = _condition(spec, predicate)
        self._planned: tuple[list[TableFile], Commit] | None = None

    def plan(self, files: Sequence[TableFile]) -> Commit:
        """The commit that replaces the rows of a version; the same one while it is right.

        Args:
            files: of the version, by day.

        Raises:
            FileDamagedError: one that may hold such a row cannot be read.
            StoreError: the disk or the object store fails. No file is left behind.
        """
        chosen = choose(files, self._condition)
        if self._planned is None or self._planned[0] != chosen:
            self._planned = chosen, self._commit(chosen)
        return self._planned[1]

    def _commit(self, chosen: list[TableFile]) -> Commit:
        added: list[DataFile] = []
        try:
            removed = self._holding(chosen)
            for file in removed:
                added += self._rest(file)
            for day, part in by_day(self._spec, self._rows):
                added.append(self._write(part, day))
        except BaseException:
            self._discard(added)
            raise
        return Commit(added, removed, news=True, alone=True)

    def _check(self) -> None:
        rows = with_date(self._spec, self._rows)
        query = f"SELECT count(*) FROM replacing WHERE ({self._predicate}) IS NOT TRUE"
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("replacing", rows)
            try:
                outside = connection.execute(query).fetchone()
            except duckdb.Error as error:
                rule = f"{self._predicate!r} is no condition on its columns: {error}"
                raise SchemaError(self._spec.name, rule) from error
        if outside is None or outside[0]:
            raise SchemaError(self._spec.name, f"a row is outside {self._predicate!r}")

    def _holding(self, files: Sequence[TableFile]) -> list[TableFile]:
        """Those in which the predicate holds for a row."""
        if not files:
            return []
        with self._reading(files) as (connection, source):
            query = f"SELECT DISTINCT file_index FROM ({source}) WHERE {self._predicate}"
            found = {row[0] for row in connection.execute(query).fetchall()}
        return [file for index, file in enumerate(files) if index in found]

    def _rest(self, file: TableFile) -> list[DataFile]:
        """The rows of a file that stay, in their order, as a file; none where none does."""
        columns = ", ".join(f'"{name}"' for name in self._spec.schema.names)
        with self._reading([file]) as (connection, source):
            query = f"SELECT {columns} FROM ({source}) WHERE ({self._predicate}) IS NOT TRUE"
            batches = connection.sql(query).to_arrow_reader(BATCH_ROWS)
            tables = (self._spec.conform(pa.Table.from_batches([b])) for b in batches if b.num_rows)
            first = next(tables, None)
            if first is None:
                return []
            return [self._write(_chained(first, tables), file.day, modified_ms=file.modified_ms)]

    @contextmanager
    def _reading(
        self, files: Sequence[TableFile]
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
        """A connection and a query for the rows of files, with `date` and `file_index`."""
        paths = [file.path for file in files]
        columns = "*, file_index"
        if self._spec.day_of is not None:
            columns += f', CAST("{self._spec.day_of}" AS DATE) AS date'
        listed = ", ".join(map(quote, paths))
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            # One after the other the rows stay in their order, and little memory is taken.
            connection.execute("SET threads = 1")
            self._store.attach(connection, paths, locked=False)
            try:
                yield (
                    connection,
                    f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false)",
                )
            except (duckdb.Error, pa.ArrowException) as error:
                failure = read_failure(error, {self._spec.name: paths}, self._store)
                if failure is None:
                    raise
                raise failure from error


def _chained(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest


def _condition(spec: TableSpec, predicate: str) -> Condition:
    """What a file must satisfy to hold such a row; the predicate is SQL that was run already."""
    with parser() as connection:
        tree = parse(connection, f"SELECT * FROM {spec.name} WHERE {predicate}")
        if tree is None:
            return ALWAYS
        where = tree["statements"][0]["node"]["where_clause"]
        return Leaves(Mention(spec.name, spec.name), Constants(connection, {})).condition(where)
