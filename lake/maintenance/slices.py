"""Cutting the rows of many sorted files into ranges that fit into memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa

from lake.views import quote


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows whose slice expressions lie between two tuples of values, both inclusive."""

    first: tuple[object, ...]
    last: tuple[object, ...]


def slices(groups: pa.Table, most: int) -> Iterator[Slice]:
    """Ranges of at most `most` rows, in order, that hold every group once.

    A group that is larger stands alone.

    Args:
        groups: the values of each group, in order, and last its number of rows.
        most: rows of a range.
    """
    counts = groups.column(groups.num_columns - 1).to_numpy()
    ends = np.cumsum(counts)
    begin, done = 0, 0
    while begin < len(ends):
        end = max(begin + 1, int(np.searchsorted(ends, done + most, side="right")))
        yield Slice(_values(groups, begin), _values(groups, end - 1))
        begin, done = end, int(ends[end - 1])


def _values(groups: pa.Table, row: int) -> tuple[object, ...]:
    return tuple(groups.column(i)[row].as_py() for i in range(groups.num_columns - 1))


def condition(expressions: Sequence[str], part: Slice) -> str:
    """The SQL predicate of a range.

    The bounds of single columns are implied by that of the tuple; DuckDB skips row groups by them.

    >>> condition(("cluster", "series_id"), Slice(("eu", 1), ("eu", 5)))
    "cluster = 'eu' AND series_id BETWEEN 1 AND 5"
    """
    terms = []
    for i, expression in enumerate(expressions):
        low, high = _literal(part.first[i]), _literal(part.last[i])
        if low != high:
            terms.append(f"{expression} BETWEEN {low} AND {high}")
            rest = expressions[i:]
            if len(rest) > 1:
                row = f"row({', '.join(rest)})"
                terms.append(f"{row} >= row({', '.join(map(_literal, part.first[i:]))})")
                terms.append(f"{row} <= row({', '.join(map(_literal, part.last[i:]))})")
            break
        terms.append(f"{expression} = {low}")
    return " AND ".join(terms)


def _literal(value: object) -> str:
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ {quote(value.isoformat())}"
    return quote(value) if isinstance(value, str) else str(value)


def grouped(
    connection: duckdb.DuckDBPyConnection, source: str, expressions: Sequence[str]
) -> pa.Table:
    """Each group's values, in order, and its number of rows."""
    names = ", ".join(expressions)
    query = f"SELECT {names}, count(*) AS n FROM {source} GROUP BY ALL ORDER BY {names}"
    return connection.sql(query).to_arrow_table()
