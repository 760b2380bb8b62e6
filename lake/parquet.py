"""Writing one sorted Parquet file, with the statistics that Delta readers skip files by."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 131_072
"""Small enough that one series is read in milliseconds, large enough for Parquet's encodings."""

ZSTD_LEVEL = 3
"""Fresh files are rewritten by compaction; a higher level here would only cost the receiver."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that lies in a table's folder but is in no version of the table yet."""

    path: str
    size: int
    day: date | None
    stats: str


def write_file(root: Path, name: str, rows: pa.Table, day: date | None) -> DataFile:
    """Write rows, in their order, as `name` below the table's folder, and fsync.

    Args:
        root: the table's folder.
        name: file name, unique for ever (Delta files are never overwritten).
        rows: at least one row, already in the table's sort order.
        day: the partition, or None for a table without.
    """
    folder = root if day is None else root / f"date={day.isoformat()}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    collected: list[pq.FileMetaData] = []
    with path.open("wb") as sink:
        pq.write_table(
            rows,
            sink,
            row_group_size=ROW_GROUP_ROWS,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=[f.name for f in rows.schema if _repeats(f.type)] + ["series_id"],
            column_encoding=_encodings(rows.schema),
            # Without the Arrow schema in the file, dictionary columns read back as plain strings.
            store_schema=False,
            metadata_collector=collected,
        )
        sink.flush()
        os.fsync(sink.fileno())
    sync(folder)
    if folder != root:
        sync(root)
    return DataFile(
        path=str(path.relative_to(root)),
        size=path.stat().st_size,
        day=day,
        stats=json.dumps(_statistics(collected[0])),
    )


def sync(path: Path) -> None:
    """Force a file, or a folder's list of names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Write a small file for good; whoever reads meanwhile finds the old one or the new one."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync(path.parent)


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
