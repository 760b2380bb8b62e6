"""Pages of a listing.

A cursor names the last row seen, so that pages neither repeat nor skip rows when new ones arrive.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import pyarrow as pa

from lake import Lake, TimeRange
from lake.timerange import from_micros, to_micros
from orchestration.errors import FilterError

Row = dict[str, Any]
MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, the cursor of the next page (None = this is the last), and the versions read."""

    rows: list[Row]
    next_cursor: str | None
    versions: Mapping[str, int]


def size(limit: int) -> int:
    """The rows of a page.

    Raises:
        FilterError: it is out of range.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise FilterError(f"limit is {limit}, must be 1 to {MAX_PAGE}")
    return limit


def page(
    lake: Lake,
    sql: str,
    params: Mapping[str, object],
    between: TimeRange | None,
    limit: int,
    key: tuple[str, str],
) -> Page:
    """The page that a query gives; it asks for one row more than the limit."""
    result = lake.query(sql, params, between=between)
    found = rows(result.rows)
    more = len(found) > limit
    found = found[:limit]
    cursor = _cursor(found[-1], key) if more else None
    return Page(found, cursor, result.versions)


def _cursor(row: Row, key: tuple[str, str]) -> str:
    first, name = key
    identity = row[name] if name in row else f"{row['uid']}:{row['count']}"
    place = row[first]
    text = json.dumps([to_micros(place) if isinstance(place, datetime) else place, identity])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def after(cursor: str | None) -> dict[str, object]:
    """Parameters of a query that goes on after a cursor.

    Raises:
        FilterError: no listing gave it.
    """
    found = _place(cursor, lambda micros: from_micros(int(micros)))
    return {"after_time": found[0], "after_id": found[1]}


def after_figure(cursor: str | None) -> dict[str, object]:
    """As `after`, of a listing that is in order of a figure.

    Raises:
        FilterError: no listing gave it.
    """
    found = _place(cursor, _figure)
    return {"after_figure": found[0], "after_id": found[1]}


def _figure(told: Any) -> float:
    if isinstance(told, bool) or not isfinite(figure := float(told)):
        raise ValueError(told)
    return figure


def _place(cursor: str | None, read: Callable[[Any], object]) -> tuple[object, str | None]:
    """What the last row of a page was in order of, and its identity."""
    if cursor is None:
        return None, None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place, identity = json.loads(base64.urlsafe_b64decode(padded))
        str(identity).encode()  # JSON can write half characters, which no query can take
        return read(place), str(identity)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise FilterError(f"cursor {cursor[:60]!r} is not one that a listing gave") from error


def rows(table: pa.Table) -> list[Row]:
    """Rows with times in UTC."""
    found: list[Row] = table.to_pylist()
    for row in found:
        for name, value in row.items():
            if isinstance(value, datetime):
                row[name] = value.astimezone(UTC)
    return found
