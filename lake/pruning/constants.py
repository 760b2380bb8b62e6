"""Values of constant expressions in a query: what a column is compared with."""

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from lake.pruning.conditions import EARLIEST, LATEST
from lake.syntax import Node, cast, evaluate, nodes, parse, parser

CLOCK = frozenset(
    {
        *("now", "today", "current_date", "current_timestamp"),
        *("get_current_timestamp", "transaction_timestamp"),
    }
)

HARMLESS = CLOCK | {
    *("+", "-", "*", "date_trunc", "trunc", "make_timestamp", "make_date", "to_timestamp"),
    *("to_seconds", "to_minutes", "to_hours", "to_days", "to_weeks", "to_months", "to_years"),
    *("epoch_ms", "epoch_us", "len", "list_value"),
}
"""Functions of constants that may be evaluated: cheap whatever they are given."""

INTERVAL = re.compile(
    r"(?:(-?\d+) years? ?)?(?:(-?\d+) months? ?)?(?:(-?\d+) days? ?)?"
    r"(?:-?(\d+):(\d+):(\d+(?:\.\d+)?))?"
)
"""How DuckDB shows an interval."""

PLAIN_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d(?P<time>[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?Z?)?", re.ASCII
)
"""A time whose text the engine and Python read alike."""

MOMENT_TYPES = frozenset({"TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"})

VARYING = frozenset({"COLUMN_REF", "SUBQUERY", "LAMBDA", "WINDOW", "STAR", "DEFAULT", "UNKNOWN"})
"""Expressions that are no constants."""

LONGEST_TEXT = 10_000
"""Of an expression's value; a filter with more is not worth pruning by."""

MOST_EVALUATIONS = 300
"""Of one query. Each takes a millisecond or two, in the caller's own process and outside of the
limits under which the query runs; a filter beyond them tells nothing."""


@dataclass(frozen=True)
class Constants:
    """Evaluates constants of one query, with the query's own parameters."""

    connection: duckdb.DuckDBPyConnection
    params: Mapping[str, object]
    _known: dict[str, str | None] = field(default_factory=dict)

    @property
    def exhausted(self) -> bool:
        """Whether no more is evaluated, except what was before."""
        return len(self._known) >= MOST_EVALUATIONS

    def once(self, key: object, value: Callable[[], str | None]) -> str | None:
        """What costs a call of the engine: at most once for a key, and so often in all."""
        name = json.dumps(key)
        if name not in self._known:
            if self.exhausted:
                return None
            self._known[name] = value()
        return self._known[name]

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

        def value() -> str | None:
            found = evaluate(self.connection, expression, "VARCHAR", used)
            return found if isinstance(found, str) and len(found) <= LONGEST_TEXT else None

        return self.once(expression, value)

    def moment(self, expression: Node) -> datetime | None:
        """Its value as a time in UTC."""
        moment = self._plain_moment(expression)
        if moment is None:
            # As text: fetching a TIMESTAMPTZ as an object needs a package that we do without.
            text = self.text(cast(expression, "TIMESTAMPTZ"))
            try:
                moment = None if text is None else datetime.fromisoformat(text)
            except ValueError:  # infinity, a year before the first
                return None
        return moment if moment is not None and EARLIEST < moment < LATEST else None

    def _plain_moment(self, expression: Node) -> datetime | None:
        """That of a text in full, which most are; None where the engine is to be asked."""
        kind = None
        if expression.get("type") == "OPERATOR_CAST":
            kind = str(expression["type_expr"].get("type_name")).upper()
            expression = expression["child"]
        text = self.literal(expression)
        found = None if text is None else PLAIN_MOMENT.fullmatch(text)
        if found is None or not (
            kind is None or kind in MOMENT_TYPES or (kind == "DATE" and found["time"] is None)
        ):
            return None
        try:
            moment = datetime.fromisoformat(found[0])
        except ValueError:
            return None
        return moment.replace(tzinfo=UTC)

    def reach(self, expression: Node) -> float | None:
        """At most how many seconds long it is where it is an interval, by the longest months."""
        text = self.text(cast(cast(expression, "INTERVAL"), "VARCHAR"))
        found = None if text is None else INTERVAL.fullmatch(text)
        if found is None:
            return None
        parts = [abs(float(each or 0)) for each in found.groups()]
        years, months, days, hours, minutes, seconds = parts
        days += 366 * years + 31 * months
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds

    def micros(self, expression: Node) -> int | None:
        """How long it is where it is an interval, as the engine says."""
        call = _micros_of()
        call["arguments"][0]["expression"]["child"] = expression
        text = self.text(call)
        return None if text is None else int(text)

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
        literal = expression.get("literal") or {}
        if literal.get("kind") == "BOOLEAN" and literal["text"] in {"true", "false"}:
            return bool(literal["text"] == "true")
        text = self.text(cast(expression, "BOOLEAN"))
        return None if text is None else text == "true"


def _micros_of() -> Node:
    node: Node = json.loads(_epoch_us())["statements"][0]["node"]["select_list"][0]
    return node


@functools.cache
def _epoch_us() -> str:
    with parser() as connection:
        return json.dumps(parse(connection, "SELECT epoch_us(CAST(NULL AS INTERVAL))"))


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
