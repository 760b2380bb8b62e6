"""Rows written to standard output or to a file, in one of the formats."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from api.errors import OutputError
from lake.results import Format, writer

BINARY = frozenset({Format.arrow, Format.parquet})


class FileSink:
    """Writes all rows.

    Args:
        form: of what is written; JSON is an array of objects here, as `jq` likes it.
        output: a file, which is there when it is complete; None = standard output.
    """

    def __init__(self, form: Format, output: Path | None) -> None:
        if output is None and form in BINARY and sys.stdout.isatty():
            raise OutputError(f"{form} is no text for a terminal: use --output FILE, or a pipe")
        if output is not None and not output.absolute().parent.is_dir():
            raise OutputError(f"no folder {output.parent}: nowhere to write {output.name}")
        self._form = form
        self._output = output

    def take(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch], snapshot_id: str) -> int:
        """See `api.cli.query.asking.Sink`."""
        count = 0
        as_array = self._form is Format.json
        form = Format.ndjson if as_array else self._form
        with self._opened() as file:
            sink = _Array(file) if as_array else file
            read_from = {"snapshot_id": snapshot_id}
            with writer(form, sink, schema, read_from) as rows:
                for batch in batches:
                    rows.write(batch)
                    count += batch.num_rows
            if isinstance(sink, _Array):
                sink.finish()
        return count

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        if self._output is None:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        # Beside the target first: a reader never meets half a file.
        part = self._output.with_name(f".{self._output.name}.part")
        try:
            with part.open("wb") as file:
                yield file
            part.replace(self._output)
        except OSError as error:
            raise OutputError(f"cannot write {self._output}: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)


class _Array:
    """Turns lines of JSON into one array."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._begin = b"["

    def write(self, lines: object) -> int:
        text = bytes(memoryview(lines).cast("B"))  # type: ignore[arg-type]
        if text:
            # A newline within a value is written as \n: each one ends an object.
            self._file.write(self._begin + text[:-1].replace(b"\n", b",\n"))
            self._begin = b",\n"
        return len(text)

    def finish(self) -> None:
        self._file.write((b"[]" if self._begin == b"[" else b"]") + b"\n")


def sink_of(form: Format, output: Path | None) -> Callable[[], FileSink]:
    """Makes a sink a query; what is wrong with the place is told now."""
    FileSink(form, output)
    return lambda: FileSink(form, output)
