"""A filter of a query as a condition on a table's files."""

from contextlib import suppress
from datetime import datetime, time, timedelta

from lake.pruning.columns import COLUMNS, Mention
from lake.pruning.conditions import (
    ALWAYS,
    EARLIEST,
    LATEST,
    NEVER,
    Condition,
    Prefix,
    Texts,
    Times,
    either,
    every,
)
from lake.pruning.constants import Constants, grows, reads_clock
from lake.syntax import Node
from lake.timerange import DAY, MICROSECOND

SLACK = timedelta(minutes=1)
"""Delta's statistics are not exact to the microsecond, and clocks are set back."""

EQUAL = "COMPARE_EQUAL"
ABOVE = frozenset({"COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO"})
BELOW = frozenset({"COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO"})
LEAST, MOST = "COMPARE_GREATERTHANOREQUALTO", "COMPARE_LESSTHANOREQUALTO"

FLIPPED = {
    "COMPARE_GREATERTHAN": "COMPARE_LESSTHAN",
    "COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
    "COMPARE_LESSTHAN": "COMPARE_GREATERTHAN",
    "COMPARE_LESSTHANOREQUALTO": "COMPARE_GREATERTHANOREQUALTO",
    EQUAL: EQUAL,
}

LIKE = "~~"
STARTS = frozenset({"starts_with", "prefix", "^@"})
CONTAINS = frozenset({"contains", "list_contains", "list_has", "array_contains", "array_has"})


class Leaves:
    """Reads filters for one mention of a view."""

    def __init__(
        self,
        mention: Mention,
        constants: Constants,
        before: timedelta = SLACK,
        after: timedelta = SLACK,
    ) -> None:
        """Of rows whose files may be as much before or after them as is said."""
        assert mention.view is not None  # noqa: S101 - a subquery has no files
        self._mention = mention
        self._kinds = COLUMNS[mention.view]
        self._constants = constants
        self._before = before
        self._after = after

    def condition(self, node: Node) -> Condition:
        """What a file must satisfy for a row of it to pass the filter; ALWAYS if not understood.

        Only what holds for a filter that is true is used, so that NULL needs no thought; a NOT is
        not looked into.
        """
        kind = str(node.get("type"))
        if kind == "CONJUNCTION_AND":
            return every(self.condition(child) for child in node["children"])
        if kind == "CONJUNCTION_OR":
            return either(self.condition(child) for child in node["children"])
        if kind == "COMPARE_BETWEEN":
            return every(
                [
                    self._compare(LEAST, node["input"], node["lower"]),
                    self._compare(MOST, node["input"], node["upper"]),
                ]
            )
        if kind in FLIPPED:
            found = self._compare(kind, node["left"], node["right"])
            if found == ALWAYS:
                found = self._compare(FLIPPED[kind], node["right"], node["left"])
            if found != ALWAYS:
                return found
        if kind == "COMPARE_IN":
            subject, *values = node["children"]
            return either(self._compare(EQUAL, subject, value) for value in values)
        if node.get("class") == "FUNCTION":
            return self._function(node)
        return self._constant(node)

    def _constant(self, node: Node) -> Condition:
        """`false` and the like: a query that leaves a filter out by a parameter has them."""
        if reads_clock(node):
            return ALWAYS
        return NEVER if self._constants.truth(node) is False else ALWAYS

    def _function(self, node: Node) -> Condition:
        name = node["function_name"].lower()
        arguments = [argument["expression"] for argument in node["arguments"]]
        if len(arguments) != 2:
            return ALWAYS
        one, other = arguments
        if name in CONTAINS and self._kind(other) == "text":
            values = self._constants.texts(one)
            if values is not None:
                return either(Texts(_name(other), value, value) for value in values)
        if (name == LIKE or name in STARTS) and self._kind(one) == "text":
            text = self._constants.literal(other)
            if text is not None:
                return _like(_name(one), text) if name == LIKE else Prefix(_name(one), text)
        return ALWAYS

    def _compare(self, kind: str, subject: Node, value: Node) -> Condition:
        what = self._kind(subject)
        if what == "time":
            return self._time(kind, value)
        if what == "day":
            return self._day(kind, value)
        if what == "text":
            return self._text(_name(subject), kind, value)
        if (
            subject.get("type") == "OPERATOR_CAST"
            and subject["type_expr"].get("type_name", "").upper() == "DATE"
            and self._kind(subject["child"]) == "time"
        ):
            return self._day(kind, value)
        return ALWAYS

    def _kind(self, node: Node) -> str | None:
        """How the column that the node names tells of files."""
        if node.get("type") != "COLUMN_REF":
            return None
        column = self._mention.column(node)
        return None if column is None else self._kinds.get(column)

    def _text(self, column: str, kind: str, value: Node) -> Condition:
        # A number would have the column compared as numbers.
        text = self._constants.literal(value)
        if text is None:
            return ALWAYS
        low = text if kind == EQUAL or kind in ABOVE else ""
        high = text if kind == EQUAL or kind in BELOW else None
        return Texts(column, low, high)

    def _time(self, kind: str, value: Node) -> Condition:
        kind, moment = self._bound(kind, value)
        return ALWAYS if moment is None else self._times(kind, moment, moment)

    def _day(self, kind: str, value: Node) -> Condition:
        """Of a date, or of a time whose day alone counts."""
        kind, moment = self._bound(kind, value)
        if moment is None:
            return ALWAYS
        midnight = datetime.combine(moment, time(), moment.tzinfo)
        last = midnight + DAY - MICROSECOND
        if (self._before, self._after) != (SLACK, SLACK):
            return self._times(kind, midnight, last)
        lower = midnight if kind == EQUAL or kind in ABOVE else EARLIEST
        upper = last if kind == EQUAL or kind in BELOW else LATEST
        return Times(lower, upper, by_day=True)

    def _times(self, kind: str, first: datetime, last: datetime) -> Condition:
        lower = upper = None
        with suppress(OverflowError):  # before the first year, or after the last
            lower = first - self._before if kind == EQUAL or kind in ABOVE else None
            upper = last + self._after if kind == EQUAL or kind in BELOW else None
        return Times(max(lower or EARLIEST, EARLIEST), min(upper or LATEST, LATEST))

    def _bound(self, kind: str, value: Node) -> tuple[str, datetime | None]:
        if reads_clock(value):
            # It is later when the query runs, perhaps by a day: no upper bound.
            if kind in BELOW or not grows(value):
                return kind, None
            kind = LEAST
        return kind, self._constants.moment(value)


def _name(reference: Node) -> str:
    return str(reference["column_names"][-1]).lower()


def _like(column: str, pattern: str) -> Condition:
    """A pattern's beginning: what stands before its first wildcard."""
    if "\\" in pattern:
        return ALWAYS
    literal = pattern.split("%")[0].split("_")[0]
    return Texts(column, pattern, pattern) if literal == pattern else Prefix(column, literal)
