"""Tables in files that are not part of a lake: Parquet and CSV, read by DuckDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

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


ROW = "__row"
"""The row's number in the file. A leading double underscore keeps clear of the file's names."""


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a file's rows: all those with the same values in some columns, or none of them.

    Attributes:
        which: of the parts, from 0.
        of: how many parts there are.
        keys: columns whose values decide.
    """

    which: int
    of: int
    keys: Sequence[str]


def count_rows(path: Path) -> int:
    """How many rows a file has.

    Raises:
        FileFormatError: it is no such file.
    """
    try:
        counted = duckdb.connect().sql(f"SELECT count(*) FROM {_source(path)}").fetchall()
    except duckdb.Error as error:
        raise FileFormatError(str(path), f"cannot be read: {error}") from error
    return int(counted[0][0])


def read_samples(
    path: Path,
    *,
    predicate: str | None = None,
    part: Part | None = None,
    first: int | None = None,
) -> pa.Table:
    """Read a file of samples in its own order.

    Args:
        path: Parquet or CSV, by its name's ending.
        predicate: a SQL predicate on the file's columns.
        part: read only this, and number the rows.
        first: read only so many.

    Returns:
        The file's columns, with its column of time as `timestamp` (µs, UTC; times without a zone
        are UTC), `value` as float64, and, if there is a predicate, the boolean `selected`, if
        there is a part, the int64 `__row`.

    Raises:
        FileFormatError: it is no such file, or has no column of time or no `value`.
        QueryError: the predicate is no SQL predicate over the columns.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    source = _source(path)
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
    if part is not None:
        picked.append(ROW)
        keys = ", ".join(identifier(name) for name in part.keys)
        source = f"""(SELECT *, row_number() OVER () AS {ROW} FROM {source})
            WHERE hash({keys}) % {part.of:d} = {part.which:d}"""
    try:
        limit = "" if first is None else f" LIMIT {first:d}"
        relation = connection.sql(f"SELECT {', '.join(picked)} FROM {source}{limit}")
        return relation.to_arrow_table()
    except duckdb.Error as error:
        if predicate is not None:
            raise QueryError(f"predicate {predicate!r} on {path}: {error}") from error
        raise FileFormatError(str(path), f"cannot be read: {error}") from error


def read_coded(path: Path) -> pa.Table:
    """As `read_samples`, but with texts as dictionaries: what millions of rows share is read once.

    Raises:
        FileFormatError: see `read_samples`.
    """
    if _reader(path) == "read_parquet":
        try:
            schema = pq.read_schema(path)
            texts = [one.name for one in schema if pa.types.is_string(one.type)]
            table = _plain(pq.read_table(path, read_dictionary=texts))
        except pa.ArrowException as error:
            raise FileFormatError(str(path), f"cannot be read: {error}") from error
        if table is not None:
            return table
    table = read_samples(path)
    for index, one in enumerate(table.schema):
        if pa.types.is_string(one.type):
            coded = table.column(index).dictionary_encode()
            table = table.set_column(index, one.name, coded)
    return table


def _plain(table: pa.Table) -> pa.Table | None:
    """With `timestamp` and `value` as `read_samples` has them; None where DuckDB has to do it."""
    time = next((name for name in TIME_NAMES if name in table.column_names), None)
    if time is None or "value" not in table.column_names:
        return None
    times, values = table[time], table["value"]
    if not pa.types.is_timestamp(times.type) or not pa.types.is_floating(values.type):
        return None
    if times.type.tz is None:
        times = pc.assume_timezone(times, "UTC")
    times = times.cast(pa.timestamp("us", "UTC"), safe=False)
    table = table.set_column(table.column_names.index(time), "timestamp", times)
    return table.set_column(table.column_names.index("value"), "value", values.cast(pa.float64()))


def read_rows(path: Path, needed: Sequence[str], *, timed: bool) -> pa.Table:
    """Read a file of rows that are no samples: calls, events, log lines, spans.

    Args:
        path: Parquet or CSV, by its name's ending.
        needed: columns that it must have.
        timed: whether it must have a column of time.

    Returns:
        The file's columns, with its column of time, if there is one, as `timestamp` (µs, UTC; times
        without a zone are UTC).

    Raises:
        FileFormatError: it is no such file, or lacks a column.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    source = _source(path)
    try:
        columns = connection.sql(f"SELECT * FROM {source} LIMIT 0").columns
        time = next((name for name in TIME_NAMES if name in columns), None)
        if timed and time is None:
            raise FileFormatError(
                str(path), f"has no column 'timestamp' or 'time', only {', '.join(columns)}"
            )
        for name in needed:
            if name not in columns:
                raise FileFormatError(
                    str(path), f"has no column {name!r}, only {', '.join(columns)}"
                )
        picked = [f'CAST("{time}" AS TIMESTAMPTZ) AS timestamp'] if time else []
        picked += [identifier(name) for name in columns if name != time]
        return connection.sql(f"SELECT {', '.join(picked)} FROM {source}").to_arrow_table()
    except duckdb.Error as error:
        raise FileFormatError(str(path), f"cannot be read: {error}") from error


def _source(path: Path) -> str:
    return f"{_reader(path)}({quote(str(path))})"


def _reader(path: Path) -> str:
    for ending, reader in READERS.items():
        if path.name.lower().endswith(ending):
            if not path.is_file():
                raise FileFormatError(str(path), "does not exist")
            return reader
    raise FileFormatError(str(path), f"is not one of {', '.join(READERS)}")
