"""Tables in files that are not part of a lake: Parquet and CSV, read by DuckDB."""

from pathlib import Path

import duckdb
import pyarrow as pa

from lake.errors import FileFormatError, QueryError
from lake.views import identifier, quote

READERS = {
    ".parquet": "read_parquet",
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".csv.gz": "read_csv",
    ".csv.zst": "read_csv",
}

TIME_NAMES = ("timestamp", "time")


def read_samples(path: Path, *, predicate: str | None = None) -> pa.Table:
    """Read a file of samples in its own order.

    Args:
        path: Parquet or CSV, by its name's ending.
        predicate: a SQL predicate on the file's columns.

    Returns:
        The file's columns, with its column of time as `timestamp` (µs, UTC; times without a zone
        are UTC), `value` as float64, and, if there is a predicate, the boolean `selected`.

    Raises:
        FileFormatError: it is no such file, or has no column of time or no `value`.
        QueryError: the predicate is no SQL predicate over the columns.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    source = f"{_reader(path)}({quote(str(path))})"
    try:
        columns = connection.sql(f"SELECT * FROM {source} LIMIT 0").columns
    except duckdb.Error as error:
        raise FileFormatError(str(path), f"cannot be read: {error}") from error
    time = next((name for name in TIME_NAMES if name in columns), None)
    if time is None:
        raise FileFormatError(
            str(path), f"has no column 'timestamp' or 'time', only {', '.join(columns)}"
        )
    if "value" not in columns:
        raise FileFormatError(str(path), f"has no column 'value', only {', '.join(columns)}")
    picked = [f'CAST("{time}" AS TIMESTAMPTZ) AS timestamp', "CAST(value AS DOUBLE) AS value"]
    picked += [identifier(name) for name in columns if name not in {time, "value"}]
    if predicate is not None:
        picked.append(f"coalesce(({predicate}), false) AS selected")
    try:
        relation = connection.sql(f"SELECT {', '.join(picked)} FROM {source}")
        return relation.to_arrow_table()
    except duckdb.Error as error:
        if predicate is not None:
            raise QueryError(f"predicate {predicate!r} on {path}: {error}") from error
        raise FileFormatError(str(path), f"cannot be read: {error}") from error


def _reader(path: Path) -> str:
    for ending, reader in READERS.items():
        if path.name.lower().endswith(ending):
            if not path.is_file():
                raise FileFormatError(str(path), "does not exist")
            return reader
    raise FileFormatError(str(path), f"is not one of {', '.join(READERS)}")
