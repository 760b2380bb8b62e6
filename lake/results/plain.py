"""Arrow's values as what JSON can say: the same for SQL over HTTP and in the terminal."""

import base64
import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import QueryError
from lake.results.times import duration_text, time_text


def plain(column: pa.Array) -> list[Any]:
    """The values of a column as texts, numbers, booleans, lists and dictionaries with text keys.

    NaN and the infinities are None, times RFC 3339, bytes base64, maps dictionaries (the last of
    equal keys counts), integers of any size whole, other decimals the nearest double.

    >>> plain(pa.array([1.5, float("nan")]))
    [1.5, None]

    Raises:
        QueryError: it holds, nested, a time that Python cannot.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(column.storage)
    if pa.types.is_dictionary(kind):
        return plain(column.cast(kind.value_type))
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(column), column, None).to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return time_text(column).to_pylist()  # type: ignore[no-any-return]
    try:
        values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, OverflowError) as error:
        raise QueryError(
            f"column of {kind} holds a time that cannot be told inside another value: "
            "select it as a column of its own, or cast it to VARCHAR"
        ) from error
    if is_scalar(kind):
        return values
    return [_spelt(value) for value in values]


def is_scalar(kind: pa.DataType) -> bool:
    """Whether its Python values are JSON's own, whatever they are."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )


def _spelt(value: object) -> Any:
    match value:
        case pa.MonthDayNano():
            return duration_text(value)
        case bytes():
            return base64.b64encode(value).decode()
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            # Sums of integers come as decimals without a fraction.
            return int(value) if value.as_tuple().exponent == 0 else float(value)
        case list():
            return [_spelt(item) for item in value]
        case dict():
            return {_key(key): _spelt(item) for key, item in value.items()}
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
    return value


def _key(value: object) -> str:
    plain_key = _spelt(value)
    return plain_key if isinstance(plain_key, str) else str(value)
