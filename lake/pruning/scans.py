"""Each mention of a table in a query, with the filters that hold for every row read through it.

Filters come from the WHERE and ON clauses of the SELECT in whose FROM the mention stands, and from
those of queries around it as far as columns pass through as they are. Where a table is mentioned
more than once, or a CTE is, a file is needed if one of them needs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lake.pruning.columns import COLUMNS, Mention, Shared
from lake.pruning.filters import Filter, parts
from lake.pruning.passing import passing, reference, same_columns
from lake.pruning.sources import (
    ONE_SIDED,
    CommonTable,
    CommonTables,
    alias,
    by_key,
    common,
    makes_null,
    shared_below,
)
from lake.syntax import Node, nodes

HARMLESS_TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest", "repeat", "repeat_row"})
"""They read no table, unlike `query_table`, which is given its name."""

TABLE_FUNCTIONS = frozenset({"buckets"})
"""Ours: each is read like a view of its name."""

ROW_BY_ROW = frozenset({"REGULAR", "CROSS"})
"""Joins whose matches do not depend on rows that a later filter drops; ASOF's do."""

QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})

SOURCES = frozenset({"BASE_TABLE", "TABLE_FUNCTION", "SHOW_REF"})

MOST_VISITS = 1_000
"""Of queries within a query: a CTE is looked at once a mention, which may double at each level."""

MOST_STEPS = 300_000
"""Of the search for queries in a query's expressions, which is repeated at each visit; each takes
some microseconds of the caller's own process. The longest query that is read has less than half."""

MOST_CARRIED = 50_000
"""Nodes of filters that are brought down to a mention or read there, of all filters of a query:
beyond them, a filter tells nothing. Each takes some ten microseconds."""


@dataclass(frozen=True)
class Scan:
    """A mention of a view, and filters that all its rows must pass for the query to need them.

    Attributes:
        mention: tells what names in the filters mean.
        node: where it stands in the tree.
        filters: on its rows.
        at: its AT clause.
        arguments: where it is a table function.
    """

    mention: Mention
    node: Node
    filters: tuple[Filter, ...] = ()
    at: Node | None = None
    arguments: tuple[Node, ...] = ()


class NotUnderstoodError(Exception):
    """The query may read tables by names that it computes."""


def scans(tree: Node) -> list[Scan]:
    """Every mention of a view in a query.

    Raises:
        NotUnderstoodError: it may read any table.
    """
    walk = _Walk()
    for statement in tree["statements"]:
        walk.query(statement["node"], {}, [])
    # What the walk did not come by, it would not have understood.
    for node in nodes(tree):
        if str(node.get("type")) in SOURCES and id(node) not in walk.seen:
            walk.leaf(node, [], {})
    return walk.found


@dataclass
class _Walk:
    found: list[Scan] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    visits: int = 0
    steps: int = 0
    carried: int = 0

    def query(self, node: Node, tables: CommonTables, outer: list[Filter]) -> None:
        """A query whose result is filtered by `outer`, in the names of its own columns."""
        self.visits += 1
        if self.visits > MOST_VISITS:
            raise NotUnderstoodError
        for entry in (node.get("cte_map") or {}).get("map", []):
            table = CommonTable(entry["value"]["query_node"], tables)
            tables = {**tables, entry["key"].lower(): table}
        if node["type"] == "SELECT_NODE":
            self._select(node, tables, outer)
        elif node["type"] == "SET_OPERATION_NODE":
            passed = outer if same_columns(node) else []
            for child in node["children"]:
                self.query(child, tables, passed)
            self._inner(node["modifiers"], tables)
        else:
            self._inner([each for key, each in node.items() if key != "cte_map"], tables)

    def _select(self, node: Node, tables: CommonTables, outer: list[Filter]) -> None:
        inner = passing(node)
        filters = parts(node.get("where_clause"))
        filters += [each.inside(inner) for each in self._carry(outer)]
        if node.get("sample"):
            filters = []  # it picks among all rows, before WHERE
        self._source(node["from_table"], tables, filters, {})
        self._inner([each for key, each in node.items() if key not in _NOT_INNER], tables)

    def _inner(self, item: object, tables: CommonTables) -> None:
        """Queries inside expressions."""
        if isinstance(item, dict):
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise NotUnderstoodError
            kind = str(item.get("type"))  # of a sample, it is a node
            if kind in QUERIES:
                self.query(item, tables, [])
                return
            if kind in SOURCES | {"JOIN", "SUBQUERY"} and item.get("class") is None:
                self._source(item, tables, [], {})
                return
            for each in item.values():
                self._inner(each, tables)
        elif isinstance(item, list):
            for each in item:
                self._inner(each, tables)

    def _carry(self, filters: Sequence[Filter]) -> list[Filter]:
        """The filters, or none where enough has been made of filters."""
        for each in filters:
            if self.carried > MOST_CARRIED:
                return []
            self.carried += sum(1 for _ in nodes(each.node))
        return list(filters)

    def _source(
        self, node: Node, tables: CommonTables, filters: list[Filter], shared: Shared
    ) -> None:
        """A part of a FROM clause, of whose rows only those count that pass the filters."""
        if node.get("sample"):
            filters = []
        if node["type"] == "JOIN":
            self._join(node, tables, filters, shared)
        elif node["type"] == "SUBQUERY":
            mention = Mention(alias(node), shared=by_key(shared))
            self.query(
                node["subquery"]["node"], tables, _named(self._carry(filters), mention, node)
            )
        elif node["type"] == "BASE_TABLE" and (table := common(node, tables)):
            self.seen.add(id(node))
            mention = Mention(alias(node), shared=by_key(shared))
            self.query(table.query, table.tables, _named(self._carry(filters), mention, node))
        elif node["type"] in SOURCES:
            self.leaf(node, filters, shared)
            self._inner([node.get("function")], tables)
        else:
            self._inner(list(node.values()), tables)

    def _join(
        self, node: Node, tables: CommonTables, filters: list[Filter], shared: Shared
    ) -> None:
        kind, by_row = node["join_type"], node["ref_type"] in ROW_BY_ROW
        on = parts(node.get("condition"))
        if makes_null(node):
            filters = [each.through_outer() for each in self._carry(filters)]
        left = filters if kind in {"INNER", "LEFT", "SEMI", "ANTI"} else []
        right = filters if kind in {"INNER", "LEFT"} and by_row else []
        if kind == "LEFT":
            right = [each.through_outer() for each in self._carry(right)]
        if node["ref_type"] not in ROW_BY_ROW | {"ASOF"}:
            left, on = [], []
        # What stands right of SEMI may go by the name of another, with which columns are shared.
        if by_row and (kind == "INNER" or (kind == "SEMI" and not shared)):
            left = left + on
        if by_row and kind in {"INNER", "LEFT", "SEMI", "ANTI"}:
            right = right + on
        if by_row and kind in {"INNER", "LEFT"}:
            shared = shared_below(node, tables, shared)
        self._source(node["left"], tables, left, shared)
        self._source(node["right"], tables, right, {} if kind in ONE_SIDED else shared)
        self._inner(node.get("condition"), tables)

    def leaf(self, node: Node, filters: Sequence[Filter], shared: Shared) -> None:
        """A table or function that is read as it is."""
        self.seen.add(id(node))
        arguments: tuple[Node, ...] = ()
        if node["type"] == "BASE_TABLE":
            path = (node.get("qualified_name") or {}).get("path") or [node["table_name"]]
            view = path[-1].lower()
        elif node["type"] == "TABLE_FUNCTION":
            view = node["function"].get("function_name", "").lower()
            if view in HARMLESS_TABLE_FUNCTIONS:
                return
            if view not in TABLE_FUNCTIONS:
                raise NotUnderstoodError
            arguments = tuple(each["expression"] for each in node["function"]["arguments"])
        else:
            raise NotUnderstoodError
        if view in COLUMNS:
            # `FROM events AS e(a, time)`: this `time` may be another column.
            if node.get("column_name_alias") or node.get("sample"):
                filters = ()
            mention = Mention(alias(node) or view, view, shared)
            kept = tuple(self._carry(filters))
            self.found.append(Scan(mention, node, kept, node.get("at_clause"), arguments))


_NOT_INNER = frozenset({"cte_map", "from_table"})


def _named(filters: list[Filter], mention: Mention, node: Node) -> list[Filter]:
    """Filters on a subquery in the names of its columns, without its own name."""
    if node.get("column_name_alias"):
        return []

    def own(name: Node) -> Node | None:
        column = mention.column(name)
        return None if column is None else reference(column)

    return [each.inside(own) for each in filters]
