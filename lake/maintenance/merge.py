"""Merging sorted files into one sorted stream without duplicates, in bounded memory.

A merge of a few million rows is one sort. A larger one first counts the rows of each series and
then goes through ranges of series of about `SLICE_ROWS` rows; Parquet's statistics let each read
only its part of the files. So memory depends on `SLICE_ROWS`, on the number of series (some tens of
bytes each, while ranges are cut) and on the rows of a file to be written, not on the day. A single
series of more than `SLICE_ROWS` rows a day is sorted on disk.
"""

from collections.abc import Iterator, Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake.files import TableFile
from lake.maintenance.shapes import Shape, shape_of
from lake.maintenance.slices import condition, grouped, slices
from lake.table_spec import TableSpec
from lake.views import quote

SLICE_ROWS = 2_000_000
"""A sort of so many takes about 200 MB and less than a second."""

BATCH_ROWS = 131_072


def merged(
    connection: duckdb.DuckDBPyConnection, spec: TableSpec, files: Sequence[TableFile], where: str
) -> Iterator[pa.Table]:
    """The rows of the files as one sorted stream, each row once.

    Args:
        connection: from `reading`.
        spec: of the table.
        files: oldest commit first.
        where: rows that stay, as SQL.
    """
    shape = shape_of(spec.name)
    paths = ", ".join(quote(file.path) for file in files)
    source = f"read_parquet([{paths}], hive_partitioning = false)"
    wanted = [where]
    if sum(file.rows for file in files) > SLICE_ROWS:
        groups = grouped(connection, f"{source} WHERE {where}", shape.slices)
        wanted = [f"{where} AND {condition(shape.slices, s)}" for s in slices(groups, SLICE_ROWS)]
    for one in wanted:
        yield from _in_order(connection, spec, shape, f"{source} WHERE {one}")


def _in_order(
    connection: duckdb.DuckDBPyConnection, spec: TableSpec, shape: Shape, source: str
) -> Iterator[pa.Table]:
    columns = ", ".join(f'"{name}"' for name in spec.schema.names)
    order = ", ".join(f'"{name}"' for name in spec.sort)
    rows = f"SELECT {columns}, file_index, file_row_number FROM {source}"
    if shape.query:
        query = f"WITH source AS ({rows}) {shape.query} ORDER BY {order}"
    else:
        query = f"SELECT {columns} FROM ({rows}) ORDER BY {order}, file_index, file_row_number"
    batches = connection.sql(query).to_arrow_reader(BATCH_ROWS)
    tables = (pa.Table.from_batches([batch]) for batch in batches)
    for table in last_of_each(tables, shape.key) if shape.key else tables:
        yield spec.conform(table)


def last_of_each(tables: Iterator[pa.Table], key: Sequence[str]) -> Iterator[pa.Table]:
    """Of neighbouring rows with the same key only the last, also where tables meet.

    >>> rows = pa.table({"time": [1, 1, 2], "value": [5.0, 6.0, 7.0]})
    >>> [t.to_pylist() for t in last_of_each(iter([rows]), ["time"])]
    [[{'time': 1, 'value': 6.0}], [{'time': 2, 'value': 7.0}]]
    """
    held: pa.Table | None = None
    for table in tables:
        if table.num_rows == 0:
            continue
        rows = table if held is None else pa.concat_tables([held, table])
        kept = rows.slice(0, rows.num_rows - 1)
        same = _equals_next(rows, key)
        if same.any():
            kept = kept.filter(pa.array(~same))
        if kept.num_rows:
            yield kept
        held = rows.slice(rows.num_rows - 1)
    if held is not None:
        yield held


def _equals_next(rows: pa.Table, key: Sequence[str]) -> np.ndarray:
    """For each row but the last, whether the next has the same key."""
    same = np.ones(max(rows.num_rows - 1, 0), bool)
    # The last columns differ most often: texts are compared where the numbers leave it open.
    for name in reversed(key):
        if not same.any():
            break
        column = rows.column(name).combine_chunks()
        at = np.flatnonzero(same)
        left, right = column.take(pa.array(at)), column.take(pa.array(at + 1))
        same[at] = pc.equal(left, right).to_numpy(zero_copy_only=False)
    return same
