"""Writers of rows: JSON, lines of JSON, CSV, Arrow's stream, Parquet; each takes batches."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet

from lake.errors import QueryError
from lake.results.csv import CsvWriter
from lake.results.json_text import JsonWriter, NdjsonWriter, dump
from lake.results.sink import Sink


class Format(StrEnum):
    """How rows are written."""

    json = "json"
    ndjson = "ndjson"
    csv = "csv"
    arrow = "arrow"
    parquet = "parquet"


class Writer(Protocol):
    """Takes batches of one schema, in order."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write its rows; they reach the sink now or at the end.

        Raises:
            QueryError: a value that the format cannot hold.
        """
        ...

    def finish(self) -> None:
        """Write what comes after the rows."""
        ...


ROW_GROUP_ROWS = 131_072
"""As many as DuckDB writes: small groups are slow to read, large ones need memory here."""

ROW_GROUP_BYTES = 16 << 20

METADATA_PREFIX = "fleetlake."


@contextmanager
def writer(
    form: Format, sink: Sink, schema: pa.Schema, read_from: Mapping[str, object]
) -> Iterator[Writer]:
    """A writer to `sink`; what comes after the last row is written as the block ends well.

    Args:
        form: of the text or bytes.
        sink: it only needs `write`; for Parquet, `tell` as well.
        schema: of all batches.
        read_from: what the rows were read from (`snapshot_id`, `lake_versions`): fields of the JSON
            document and, under `fleetlake.…`, metadata of Arrow's and Parquet's schema. CSV and
            lines of JSON have no place for it.

    Raises:
        QueryError: a column that the format cannot hold.
    """
    made = WRITERS[form](sink, schema, read_from)
    yield made
    made.finish()


class ArrowWriter:
    """Arrow's IPC stream, uncompressed: every reader takes that."""

    def __init__(self, sink: Sink, schema: pa.Schema, read_from: Mapping[str, object]) -> None:
        self._schema = with_metadata(schema, read_from)
        self._stream = pa.ipc.new_stream(sink, self._schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write its rows."""
        self._stream.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=self._schema))

    def finish(self) -> None:
        """Write what comes after the rows."""
        self._stream.close()


class ParquetWriter:
    """A file with row groups of bounded size."""

    def __init__(self, sink: Sink, schema: pa.Schema, read_from: Mapping[str, object]) -> None:
        self._waiting: list[pa.RecordBatch] = []
        self._schema = with_metadata(schema, read_from)
        try:
            self._file = pa.parquet.ParquetWriter(
                pa.PythonFile(sink, "w"), self._schema, compression="zstd"
            )
        except pa.ArrowNotImplementedError as error:
            raise QueryError(f"Parquet cannot hold a column: {error}: cast it") from error

    def write(self, batch: pa.RecordBatch) -> None:
        """Write its rows."""
        self._waiting.append(batch)
        rows = sum(each.num_rows for each in self._waiting)
        size = sum(each.nbytes for each in self._waiting)
        if rows >= ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
            self._write_group()

    def finish(self) -> None:
        """Write what comes after the rows."""
        if self._waiting:
            self._write_group()
        self._file.close()

    def _write_group(self) -> None:
        rows = pa.Table.from_batches(self._waiting).replace_schema_metadata(self._schema.metadata)
        self._waiting = []
        self._file.write_table(rows, row_group_size=max(rows.num_rows, 1))


WRITERS: dict[Format, Callable[[Sink, pa.Schema, Mapping[str, object]], Writer]] = {
    Format.json: JsonWriter,
    Format.ndjson: NdjsonWriter,
    Format.csv: CsvWriter,
    Format.arrow: ArrowWriter,
    Format.parquet: ParquetWriter,
}


def with_metadata(schema: pa.Schema, read_from: Mapping[str, object]) -> pa.Schema:
    """The schema with `fleetlake.…` metadata: texts as they are, all else as JSON."""
    told = {
        METADATA_PREFIX + name: value if isinstance(value, str) else dump(value)
        for name, value in read_from.items()
    }
    return schema.with_metadata({**(schema.metadata or {}), **told})
