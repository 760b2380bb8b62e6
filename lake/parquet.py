"""Writing one sorted Parquet file, with the statistics that Delta readers skip files by."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from typing import IO, Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from lake.row_groups import write_dense
from lake.store import Store

ROW_GROUP_ROWS = 131_072
"""Small enough that one series is read in milliseconds, large enough for Parquet's encodings."""

ZSTD_LEVEL = 3
"""Fresh files are rewritten by compaction; a higher level here would only cost the receiver."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that lies in a table's folder but is in no version of the table yet.

    Attributes:
        path: below the table's place.
        size: in bytes.
        day: its partition; None where the table has none.
        stats: Delta's, as JSON.
        rows: how many it holds.
        modified_ms: what `TableFile.modified_ms` is to be; None = the time of the commit.
    """

    path: str
    size: int
    day: date | None
    stats: str
    rows: int = 0
    modified_ms: int | None = None


Rows: TypeAlias = pa.Table | Iterator[pa.Table]
"""Rows of a file in their order, or tables of them, one after the other, for what is too large."""


def write_file(
    store: Store,
    name: str,
    rows: Rows,
    day: date | None,
    *,
    dense: bool = False,
    most_bytes: int | None = None,
) -> DataFile:
    """Write rows, in their order, as `name` in a table's place, durably.

    Args:
        store: the table's place.
        name: file name, unique for ever (Delta files are never overwritten).
        rows: at least one row, already in the table's sort order.
        day: the partition, or None for a table without.
        dense: take more time, for files that stay: see `lake/row_groups.py`.
        most_bytes: take no more tables when the file is so large; those left stay in the iterator.
    """
    path = name if day is None else f"date={day.isoformat()}/{name}"
    encode = write_dense if dense else _write_fast
    metadata, size = store.write(path, lambda sink: encode(sink, _until(sink, rows, most_bytes)))
    return DataFile(path, size, day, json.dumps(_statistics(metadata)), metadata.num_rows)


def _until(sink: IO[bytes], rows: Rows, most_bytes: int | None) -> Iterator[pa.Table]:
    if isinstance(rows, pa.Table):
        yield rows
        return
    for table in rows:
        yield table
        if most_bytes is not None and sink.tell() >= most_bytes:
            return


def _write_fast(sink: IO[bytes], tables: Iterator[pa.Table]) -> pq.FileMetaData:
    collected: list[pq.FileMetaData] = []
    first = next(tables)
    with pq.ParquetWriter(
        sink,
        first.schema,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=[f.name for f in first.schema if _repeats(f.type)] + ["series_id"],
        column_encoding=_encodings(first.schema),
        # Bounds leave NaN out, and DuckDB 2.0 takes them for a proof that there is none. The dense
        # writer has them where there is none.
        write_statistics=[f.name for f in first.schema if not pa.types.is_floating(f.type)],
        # Without the Arrow schema in the file, dictionary columns read back as plain strings.
        store_schema=False,
        metadata_collector=collected,
    ) as writer:
        for rows in chain([first], tables):
            writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
    return collected[0]


def _repeats(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind))


def _encodings(schema: pa.Schema) -> dict[str, str]:
    encodings = {}
    for field in schema:
        if pa.types.is_timestamp(field.type):
            encodings[field.name] = "DELTA_BINARY_PACKED"
        elif pa.types.is_floating(field.type):
            # Measured on real scrapes: plain + zstd is smaller than byte-stream-split + zstd.
            encodings[field.name] = "PLAIN"
    return encodings


def _statistics(metadata: pq.FileMetaData) -> dict[str, Any]:
    """Delta's `stats` object from the Parquet footer: rows, minima, maxima, null counts."""
    minima: dict[str, Any] = {}
    maxima: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for index in range(row_group.num_columns):
            column = row_group.column(index)
            name, stats = column.path_in_schema, column.statistics
            if "." in name or stats is None:
                continue
            nulls[name] = nulls.get(name, 0) + (stats.null_count or 0)
            if stats.has_min_max and not isinstance(stats.min, float):
                minima[name] = min(minima.get(name, stats.min), stats.min)
                maxima[name] = max(maxima.get(name, stats.max), stats.max)
    return {
        "numRecords": metadata.num_rows,
        "minValues": {name: _plain(value) for name, value in minima.items()},
        "maxValues": {name: _plain(value) for name, value in maxima.items()},
        "nullCount": nulls,
    }


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value
