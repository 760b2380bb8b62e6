"""The guard for SQL from outside: one SELECT over the lake's views, decided on the syntax tree.

DuckDB's own locks (`allowed_paths`, `lock_configuration`) still let any function run, the catalog
be read and `COPY … TO` write over the files that may be read. So the statement's type is checked
first, and then every node of its tree against what is known to be harmless: kinds of nodes (below),
functions (`lake/functions.py`), tables (the views). What is not known, is refused.
"""

import functools
from collections.abc import Collection, Iterator
from string import ascii_lowercase, ascii_uppercase

import duckdb

from lake.errors import QueryError, QueryNotAllowedError
from lake.functions import FUNCTIONS, TABLE_FUNCTIONS
from lake.macros import MACROS
from lake.syntax import Node, parse, parser
from lake.views import view_names

MOST_TOKENS = 30_000
"""Words, numbers and signs of a query. The tree of a million of them takes a gigabyte and half a
minute, in the caller's process; a list of ten thousand values still fits."""

QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})

SOURCES = frozenset(
    {
        *("BASE_TABLE", "TABLE_FUNCTION", "SUBQUERY", "JOIN", "PIVOT"),
        *("EXPRESSION_LIST", "EMPTY"),
    }
)

MODIFIERS = frozenset(
    {
        *("ORDER_MODIFIER", "LIMIT_MODIFIER", "DISTINCT_MODIFIER"),
        *("ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
    }
)

HARMLESS = QUERIES | SOURCES | MODIFIERS
"""Kinds of nodes that are no expressions. INSERT, COPY and the like may stand in a WITH, and count
as part of the SELECT; DESCRIBE and SUMMARIZE may stand in a FROM."""

EXPRESSIONS = frozenset(
    {
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION"),
        *("CONSTANT", "FUNCTION", "LAMBDA", "LAMBDA_REF", "OPERATOR", "PARAMETER"),
        *("POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW"),
    }
)
"""Classes of nodes that are expressions."""

CALLS = frozenset({"FUNCTION", "WINDOW"})

CALLABLE = FUNCTIONS | {*MACROS, "unnest"}
"""`unnest` in a SELECT list is the binder's own: no function of the catalogue."""

TABLE_CALLABLE = TABLE_FUNCTIONS | {"buckets"}

LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)

RULE = "send one SELECT over " + ", ".join(sorted(view_names()))


def check_select(sql: str, more_tables: Collection[str] = ()) -> str:
    """The SQL, if it is one SELECT (CTEs and set operations included) over the lake's views.

    >>> check_select("SELECT count(*) FROM samples")
    'SELECT count(*) FROM samples'
    >>> check_select("COPY samples TO 'x'")
    Traceback (most recent call last):
    lake.errors.QueryNotAllowedError: statement is COPY: send one SELECT over advice, ...

    Args:
        sql: what came.
        more_tables: names in lower case that it may read besides the views.

    Raises:
        QueryError: the SQL does not parse.
        QueryNotAllowedError: it parses but is something else, or names what it may not.
    """
    tables = view_names() | frozenset(more_tables)
    if len(sql) <= LONGEST_KEPT:
        _passed(sql, tables)
    else:
        _walk(sql, tables)
    return sql


LONGEST_KEPT = 4_000
"""Characters of a query that is remembered if it passed: a dashboard sends the same all day."""


def _walk(sql: str, tables: frozenset[str]) -> None:
    for node, local_names in _scoped(_tree(sql)):
        _check(node, tables | local_names)


_passed = functools.lru_cache(maxsize=256)(_walk)


def _tree(sql: str) -> Node:
    tokens = len(duckdb.tokenize(sql))
    if tokens > MOST_TOKENS:
        raise QueryNotAllowedError(
            f"query has {tokens} words and signs, at most {MOST_TOKENS} are read: shorten it"
        )
    with parser() as connection:
        try:
            statements = connection.extract_statements(sql)
        except duckdb.Error as error:
            raise QueryError(str(error)) from error
        if len(statements) != 1:
            raise QueryNotAllowedError(f"{len(statements)} statements: {RULE}")
        kind = _kind(statements[0])
        if kind != duckdb.StatementType.SELECT.name:
            raise QueryNotAllowedError(f"statement is {kind}: {RULE}")
        try:
            tree = parse(connection, statements[0].query)
        except RecursionError as error:
            raise QueryNotAllowedError(f"statement is nested too deeply: {RULE}") from error
    if tree is None:
        # SHOW and the like count as SELECT for the parser but have no tree.
        raise QueryNotAllowedError(f"statement is no plain SELECT: {RULE}")
    return tree


def _kind(statement: duckdb.Statement) -> str:
    try:
        return str(statement.type.name)
    except ValueError:  # the parser knows more than Python's names for it, UPDATE EXTENSIONS say
        return "of another kind"


def _scoped(tree: Node) -> Iterator[tuple[Node, frozenset[str]]]:
    """Every node with the names of the CTEs in whose scope it stands.

    A CTE sees those before it, and the second member of a recursive one sees itself; the query
    sees them all. The function of a table function is told by that node alone.
    """
    stack: list[tuple[object, frozenset[str]]] = [(tree, frozenset())]
    while stack:
        item, names = stack.pop()
        if isinstance(item, dict):
            for entry in (item.get("cte_map") or {}).get("map", []):
                stack.append((entry["value"], names))
                names |= {_folded(entry["key"])}
            yield item, names
            kind = item.get("type")
            for key, child in item.items():
                if kind == "RECURSIVE_CTE_NODE" and key == "right":
                    stack.append((child, names | {_folded(item["cte_name"])}))
                elif kind == "TABLE_FUNCTION" and key == "function":
                    stack.append((list(child.values()), names))
                elif key != "cte_map":
                    stack.append((child, names))
        elif isinstance(item, list):
            stack.extend((child, names) for child in item)


def _check(node: Node, tables: frozenset[str]) -> None:
    kind, expression = node.get("type"), node.get("class")
    if expression is not None:
        if expression not in EXPRESSIONS:
            raise QueryNotAllowedError(f"{expression} in an expression is not allowed: {RULE}")
        if expression in CALLS:
            _check_names(node, "function", CALLABLE)
    elif isinstance(kind, str):
        if kind not in HARMLESS:
            what = kind.removesuffix("_NODE").removesuffix("_REF")
            raise QueryNotAllowedError(f"{what} inside a query is not allowed: {RULE}")
        if kind == "BASE_TABLE":
            _check_table(node, tables)
        elif kind == "TABLE_FUNCTION":
            _check_names(node["function"], "table function", TABLE_CALLABLE)


def _check_names(call: Node, what: str, known: frozenset[str]) -> None:
    """Whether a call, however it is qualified, is of a known function."""
    path = [_folded(part) for part in (call.get("qualified_name") or {}).get("path", [])]
    for name in {_folded(call.get("function_name", "")), *path[-1:]}:
        if name not in known:
            raise QueryNotAllowedError(f"{what} {name!r} is not allowed: {RULE}")


def _folded(name: object) -> str:
    """The name as DuckDB compares it: `str.lower` would also make one of `K` (Kelvin) and `k`."""
    return str(name).translate(LOWER)


def _check_table(node: Node, known: frozenset[str]) -> None:
    path = [_folded(part) for part in (node.get("qualified_name") or {}).get("path", [])]
    name = path[-1] if path else _folded(node.get("table_name", ""))
    plain = len(path) <= 1 and not node.get("schema_name") and not node.get("catalog_name")
    if not plain or name not in known:
        raise QueryNotAllowedError(f"table {'.'.join(path) or name!r} is not allowed: {RULE}")
