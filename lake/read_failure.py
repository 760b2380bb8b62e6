"""What DuckDB says of files that it cannot read, as errors that say what to do."""

import re
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from lake.errors import FileDamagedError, LakeError, StoreError
from lake.files import Paths
from lake.store import Store
from lake.views import quote

DAMAGE = (duckdb.IOException, duckdb.InvalidInputException, pa.ArrowException)
"""Of a file that is gone, cut off or foreign; some of them also of much that a query can do."""

TRACEBACK = "Traceback (most recent call last)"
"""DuckDB gives an exception of `ObjectReader` as its text."""

RAISED = re.compile(r"^(?:\w+\.)*(\w+): (.*)", re.MULTILINE)
"""The last line of a traceback."""


def read_failure(error: Exception, paths: Paths, store: Store | None) -> LakeError | None:
    """What is wrong with the files; None if it is the query.

    Args:
        error: of DuckDB, or of Arrow's reader over its rows, from views or a query over the files.
        paths: the files by table.
        store: where they are.
    """
    said = str(error).partition("\n\nLINE ")[0]
    raised = RAISED.search(said.partition(TRACEBACK)[2])
    if raised is not None and store is not None and raised[1] != FileNotFoundError.__name__:
        return StoreError(store.url, "read its files", raised[2], store.hint)
    if raised is not None or isinstance(error, DAMAGE):
        for table, path in _each(paths):
            if path.removeprefix("s3://") in said:
                return FileDamagedError(table, path, said.splitlines()[-1])
    elif type(error) is duckdb.Error:  # of the decoder of footers, which knows no file
        return _damaged_footer(paths, store)
    return None


def _damaged_footer(paths: Paths, store: Store | None) -> FileDamagedError | None:
    with duckdb.connect() as connection:
        if store is not None:
            store.attach(connection, [path for _, path in _each(paths)], locked=True)
        for table, path in _each(paths):
            try:
                connection.execute(f"SELECT * FROM read_parquet({quote(path)}) LIMIT 0")
            except duckdb.Error as error:
                return FileDamagedError(table, path, str(error).splitlines()[0])
    return None


def _each(paths: Paths) -> Iterator[tuple[str, str]]:
    for table, files in paths.items():
        for path in files:
            yield table, path
