"""Batches of a reader over DuckDB's rows, with one kind of failure."""

from collections.abc import Iterator

import pyarrow as pa


def batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """All batches, as they are made.

    Raises:
        ArrowInvalid: the query failed on the way. Arrow itself has OSError for whatever goes wrong
            in the engine behind a reader, which a full disk or a broken pipe would be as well.
    """
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except OSError as error:
            raise pa.ArrowInvalid(str(error)) from error
        yield batch
