"""Rows of a listing, written for other programs: all pages of it, as JSON or CSV."""

import csv
import io
import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from orchestration.steps import paging
from orchestration.steps.paging import Page, Row

FORMULA, BLANK = ("=", "+", "-", "@"), ("\t", "\r")


def all_pages(read: Callable[[int, str | None], Page], most: int | None = None) -> list[Row]:
    """Rows of all pages, or so many.

    Args:
        read: gives the page of a limit and a cursor.
        most: rows, at most a page; None = all.
    """
    rows: list[Row] = []
    cursor = None
    while True:
        page = read(min(most or paging.MAX_PAGE, paging.MAX_PAGE), cursor)
        rows += page.rows
        cursor = page.next_cursor
        if cursor is None or most is not None:
            return rows


def as_csv(
    rows: Sequence[Row], names: Sequence[str], json_columns: Collection[str] = frozenset()
) -> str:
    """A line a row, JSON within a cell where a column has it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        told = {name: json.dumps(row[name]) for name in json_columns if row[name] is not None}
        writer.writerow({name: told.get(name, _cell(value)) for name, value in row.items()})
    return text.getvalue()


def as_json(rows: Sequence[Row]) -> str:
    """One list."""
    return json.dumps(rows, default=_text, indent=2) + "\n"


def _cell(value: object) -> object:
    """A cell of a spreadsheet, which would take some texts for formulas.

    Names come from strangers' clusters.

    >>> _cell("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    """
    if isinstance(value, str) and (value[:1] in BLANK or value.lstrip()[:1] in FORMULA):
        return f"'{value}"
    return _text(value) if isinstance(value, datetime) else value


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
