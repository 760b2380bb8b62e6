"""Columns as JSON in text, and rows joined of them: a Python object a value takes too long."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake.results.plain import plain
from lake.results.sink import Sink
from lake.results.times import time_text

NEEDS_ESCAPE = np.array([code < 0x20 or chr(code) in '"\\' for code in range(256)])


class JsonWriter:
    """One document; it is no JSON before its end."""

    def __init__(self, sink: Sink, schema: pa.Schema, read_from: Mapping[str, object]) -> None:
        types = [str(field.type) for field in schema]
        head = {**read_from, "columns": schema.names, "types": types}
        self._sink = sink
        self._sink.write(dump(head).removesuffix("}").encode() + b',"rows":[')
        self._parts = ["[", *[","] * (len(types) - 1), "]"]
        self._between = b""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write its rows."""
        if batch.num_rows:
            rows = joined(batch, self._parts, ",")
            self._sink.write(self._between)
            self._sink.write(rows[:-1])
            self._between = b","

    def finish(self) -> None:
        """Write the end of the document."""
        self._sink.write(b"]}")


class NdjsonWriter:
    """One object a row and line; of columns of one name, the later get a number."""

    def __init__(self, sink: Sink, schema: pa.Schema, read_from: Mapping[str, object]) -> None:
        del read_from
        self._sink = sink
        keys = [dump(name) + ":" for name in distinct(schema.names)]
        self._parts = ["{" + keys[0], *["," + key for key in keys[1:]], "}"]

    def write(self, batch: pa.RecordBatch) -> None:
        """Write its rows."""
        self._sink.write(joined(batch, self._parts, "\n"))

    def finish(self) -> None:
        """Nothing comes after the rows."""


def joined(batch: pa.RecordBatch, parts: Sequence[str], end: str) -> memoryview:
    """Rows as text: between each two parts stands a column, and after each row the end."""
    pieces: list[Piece] = []
    for part, column in zip(parts, batch.columns, strict=False):
        pieces += _after(part, column)
    pieces.append(parts[-1] + end)
    glued = _glued(pieces)
    if all(isinstance(piece, str) for piece in glued):  # no value anywhere
        return memoryview("".join(map(str, glued)).encode() * batch.num_rows)
    return content(pc.binary_join_element_wise(*glued, ""))


@dataclass(frozen=True, slots=True)
class Repeated:
    """A column of few values, each of them often.

    Attributes:
        texts: of the values.
        places: of each row among them.
    """

    texts: pa.Array
    places: pa.Array

    def between(self, before: str, after: str) -> "Repeated":
        """The same with more before and behind each value."""
        return Repeated(pc.binary_join_element_wise(before, self.texts, after, ""), self.places)

    def spread(self) -> pa.Array:
        """The text of each row."""
        return self.texts.take(self.places)


Piece: TypeAlias = str | pa.Array | Repeated
"""A part of each row: the same in all, one's own, or one of few."""

LEAST_ROWS = 512
"""With fewer, it takes longer to look for values that come again than to write all."""

LOOKED_AT = 8
"""Of so many rows one is looked at first: where all differ, the rest is not compared."""


def _after(part: str, column: pa.Array) -> list[Piece]:
    """A part and the column that stands behind it."""
    if column.null_count == len(column):
        return [part + "null"]
    repeated = _repeated(column)
    if repeated is not None:
        return [repeated.between(part, "")]
    bare = None if column.null_count else bare_text(column)
    if bare is None:
        text = json_text(column)
        return [part, pc.fill_null(text, "null") if text.null_count else text]
    # The quotes go with the parts: each join goes through all the text.
    return [part + '"', bare, '"']


def _repeated(column: pa.Array) -> Repeated | None:
    """The column by its values, where there are far fewer than rows; None where there are not."""
    kind = column.type
    if len(column) < LEAST_ROWS or not (pa.types.is_primitive(kind) or pa.types.is_string(kind)):
        return None
    first = column.slice(0, len(column) // LOOKED_AT)
    if _are_few(first.dictionary_encode()) and _are_few(found := column.dictionary_encode()):
        # One more, for the rows that have none.
        texts = pa.concat_arrays([json_text(found.dictionary), pa.array(["null"])])
        places = pc.fill_null(found.indices, len(found.dictionary))
        return Repeated(pc.fill_null(texts, "null"), places)
    return None


def _are_few(found: pa.DictionaryArray) -> bool:
    return 2 * len(found.dictionary) <= len(found)


def _glued(pieces: Sequence[Piece]) -> list[str | pa.Array]:
    """Fewer pieces: what is the same in all rows goes to values that are few, or to its like."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if isinstance(piece, str) and isinstance(last, str):
            found[-1] = last + piece
        elif isinstance(piece, str) and isinstance(last, Repeated):
            found[-1] = last.between("", piece)
        elif isinstance(piece, Repeated) and isinstance(last, str):
            found[-1] = piece.between(last, "")
        else:
            found.append(piece)
    return [piece.spread() if isinstance(piece, Repeated) else piece for piece in found]


def content(texts: pa.Array) -> memoryview:
    """All texts of an array, one after the other."""
    if len(texts) == 0:
        return memoryview(b"")
    # A row may have more text than an array of `string` can count.
    large = texts.cast(pa.large_string())
    _, offsets, data = large.buffers()
    ends = memoryview(offsets).cast("q")
    return memoryview(data)[ends[large.offset] : ends[large.offset + len(large)]]


def json_text(column: pa.Array) -> pa.Array:
    """Each value as JSON says it; null is null."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return json_text(column.storage)
    if pa.types.is_dictionary(kind):
        return json_text(column.cast(kind.value_type))
    if pa.types.is_floating(kind):
        finite, text = pc.is_finite(column), column.cast(pa.string())
        return text if finite.false_count == 0 else pc.if_else(finite, text, None)
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    bare = bare_text(column)
    if bare is not None:
        return pc.binary_join_element_wise('"', bare, '"', "")
    texts = [None if value is None else dump(value) for value in plain(column)]
    return pa.array(texts, pa.string())


def bare_text(column: pa.Array) -> pa.Array | None:
    """What stands between the quotes, of a column whose values are quoted and need no escapes."""
    kind = column.type
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return time_text(column)
    if (
        pa.types.is_string(kind)
        and not NEEDS_ESCAPE[np.frombuffer(content(column), np.uint8)].any()
    ):
        return column
    return None


def distinct(names: Sequence[str]) -> list[str]:
    """Names of which none comes twice.

    >>> distinct(["t", "n", "t"])
    ['t', 'n', 't_1']
    """
    found: dict[str, None] = {}
    for name in names:
        tried, number = name, 0
        while tried in found:
            number += 1
            tried = f"{name}_{number}"
        found[tried] = None
    return list(found)


def dump(value: object) -> str:
    """JSON without spaces.

    >>> dump({"a": [1, None]})
    '{"a":[1,null]}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
