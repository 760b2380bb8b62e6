"""Rows as a table that fits the terminal, with a note of what it leaves out."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lake.results import Format, plain
from lake.results.times import time_text

SHOWN_ROWS = 200

LEAST_WIDTH = 8
"""Narrower columns say nothing: some are left out instead."""

BORDER = 3
"""Characters between two columns."""

SHORT_LENGTH = 6
"""Significant digits of a float; the other formats have all."""


class TableSink:
    """Shows the first rows and counts the others.

    Args:
        console: where to print; its width counts.
        notes: where to say what is left out.
    """

    def __init__(self, console: Console, notes: Console) -> None:
        self._console = console
        self._notes = notes

    def take(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch], snapshot_id: str) -> int:
        """See `api.cli.query.asking.Sink`."""
        del snapshot_id
        shown: list[pa.RecordBatch] = []
        count = 0
        for batch in batches:
            room = SHOWN_ROWS - count
            if room > 0:
                shown.append(batch.slice(0, room))
            count += batch.num_rows
        self._print(pa.Table.from_batches(shown, schema))
        if count > SHOWN_ROWS:
            self._notes.print(f"{SHOWN_ROWS} of {count:,} rows; --format {Format.csv} prints all")
        return count

    def _print(self, rows: pa.Table) -> None:
        fitting = max((self._console.width - 1) // (LEAST_WIDTH + BORDER), 1)
        drawn = Table(box=box.ROUNDED, show_lines=False)
        columns = list(range(rows.num_columns))[:fitting]
        for index in columns:
            field = rows.schema.field(index)
            drawn.add_column(
                Text(field.name),
                justify="right" if _is_number(field.type) else "left",
                no_wrap=True,
                overflow="ellipsis",
            )
        cells = [cell_texts(rows.column(index)) for index in columns]
        for row in zip(*cells, strict=True):
            drawn.add_row(*(Text(text) for text in row))
        self._console.print(drawn)
        if len(columns) < rows.num_columns:
            self._notes.print(
                f"{len(columns)} of {rows.num_columns} columns fit; "
                "select fewer, or widen the terminal"
            )


class SchemaSink:
    """Shows the columns, and no row."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def take(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch], snapshot_id: str) -> int:
        """See `api.cli.query.asking.Sink`."""
        del snapshot_id
        drawn = Table("column", "type", box=box.ROUNDED)
        for field in schema:
            drawn.add_row(Text(field.name), str(field.type))
        self._console.print(drawn)
        return sum(batch.num_rows for batch in batches)


def cell_texts(column: pa.ChunkedArray) -> Sequence[str]:
    """A column as texts for people: nothing for null, six digits of a float, seconds of a time.

    >>> cell_texts(pa.chunked_array([[1.23456789, None]]))
    ['1.23457', '']
    """
    kind = column.type
    if pa.types.is_floating(kind):
        # NaN and the infinities are shown, and told from null.
        values = column.to_pylist()
        return ["" if value is None else f"{value:.{SHORT_LENGTH}g}" for value in values]
    if pa.types.is_timestamp(kind):
        texts = [text for chunk in column.chunks for text in time_text(chunk).to_pylist()]
        return ["" if text is None else text.replace("T", " ").removesuffix("Z") for text in texts]
    return [_cell(value) for chunk in column.chunks for value in plain(chunk)]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{name}={_cell(text)}" for name, text in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(map(_cell, value)) + "]"
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    # A line of the table is a line.
    return text.replace("\n", "⏎").replace("\r", "").replace("\t", " ")


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
