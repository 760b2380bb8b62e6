"""Each mention of a table in a query, with the filters that hold for every row read through it.

Filters come from the WHERE and ON clauses of the SELECT in whose FROM the mention stands, and from
those of queries around it as far as columns pass through as they are. Where a table is mentioned
more than once, or a CTE is, a file is needed if one of them needs it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lake.pruning.columns import ABOUT, COLUMNS, Mention, Shared, share
from lake.pruning.filters import Filter, parts
from lake.pruning.passing import passing, reference, same_columns
from lake.syntax import Node, nodes

HARMLESS_TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest", "repeat", "repeat_row"})
"""They read no table, unlike `query_table`, which is given its name."""

TABLE_FUNCTIONS = frozenset({"buckets"})
"""Ours: each is read like a view of its name."""

ROW_BY_ROW = frozenset({"REGULAR", "CROSS"})
"""Joins whose matches do not depend on rows that a later filter drops; ASOF's do."""

OUTER = frozenset({"LEFT", "RIGHT", "FULL"})
"""Joins that make rows of NULL."""

ONE_SIDED = frozenset({"SEMI", "ANTI"})
"""Joins of whose right side nothing can be named outside."""

QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})

SOURCES = frozenset({"BASE_TABLE", "TABLE_FUNCTION", "SHOW_REF"})

MOST_VISITS = 1_000
"""Of queries within a query: a CTE is looked at once a mention, which may double at each level."""


class CommonTable(NamedTuple):
    """A CTE, and those that it can see itself."""

    query: Node
    tables: "CommonTables"


CommonTables = Mapping[str, CommonTable]


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
        filters += [each.inside(inner) for each in outer]
        if node.get("sample"):
            filters = []  # it picks among all rows, before WHERE
        self._source(node["from_table"], tables, filters, {})
        self._inner([each for key, each in node.items() if key not in _NOT_INNER], tables)

    def _inner(self, item: object, tables: CommonTables) -> None:
        """Queries inside expressions."""
        if isinstance(item, dict):
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

    def _source(
        self, node: Node, tables: CommonTables, filters: list[Filter], shared: Shared
    ) -> None:
        """A part of a FROM clause, of whose rows only those count that pass the filters."""
        if node.get("sample"):
            filters = []
        if node["type"] == "JOIN":
            self._join(node, tables, filters, shared)
        elif node["type"] == "SUBQUERY":
            mention = Mention(_alias(node), shared=_by_key(shared))
            self.query(node["subquery"]["node"], tables, _named(filters, mention, node))
        elif node["type"] == "BASE_TABLE" and (table := _common(node, tables)):
            self.seen.add(id(node))
            mention = Mention(_alias(node), shared=_by_key(shared))
            self.query(table.query, table.tables, _named(filters, mention, node))
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
        if _makes_null(node):
            filters = [each.through_outer() for each in filters]
        left = filters if kind in {"INNER", "LEFT", "SEMI", "ANTI"} else []
        right = filters if kind in {"INNER", "LEFT"} and by_row else []
        if kind == "LEFT":
            right = [each.through_outer() for each in right]
        if node["ref_type"] not in ROW_BY_ROW | {"ASOF"}:
            left, on = [], []
        # What stands right of SEMI may go by the name of another, with which columns are shared.
        if by_row and (kind == "INNER" or (kind == "SEMI" and not shared)):
            left = left + on
        if by_row and kind in {"INNER", "LEFT", "SEMI", "ANTI"}:
            right = right + on
        if by_row and kind in {"INNER", "LEFT"}:
            shared = _shared(node, tables, shared)
        self._source(node["left"], tables, left, shared)
        self._source(node["right"], tables, right, {} if kind in ONE_SIDED else shared)
        self._inner(node.get("condition"), tables)

    def leaf(self, node: Node, filters: Iterable[Filter], shared: Shared) -> None:
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
            kept = () if node.get("column_name_alias") or node.get("sample") else tuple(filters)
            mention = Mention(_alias(node) or view, view, shared)
            self.found.append(Scan(mention, node, kept, node.get("at_clause"), arguments))


_NOT_INNER = frozenset({"cte_map", "from_table"})


def _alias(node: Node) -> str:
    return str(node.get("alias") or node.get("table_name") or "").lower()


def _common(node: Node, tables: CommonTables) -> CommonTable | None:
    path = (node.get("qualified_name") or {}).get("path") or []
    if len(path) > 1 or node.get("schema_name") or node.get("at_clause"):
        return None
    return tables.get(node["table_name"].lower())


def _by_key(shared: Shared) -> Shared:
    """What a subquery shares: it need not have the series' number by which the rest is shared."""
    return {name: others for name, others in shared.items() if name not in ABOUT}


def _named(filters: list[Filter], mention: Mention, node: Node) -> list[Filter]:
    """Filters on a subquery in the names of its columns, without its own name."""
    if node.get("column_name_alias"):
        return []

    def own(name: Node) -> Node | None:
        column = mention.column(name)
        return None if column is None else reference(column)

    return [each.inside(own) for each in filters]


def _shared(join: Node, tables: CommonTables, shared: Shared) -> Shared:
    """What the tables below this join share.

    Its USING columns, and all that is known of a series where that is joined by its number.
    """
    using = [name.lower() for name in join.get("using_columns") or []]
    sources = [each for each in _below(join) if each["type"] != "JOIN"]
    shared = share(shared, using, frozenset(_alias(each) for each in sources))
    series = frozenset(_alias(each) for each in sources if _is_series(each, tables))
    if "series_id" in using and series:
        shared = share(shared, list(ABOUT), series)
    return shared


def _makes_null(join: Node) -> bool:
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
    if source["type"] != "BASE_TABLE" or _common(source, tables) is not None:
        return False
    if source.get("at_clause") or source.get("column_name_alias") or source.get("schema_name"):
        return False
    path = (source.get("qualified_name") or {}).get("path") or []
    return len(path) <= 1 and str(source["table_name"]).lower() == "series"
