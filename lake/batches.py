"""Batches of a reader over DuckDB's rows: with one kind of failure, and of a size worth a call."""

from collections.abc import Iterable, Iterator

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


def gathered(of_reader: Iterable[pa.RecordBatch], least: int) -> Iterator[pa.RecordBatch]:
    """The same rows in fewer batches.

    Args:
        of_reader: batches of one schema.
        least: bytes of each batch but the last; one that is larger by itself stays as it is.
    """
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in of_reader:
        if size + batch.nbytes < least:
            held.append(batch)
            size += batch.nbytes
            continue
        if batch.nbytes < least:
            held.append(batch)
            yield pa.concat_batches(held)
        else:
            if held:
                yield pa.concat_batches(held)
            yield batch
        held, size = [], 0
    if held:
        yield pa.concat_batches(held)
