"""The dense Parquet writer: half the bytes of a plain one, for files that are written once.

Any Parquet engine reads the files: only encodings of the standard and zstd are used. What makes
them small: row groups end where a metric ends, each column chunk has the encoding that makes it
smallest (`lake.column_chunks`), values have one for each metric (`lake.value_pages`), and chunks
have few pages, so that zstd sees much at a time. There is no page index: with a page or few a
chunk, row groups are what readers skip by, and they have statistics.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake import value_pages
from lake.column_chunks import MAGIC, Chunk, footer_bytes, row_group, smallest, write

ROWS: Final = 131_072
"""Most rows of a row group."""

LEVEL: Final = 19
"""Of zstd."""

CHEAP: Final = 0.01
"""Bytes a row below which a column is not tried in another way: there is nothing left to save."""

Ints = npt.NDArray[np.int64]


def write_dense(
    sink: IO[bytes], rows: pa.Table | Iterable[pa.Table], group_rows: int = ROWS
) -> pq.FileMetaData:
    """Write a Parquet file of rows, in their order, and give its footer.

    Args:
        sink: takes the bytes in order; neither flushed nor closed.
        rows: any number, or tables of them, at least one, for what is too large for memory. Where
            they are sorted by metric, each metric's values are encoded by themselves; dictionaries
            of Arrow are written as what they stand for.
        group_rows: most rows of a row group.
    """
    tables = iter([rows] if isinstance(rows, pa.Table) else rows)
    rest = next(tables)
    footer, _ = write(_without_dictionaries(rest.slice(0, 0)), None)
    sink.write(MAGIC)
    offset, count, groups = len(MAGIC), 0, []
    for table in chain(tables, [None]):
        if table is not None:
            rest = pa.concat_tables([rest, table])
        whole, rest = _whole_groups(rest, group_rows, last=table is None)
        for part, bounds in whole:
            chunks = _chunks(_without_dictionaries(part), bounds)
            groups.append(row_group(chunks, part.num_rows, offset))
            count += part.num_rows
            for chunk in chunks:
                sink.write(chunk.pages)
                offset += len(chunk.pages)
    tail = footer_bytes(footer, groups, count)
    sink.write(tail)
    return pq.read_metadata(pa.BufferReader(MAGIC + tail))


def _whole_groups(
    rows: pa.Table, most: int, *, last: bool
) -> tuple[list[tuple[pa.Table, list[int]]], pa.Table]:
    """Row groups, each with the bounds of its metrics; and the rows of one that may still grow."""
    metrics, series = _starts(rows, "metric"), _starts(rows, "series_id")
    ends = cuts(metrics, series, rows.num_rows, most)
    if not last:
        ends = ends[:-1] or [0]
    groups = []
    for start, end in pairwise(ends):
        inside = metrics[(metrics > start) & (metrics < end)] - start
        groups.append((rows.slice(start, end - start), [0, *inside.tolist(), end - start]))
    return groups, rows.slice(ends[-1])


def cuts(metrics: Ints, series: Ints, n: int, most: int) -> list[int]:
    """Where row groups begin, and n.

    A group ends with a metric if that leaves it at least half full, else with a series, else where
    it is full.

    >>> cuts(np.array([0, 60, 70]), np.array([0, 30, 60, 70]), 150, 100)
    [0, 70, 150]
    >>> cuts(np.array([0, 20]), np.array([0, 20, 90]), 150, 100), cuts(_NONE, _NONE, 150, 100)
    ([0, 90, 150], [0, 100, 150])

    Args:
        metrics: where each metric begins, ascending.
        series: where each series begins, ascending.
        n: rows.
        most: rows of a group.
    """
    found = [0] if n else []
    while found and found[-1] + most < n:
        least, full = found[-1] + max(most // 2, 1), found[-1] + most
        found.append(_last(metrics, least, full) or _last(series, least, full) or full)
    return [*found, n]


_NONE: Final = np.empty(0, np.int64)


def _last(starts: Ints, least: int, most: int) -> int | None:
    """The last start from `least` to `most`."""
    place = int(np.searchsorted(starts, most, side="right")) - 1
    return int(starts[place]) if place >= 0 and starts[place] >= least else None


def _starts(rows: pa.Table, name: str) -> Ints:
    """Where the values of a column change, the first row included; nowhere if there is none."""
    if name not in rows.column_names or rows.num_rows == 0:
        return _NONE
    column = rows.column(name)
    if pa.types.is_dictionary(column.type):
        array = column.unify_dictionaries().combine_chunks().indices
    else:
        array = column.combine_chunks()
    ends = pc.run_end_encode(array, run_end_type=pa.int64()).run_ends
    return np.concatenate([[0], ends.to_numpy()[:-1]])


def _without_dictionaries(rows: pa.Table) -> pa.Table:
    """Rows with dictionaries as what they stand for: pyarrow would write what no row uses, too."""
    schema = pa.schema(
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in rows.schema
    )
    return rows.cast(schema)


def _chunks(rows: pa.Table, bounds: Sequence[int]) -> list[Chunk]:
    """The chunks of a row group, in the order of the schema."""
    chunks = []
    for field in rows.schema:
        column = rows.select([field.name])
        if pa.types.is_float64(field.type) and column[0].null_count == 0:
            (plain,) = write(column, None, use_dictionary=False)[1]
            values = column[0].to_numpy()
            made = [value_pages.encode(values, bounds, plain, field.nullable)]
        else:
            made = _smallest(column)
        if pa.types.is_floating(field.type) and pc.any(pc.is_nan(column[0])).as_py():
            # The bounds leave NaN out, and DuckDB 2.0 takes them for a proof that there is none.
            made = [chunk.unbounded() for chunk in made]
        chunks += made
    return chunks


def _smallest(column: pa.Table) -> list[Chunk]:
    """The chunks of a column (one for each leaf), written the way that makes them smallest."""
    field = column.schema.field(0)
    dictionary: dict[str, Any] = {"use_dictionary": True}
    plain: dict[str, Any] = {"use_dictionary": False}
    delta = plain | {"column_encoding": {field.name: "DELTA_BINARY_PACKED"}}
    if pa.types.is_timestamp(field.type):
        ways = [delta, plain]
    elif pa.types.is_integer(field.type):
        ways = [dictionary, delta, plain]
    else:
        ways = [dictionary, plain]
    written = []
    for way in ways:
        written.append(write(column, LEVEL, **way)[1])
        if sum(len(chunk.pages) for chunk in written[-1]) < column.num_rows * CHEAP:
            break
    return smallest(written)
