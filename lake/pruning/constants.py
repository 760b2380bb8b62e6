"""Values of constant expressions in a query: what a column is compared with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb

from lake.pruning.conditions import EARLIEST, LATEST
from lake.syntax import Node, cast, evaluate, nodes

CLOCK = frozenset(
    {
        *("now", "today", "current_date", "current_timestamp"),
        *("get_current_timestamp", "transaction_timestamp"),
    }
)

HARMLESS = CLOCK | {
    *("+", "-", "*", "date_trunc", "trunc", "make_timestamp", "make_date", "to_timestamp"),
    *("to_seconds", "to_minutes", "to_hours", "to_days", "to_weeks", "to_months", "to_years"),
    *("epoch_ms", "len", "list_value"),
}
"""Functions of constants that may be evaluated: cheap whatever they are given."""

INTERVAL = re.compile(
    r"(?:(-?\d+) years? ?)?(?:(-?\d+) months? ?)?(?:(-?\d+) days? ?)?"
    r"(?:(-?\d+):(\d+):(\d+(?:\.\d+)?))?"
)
"""How DuckDB shows an interval."""

VARYING = frozenset({"COLUMN_REF", "SUBQUERY", "LAMBDA", "WINDOW", "STAR", "DEFAULT", "UNKNOWN"})
"""Expressions that are no constants."""

LONGEST_TEXT = 10_000
"""Of an expression's value; a filter with more is not worth pruning by."""


@dataclass(frozen=True)
class Constants:
    """Evaluates constants of one query, with the query's own parameters."""

    connection: duckdb.DuckDBPyConnection
    params: Mapping[str, object]

    def text(self, expression: Node) -> str | None:
        """Its value as text; None where it has none, is no constant or not worth the work."""
        used = {}
        for node in nodes(expression):
            kind = node.get("class")
            if kind in VARYING:
                return None
            if kind == "PARAMETER":
                if node["identifier"] not in self.params:
                    return None
                used[node["identifier"]] = self.params[node["identifier"]]
            if kind == "FUNCTION" and node["function_name"].lower() not in HARMLESS:
                return None
        value = evaluate(self.connection, expression, "VARCHAR", used)
        return value if isinstance(value, str) and len(value) <= LONGEST_TEXT else None

    def moment(self, expression: Node) -> datetime | None:
        """Its value as a time in UTC."""
        # As text: fetching a TIMESTAMPTZ as a Python object needs a package that we do without.
        text = self.text(cast(expression, "TIMESTAMPTZ"))
        try:
            moment = None if text is None else datetime.fromisoformat(text)
        except ValueError:  # infinity, a year before the first
            return None
        return moment if moment is not None and EARLIEST < moment < LATEST else None

    def seconds(self, expression: Node) -> float | None:
        """Its value where it is an interval; a month counts as the longest there are."""
        text = self.text(cast(cast(expression, "INTERVAL"), "VARCHAR"))
        found = None if text is None else INTERVAL.fullmatch(text)
        if found is None:
            return None
        years, months, days, hours, minutes, seconds = (float(each or 0) for each in found.groups())
        days += 366 * years + 31 * months
        return abs(((days * 24 + hours) * 60 + minutes) * 60 + seconds)

    def literal(self, expression: Node) -> str | None:
        """Its value where it is a text as it stands, or a text that was handed in."""
        if expression.get("class") == "PARAMETER":
            value = self.params.get(expression["identifier"])
        else:
            literal = expression.get("literal") or {}
            value = literal["text"] if literal.get("kind") == "STRING" else None
        return value if isinstance(value, str) and len(value) <= LONGEST_TEXT else None

    def texts(self, expression: Node) -> list[str] | None:
        """Its value where it is a list of texts that was handed in as a parameter."""
        if expression.get("class") != "PARAMETER":
            return None
        value = self.params.get(expression["identifier"])
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            return None
        return list(value)

    def truth(self, expression: Node) -> bool | None:
        """Its value where it is a truth; SQL's NULL is not told from what is no constant."""
        text = self.text(cast(expression, "BOOLEAN"))
        return None if text is None else text == "true"


def reads_clock(expression: object) -> bool:
    """Whether the value depends on when the query runs."""
    return any(
        node.get("class") == "FUNCTION" and node["function_name"].lower() in CLOCK
        for node in nodes(expression)
    )


def grows(expression: Node) -> bool:
    """Whether the value cannot fall as the clock goes on."""
    return not any(
        (node["function_name"] == "*" and reads_clock(node))
        or (node["function_name"] == "-" and reads_clock(node["arguments"][-1]))
        for node in nodes(expression)
        if node.get("class") == "FUNCTION"
    )
