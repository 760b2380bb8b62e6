"""Rows as CSV (RFC 4180), put together column by column, without a Python object a value."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from lake.results.json_text import content, dump
from lake.results.plain import plain
from lake.results.sink import Sink
from lake.results.times import time_text

NEEDS_QUOTES = r'[",\r\n]|^\s|\s$|^$'
"""An empty text is quoted as well, since an empty field is null."""


class CsvWriter:
    """A line of names, then one a row; null is an empty field, an empty text `""`.

    A row of a single null is an empty line, which many readers skip.
    """

    def __init__(self, sink: Sink, schema: pa.Schema, read_from: Mapping[str, object]) -> None:
        del read_from
        self._sink = sink
        names = _quoted(pa.array(schema.names, pa.string()))
        self._sink.write((",".join(names.to_pylist()) + "\n").encode())

    def write(self, batch: pa.RecordBatch) -> None:
        """Write its rows."""
        fields = [pc.fill_null(_text(column), "") for column in batch.columns]
        lines = pc.binary_join_element_wise(*fields, ",") if len(fields) > 1 else fields[0]
        self._sink.write(content(pc.binary_join_element_wise(lines, "\n", "")))

    def finish(self) -> None:
        """Nothing comes after the rows."""


def _text(column: pa.Array) -> pa.Array:
    """A column as fields: numbers and times as they are, the nested as JSON, bytes as base64."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _text(column.storage)
    if pa.types.is_dictionary(kind):
        return _text(column.cast(kind.value_type))
    if pa.types.is_floating(kind):
        # Spelt so that readers which guess types take the column for numbers.
        return pc.if_else(pc.is_nan(column), "NaN", column.cast(pa.string()))
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return time_text(column)
    if pa.types.is_string(kind):
        return _quoted(column)
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    texts = [
        value if value is None or isinstance(value, str) else dump(value) for value in plain(column)
    ]
    return _quoted(pa.array(texts, pa.string()))


def _quoted(column: pa.Array) -> pa.Array:
    doubled = pc.replace_substring(column, pattern='"', replacement='""')
    quoted = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(pc.match_substring_regex(column, pattern=NEEDS_QUOTES), quoted, column)
