"""Filters of a query on their way down to what it reads."""

from typing import NamedTuple

from lake.pruning.passing import Passing, replaced
from lake.syntax import Node, nodes

STRICT_TYPES = frozenset(
    {
        *("COLUMN_REF", "VALUE_CONSTANT", "VALUE_PARAMETER", "CONJUNCTION_AND", "CONJUNCTION_OR"),
        *("COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_LESSTHAN", "COMPARE_GREATERTHAN"),
        *("COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHANOREQUALTO", "COMPARE_BETWEEN"),
        *("COMPARE_IN", "OPERATOR_NOT", "ARRAY_EXTRACT", "FUNCTION"),
    }
)

STRICT_FUNCTIONS = frozenset(
    {
        *("~~", "!~~", "~~*", "!~~*", "starts_with", "prefix", "^@", "ends_with", "suffix"),
        *("contains", "list_contains", "lower", "upper", "element_at", "map_contains"),
        *("~", "!~", "regexp_matches", "regexp_full_match", "map_extract_value"),
    }
)
"""Of NULL, they give NULL."""


class Filter(NamedTuple):
    """A condition that a row must satisfy for the query to need it.

    Attributes:
        node: the condition.
        exact: what does not satisfy it is not needed, whatever the condition is. Where not, only
            what rejects NULL may be concluded from: an outer join makes rows of NULL where it
            finds no others.
    """

    node: Node
    exact: bool = True

    def inside(self, names: Passing) -> "Filter":
        """In other names of the columns."""
        return Filter(replaced(self.node, names), self.exact)

    def through_outer(self) -> "Filter":
        """From above an outer join, on what is below it.

        Leaving out the rows that do not satisfy the filter has the join make a row of NULL instead.
        A strict filter that is true of that is true of every row of the same key, since AND, OR
        and NOT that give a truth from an unknown part give it from any value of the part: so none
        was left out. `IS NULL` is true of it alone.
        """
        return Filter(self.node, self.exact and strict(self.node))


def strict(filter_: Node) -> bool:
    """Whether it is unknown where a column that it depends on is NULL.

    >>> pod = {"class": "COLUMN_REF", "type": "COLUMN_REF", "column_names": ["pod"]}
    >>> strict({"class": "OPERATOR", "type": "OPERATOR_NOT", "children": [pod]})
    True
    >>> strict({"class": "OPERATOR", "type": "OPERATOR_IS_NULL", "children": [pod]})
    False
    """
    return all(
        node["type"] in STRICT_TYPES
        and (node["type"] != "FUNCTION" or node["function_name"].lower() in STRICT_FUNCTIONS)
        for node in nodes(filter_)
        if node.get("class") is not None
    )


def parts(condition: Node | None) -> list[Filter]:
    """The conditions that must all hold for this one to."""
    if condition is None:
        return []
    if condition.get("type") != "CONJUNCTION_AND":
        return [Filter(condition)]
    return [part for child in condition["children"] for part in parts(child)]
