"""Column chunks of Parquet as bytes: written one way or another, chosen, moved to where they go.

Parquet lets every chunk have its own encodings, and pyarrow wants them told beforehand. So each
column is written several ways and the smallest chunk is kept: only its offsets depend on its place.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lake import thrift
from lake.errors import FooterError
from lake.thrift import Field, Struct

MAGIC: Final = b"PAR1"
TAIL_BYTES: Final = 8
"""At a file's end: the footer's length in four bytes, and the magic number."""

# Numbers of fields in Parquet's own parquet.thrift.
FILE_SCHEMA, FILE_ROWS, FILE_ROW_GROUPS = 2, 3, 4
GROUP_COLUMNS, GROUP_BYTES, GROUP_ROWS = 1, 2, 3
GROUP_OFFSET, GROUP_COMPRESSED = 5, 6
COLUMN_OFFSET, COLUMN_METADATA = 2, 3
ENCODINGS, CODEC, UNCOMPRESSED, COMPRESSED = 2, 4, 6, 7
DATA_PAGE, DICTIONARY_PAGE, STATISTICS, ENCODING_STATS = 9, 11, 12, 13

ZSTD = 6
"""The codec's number."""

NULL_COUNT = 3

_LEGACY_BOUNDS = (1, 2)
"""`min` and `max` of old readers, which nobody writes without `min_value` and `max_value`."""

PAGE_BYTES: Final = 8 << 20
"""As far as zstd looks back at its higher levels. A smaller page would cost it what it has learned,
a larger one would only make readers unpack more for one row."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The pages of one column in one row group, and its `ColumnMetaData`.

    Offsets in the metadata count from the first byte of the pages.
    """

    pages: bytes
    metadata: Struct

    def unbounded(self) -> "Chunk":
        """The same without its least and its greatest value."""
        bounds = self.metadata[STATISTICS].value
        kept = {number: bounds[number] for number in bounds if number == NULL_COUNT}
        return replace(self, metadata=self.metadata | {STATISTICS: Field(thrift.STRUCT, kept)})

    def at(self, offset: int) -> Struct:
        """The `ColumnChunk` for a footer of a file in which the pages begin at `offset`."""
        metadata = dict(self.metadata)
        for number in (DATA_PAGE, DICTIONARY_PAGE):
            if number in metadata:
                metadata[number] = Field(thrift.I64, metadata[number].value + offset)
        return {
            COLUMN_OFFSET: Field(thrift.I64, 0),  # deprecated, and zero by the format's advice
            COLUMN_METADATA: Field(thrift.STRUCT, metadata),
        }


def write(rows: pa.Table, level: int | None, **options: Any) -> tuple[Struct, list[Chunk]]:
    """Write rows as one row group in memory.

    Args:
        rows: any number; of none there is no chunk.
        level: of zstd; None = not compressed.
        options: of `pyarrow.parquet.write_table`.

    Returns:
        The footer, and a chunk of each leaf column, in the order of the schema.
    """
    sink = io.BytesIO()
    pq.write_table(
        rows,
        sink,
        row_group_size=max(rows.num_rows, 1),
        compression="none" if level is None else "zstd",
        compression_level=level,
        data_page_size=PAGE_BYTES,
        dictionary_pagesize_limit=PAGE_BYTES,
        max_rows_per_page=max(rows.num_rows, 1),
        # Without the Arrow schema in the file, dictionary columns read back as plain strings.
        store_schema=False,
        **options,
    )
    data = sink.getbuffer()
    footer = read_footer(data)
    return footer, [
        _chunk(data, column)
        for group in footer[FILE_ROW_GROUPS].value.items
        for column in group[GROUP_COLUMNS].value.items
    ]


def read_footer(data: bytes | memoryview) -> Struct:
    """The `FileMetaData` of a Parquet file.

    Raises:
        FooterError: it is cut off or damaged, or this is no Parquet file.
    """
    size = len(data)
    if size < TAIL_BYTES or bytes(data[-4:]) != MAGIC:
        raise FooterError(size, f"does not end with {MAGIC.decode()}")
    length = int.from_bytes(data[-TAIL_BYTES:-4], "little")
    start = size - TAIL_BYTES - length
    if start < len(MAGIC):
        raise FooterError(size - TAIL_BYTES, f"its length of {length} bytes is more than there is")
    footer, end = thrift.decode(data[: size - TAIL_BYTES], start)
    if end != size - TAIL_BYTES:
        raise FooterError(end, "ends before its stated length")
    for number, kind in ((FILE_SCHEMA, thrift.LIST), (FILE_ROW_GROUPS, thrift.LIST)):
        if number not in footer or footer[number].type != kind:
            raise FooterError(start, f"lacks field {number}")
    return footer


def smallest(written: Sequence[Sequence[Chunk]]) -> list[Chunk]:
    """Of each column the smallest chunk; the first of several that are as small."""
    return [
        min(chunks, key=lambda chunk: len(chunk.pages)) for chunks in zip(*written, strict=True)
    ]


def row_group(chunks: Iterable[Chunk], rows: int, offset: int) -> Struct:
    """The `RowGroup` of chunks that lie end to end from `offset` on."""
    columns, total, start = [], 0, offset
    for chunk in chunks:
        columns.append(chunk.at(offset))
        offset += len(chunk.pages)
        total += chunk.metadata[UNCOMPRESSED].value
    return {
        GROUP_COLUMNS: Field(thrift.LIST, thrift.List(thrift.STRUCT, columns)),
        GROUP_BYTES: Field(thrift.I64, total),
        GROUP_ROWS: Field(thrift.I64, rows),
        GROUP_OFFSET: Field(thrift.I64, start),
        GROUP_COMPRESSED: Field(thrift.I64, offset - start),
    }


def footer_bytes(footer: Struct, groups: Sequence[Struct], rows: int) -> bytes:
    """The end of a file with these row groups; all else is as `footer` says."""
    metadata = thrift.encode(
        footer
        | {
            FILE_ROWS: Field(thrift.I64, rows),
            FILE_ROW_GROUPS: Field(thrift.LIST, thrift.List(thrift.STRUCT, list(groups))),
        }
    )
    return metadata + len(metadata).to_bytes(4, "little") + MAGIC


def _chunk(data: memoryview, column: Struct) -> Chunk:
    metadata = dict(column[COLUMN_METADATA].value)
    offsets = [
        metadata[number].value for number in (DATA_PAGE, DICTIONARY_PAGE) if number in metadata
    ]
    start = min(offsets)
    for number in (DATA_PAGE, DICTIONARY_PAGE):
        if number in metadata:
            metadata[number] = Field(thrift.I64, metadata[number].value - start)
    if STATISTICS in metadata:
        bounds = metadata[STATISTICS].value
        kept = {number: bounds[number] for number in bounds if number not in _LEGACY_BOUNDS}
        metadata[STATISTICS] = Field(thrift.STRUCT, kept)
    return Chunk(bytes(data[start : start + metadata[COMPRESSED].value]), metadata)
