"""An answer whose rows are all there: its bytes at once, handed out as those of others are."""

import io
from collections.abc import Mapping

import pyarrow as pa

from lake.results.writers import Format, writer


class Whole:
    """The bytes of an answer, piece by piece."""

    def __init__(self, content: memoryview) -> None:
        self._left = content

    def read(self) -> bytes:
        """The next piece; empty at the end."""
        piece, self._left = self._left[:PIECE_BYTES], self._left[PIECE_BYTES:]
        return bytes(piece)

    def cancel(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is held."""


PIECE_BYTES = 1 << 18
"""As many as the pieces of other answers have."""


def whole(rows: pa.Table, form: Format, read_from: Mapping[str, object]) -> Whole:
    """Rows as bytes.

    Args:
        rows: all of them.
        form: of the bytes.
        read_from: see `lake.results.writer`.

    Raises:
        QueryError: the format cannot hold them.
    """
    sink = io.BytesIO()
    with writer(form, sink, rows.schema, read_from) as rows_to:
        for batch in rows.combine_chunks().to_batches():
            rows_to.write(batch)
    return Whole(sink.getbuffer())
