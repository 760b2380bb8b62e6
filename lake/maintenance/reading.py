"""DuckDB over a table's files, for maintenance: little memory, one core, damage told by file."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from lake.errors import FileDamagedError, StoreError
from lake.files import TableFile
from lake.table import Table
from lake.views import quote

LOOKING_BYTES = 256 << 20
"""Memory for a query that only counts."""


@contextmanager
def reading(
    table: Table, files: Sequence[TableFile], memory_bytes: int, spill: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection that reads these files, and sorts on disk what is too much for memory.

    Args:
        table: whose files.
        files: all that is read within.
        memory_bytes: of DuckDB; rows on their way to a file come on top.
        spill: where a folder for sorting is made, and removed; None = the machine's place for it.

    Raises:
        FileDamagedError: a query within failed since a file cannot be read.
        StoreError: a query within failed for another reason, such as a full disk.
    """
    with _folder(spill, table.store.hint) as folder, duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"SET memory_limit = '{memory_bytes}B'")
        connection.execute(f"SET temp_directory = {quote(folder)}")
        # The other cores are for those who write and ask meanwhile.
        connection.execute("SET threads = 1")
        connection.execute("SET enable_external_file_cache = false")
        table.store.attach(connection, [file.path for file in files], locked=False)
        try:
            yield connection
        except (duckdb.Error, pa.ArrowException) as error:
            for file in files:
                problem = _damage(table, file)
                if problem is not None:
                    raise FileDamagedError(table.spec.name, file.path, problem) from error
            raise StoreError(folder, "sort rows", str(error), table.store.hint) from error


@contextmanager
def _folder(spill: Path | None, hint: str) -> Iterator[str]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="fleetlake-sort-", dir=spill)
    except OSError as error:
        place = str(spill or tempfile.gettempdir())
        raise StoreError(place, "make a folder to sort in", str(error), hint) from error
    with folder as name:
        yield name


def _damage(table: Table, file: TableFile) -> str | None:
    """Why a file cannot be read to its end; None = it can.

    Asked of an engine of its own: the query that failed may still hold the memory of the other,
    and want of memory is no damage.
    """
    whole = f"SELECT max(hash(t)) FROM read_parquet({quote(file.path)}) t"
    with duckdb.connect() as connection:
        table.store.attach(connection, [file.path], locked=False)
        try:
            connection.execute(whole).fetchone()
        except duckdb.OutOfMemoryException:
            return None
        except duckdb.Error as error:
            return str(error).splitlines()[0]
    return None


def files_with(table: Table, files: Sequence[TableFile], where: str) -> list[TableFile]:
    """Those of the files that hold a row for which the SQL predicate is true.

    Raises:
        FileDamagedError, StoreError: see `reading`.
    """
    if not files:
        return []
    paths = ", ".join(quote(file.path) for file in files)
    query = (
        f"SELECT DISTINCT file_index FROM read_parquet([{paths}], hive_partitioning = false) "
        f"WHERE {where}"
    )
    with reading(table, files, LOOKING_BYTES) as connection:
        found = {row[0] for row in connection.execute(query).fetchall()}
    return [file for index, file in enumerate(files) if index in found]
