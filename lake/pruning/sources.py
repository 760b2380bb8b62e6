"""What stands in a FROM clause: tables by their names, and which columns a join says are one."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lake.pruning.columns import ABOUT, Shared, share
from lake.syntax import Node

OUTER = frozenset({"LEFT", "RIGHT", "FULL"})
"""Joins that make rows of NULL."""

ONE_SIDED = frozenset({"SEMI", "ANTI"})
"""Joins of whose right side nothing can be named outside."""


class CommonTable(NamedTuple):
    """A CTE, and those that it can see itself."""

    query: Node
    tables: "CommonTables"


CommonTables = Mapping[str, CommonTable]


def alias(node: Node) -> str:
    """The name that it goes by."""
    return str(node.get("alias") or node.get("table_name") or "").lower()


def common(node: Node, tables: CommonTables) -> CommonTable | None:
    """The CTE that a table's name means; None where it means a table or view."""
    path = (node.get("qualified_name") or {}).get("path") or []
    if len(path) > 1 or node.get("schema_name") or node.get("at_clause"):
        return None
    return tables.get(node["table_name"].lower())


def shared_below(join: Node, tables: CommonTables, shared: Shared) -> Shared:
    """What the tables below this join share.

    Its USING columns, and all that is known of a series where that is joined by its number.
    """
    using = [name.lower() for name in join.get("using_columns") or []]
    sources = [each for each in _below(join) if each["type"] != "JOIN"]
    shared = share(shared, using, frozenset(alias(each) for each in sources))
    series = frozenset(alias(each) for each in sources if _is_series(each, tables))
    if "series_id" in using and series:
        shared = share(shared, list(ABOUT), series)
    return shared


def makes_null(join: Node) -> bool:
    """Whether a column may be NULL where another that it is said to be the same as is not."""
    joins = [each for each in _below(join) if each["type"] == "JOIN"]
    return any(each["join_type"] in OUTER for each in joins) and any(
        each.get("using_columns") for each in joins
    )


def _below(source: Node) -> Iterator[Node]:
    """What stands in a FROM clause itself, as far as it can be named outside, with its joins."""
    yield source
    if source["type"] == "JOIN":
        yield from _below(source["left"])
        if source["join_type"] not in ONE_SIDED:
            yield from _below(source["right"])


def _is_series(source: Node, tables: CommonTables) -> bool:
    """Whether it is the view of the lake, as it is now, with its own names of columns."""
    if source["type"] != "BASE_TABLE" or common(source, tables) is not None:
        return False
    if source.get("at_clause") or source.get("column_name_alias") or source.get("schema_name"):
        return False
    path = (source.get("qualified_name") or {}).get("path") or []
    return len(path) <= 1 and str(source["table_name"]).lower() == "series"


def by_key(shared: Shared) -> Shared:
    """What a subquery shares: it need not have the series' number by which the rest is shared."""
    return {name: others for name, others in shared.items() if name not in ABOUT}
