"""Arrow's values as what JSON can say: the same for SQL over HTTP and in the terminal."""

import base64
import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import QueryError


def plain(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column: no NaN or infinity (null), no bytes (base64), maps as dictionaries.

    >>> plain(pa.chunked_array([[1.5, float("nan")]]))
    [1.5, None]

    Raises:
        QueryError: it holds, nested, a time that Python cannot.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(
            pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        )
    if pa.types.is_decimal(kind):
        # Sums of integers come as decimals without a fraction.
        number = int if kind.scale == 0 else float
        return [None if value is None else number(value) for value in column.to_pylist()]
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(column), column, None).to_pylist()  # type: ignore[no-any-return]
    try:
        values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, OverflowError):
        # Nanoseconds, and times before the year 1 or after 9999.
        return _text(column)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return [_spelt(value) for value in values]
    return values


def _spelt(value: object) -> object:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [_spelt(item) for item in value]
        case dict():
            return {_spelt(key): _spelt(item) for key, item in value.items()}
    return value


def _text(column: pa.ChunkedArray) -> list[str | None]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp(column.type.unit))
    try:
        return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    except pa.ArrowNotImplementedError as error:
        raise QueryError(f"column of {column.type} holds a time that JSON cannot say") from error
