"""The guard for SQL from outside: one SELECT over the lake's views, decided on the syntax tree.

DuckDB's own locks (`allowed_paths`, `lock_configuration`) still let any function run, the catalog
be read and `COPY … TO` write over the files that may be read. So the statement's type is checked
first, and then every table, table function and scalar function that its tree names.
"""

from collections.abc import Iterator
from string import ascii_lowercase, ascii_uppercase

import duckdb

from lake.errors import QueryError, QueryNotAllowedError
from lake.syntax import Node, parse, parser
from lake.views import view_names

TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest", "repeat"})
"""Table functions that compute rows from their arguments alone."""

QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
"""Parts of the tree that only read; every other `…_NODE` (INSERT, DELETE, COPY) does more."""

FORBIDDEN_FUNCTIONS = frozenset(
    {
        # They read the process, its settings or its files, or run SQL that was never parsed.
        "current_setting",
        "getenv",
        "getvariable",
        "json_execute_serialized_sql",
        "json_serialize_plan",
        "nextval",
        "currval",
        "query",
        "query_table",
        "read_blob",
        "read_text",
        "which_secret",
        "write_log",
        "current_database",
        "current_schemas",
        "pg_sleep",
        "sleep_ms",
        "pg_read_file",
        "duckdb_secrets",
    }
)

LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)

RULE = "send one SELECT over " + ", ".join(sorted(view_names()))


def check_select(sql: str) -> str:
    """The SQL, if it is one SELECT (CTEs and set operations included) over the lake's views.

    >>> check_select("SELECT count(*) FROM samples")
    'SELECT count(*) FROM samples'
    >>> check_select("COPY samples TO 'x'")
    Traceback (most recent call last):
    lake.errors.QueryNotAllowedError: statement is COPY: send one SELECT over anomalies, ...

    Raises:
        QueryError: the SQL does not parse.
        QueryNotAllowedError: it parses but is something else, or names what it may not.
    """
    with parser() as connection:
        try:
            statements = connection.extract_statements(sql)
        except duckdb.Error as error:
            raise QueryError(str(error)) from error
        if len(statements) != 1:
            raise QueryNotAllowedError(f"{len(statements)} statements: {RULE}")
        kind = statements[0].type
        if kind != duckdb.StatementType.SELECT:
            raise QueryNotAllowedError(f"statement is {kind.name}: {RULE}")
        try:
            tree = parse(connection, statements[0].query)
        except RecursionError as error:
            raise QueryNotAllowedError(f"statement is nested too deeply: {RULE}") from error
    if tree is None:
        # SHOW, DESCRIBE and SUMMARIZE count as SELECT for the parser but have no tree.
        raise QueryNotAllowedError(f"statement is no plain SELECT: {RULE}")
    for node, local_names in _scoped(tree):
        _check(node, local_names)
    return sql


def _scoped(tree: Node) -> Iterator[tuple[Node, frozenset[str]]]:
    """Every node with the names of the CTEs in whose scope it stands.

    A CTE sees those before it, and the second member of a recursive one sees itself; the query
    sees them all.
    """
    stack: list[tuple[object, frozenset[str]]] = [(tree, frozenset())]
    while stack:
        item, names = stack.pop()
        if isinstance(item, dict):
            for entry in (item.get("cte_map") or {}).get("map", []):
                stack.append((entry["value"], names))
                names |= {_folded(entry["key"])}
            yield item, names
            recursive = item.get("type") == "RECURSIVE_CTE_NODE"
            for key, child in item.items():
                if recursive and key == "right":
                    stack.append((child, names | {_folded(item["cte_name"])}))
                elif key != "cte_map":
                    stack.append((child, names))
        elif isinstance(item, list):
            stack.extend((child, names) for child in item)


def _check(node: Node, local_names: frozenset[str]) -> None:
    kind = str(node.get("type"))
    if kind == "BASE_TABLE":
        _check_table(node, local_names)
    elif kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            raise QueryNotAllowedError(f"table function {name!r} is not allowed: {RULE}")
    elif kind == "SHOW_REF":
        raise QueryNotAllowedError(f"SHOW and DESCRIBE are not allowed: {RULE}")
    elif kind.endswith("_NODE") and kind not in QUERY_NODES:
        # INSERT, COPY and the like may stand in a WITH, and count as part of the SELECT.
        raise QueryNotAllowedError(f"{kind.split('_')[0]} inside a query is not allowed: {RULE}")
    elif node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "")).lower()
        if name in FORBIDDEN_FUNCTIONS:
            raise QueryNotAllowedError(f"function {name!r} is not allowed: {RULE}")


def _folded(name: object) -> str:
    """The name as DuckDB compares it: `str.lower` would also make one of `K` (Kelvin) and `k`."""
    return str(name).translate(LOWER)


def _check_table(node: Node, local_names: frozenset[str]) -> None:
    path = [_folded(part) for part in (node.get("qualified_name") or {}).get("path", [])]
    name = path[-1] if path else _folded(node.get("table_name", ""))
    plain = len(path) <= 1 and not node.get("schema_name") and not node.get("catalog_name")
    if not plain or name not in view_names() | local_names:
        raise QueryNotAllowedError(f"table {'.'.join(path) or name!r} is not allowed: {RULE}")
