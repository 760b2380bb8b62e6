"""The guard for SQL from outside: one SELECT over the lake's views, decided on the syntax tree.

DuckDB's own locks (`allowed_directories`, `lock_configuration`) still let `COPY … TO` and `EXPORT`
write into the allowed folder, and let any function run. So the statement's type is checked first,
and then every table, table function and scalar function that its tree names.
"""

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from lake.errors import QueryError, QueryNotAllowedError
from lake.views import view_names

TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest", "repeat"})
"""Table functions that compute rows from their arguments alone."""

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
        "pg_read_file",
        "duckdb_secrets",
    }
)

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
    parser = duckdb.connect()
    try:
        statements = parser.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from error
    if len(statements) != 1:
        raise QueryNotAllowedError(f"{len(statements)} statements: {RULE}")
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        raise QueryNotAllowedError(f"statement is {kind.name}: {RULE}")
    row = parser.execute("SELECT json_serialize_sql(?)", [statements[0].query]).fetchone()
    tree = json.loads(row[0]) if row else {"error": True}
    if tree.get("error"):
        # SHOW, DESCRIBE and SUMMARIZE count as SELECT for the parser but have no tree.
        raise QueryNotAllowedError(f"statement is no plain SELECT: {RULE}")
    for node in _nodes(tree):
        _check(node, _common_table_names(tree))
    return sql


def _check(node: dict[str, Any], local_names: frozenset[str]) -> None:
    kind = node.get("type")
    if kind == "BASE_TABLE":
        _check_table(node, local_names)
    elif kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            raise QueryNotAllowedError(f"table function {name!r} is not allowed: {RULE}")
    elif kind == "SHOW_REF":
        raise QueryNotAllowedError(f"SHOW and DESCRIBE are not allowed: {RULE}")
    elif node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "")).lower()
        if name in FORBIDDEN_FUNCTIONS:
            raise QueryNotAllowedError(f"function {name!r} is not allowed: {RULE}")


def _check_table(node: dict[str, Any], local_names: frozenset[str]) -> None:
    path = [part.lower() for part in (node.get("qualified_name") or {}).get("path", [])]
    name = path[-1] if path else str(node.get("table_name", "")).lower()
    plain = len(path) <= 1 and not node.get("schema_name") and not node.get("catalog_name")
    if not plain or name not in view_names() | local_names:
        raise QueryNotAllowedError(f"table {'.'.join(path) or name!r} is not allowed: {RULE}")


def _common_table_names(tree: dict[str, Any]) -> frozenset[str]:
    names = set()
    for node in _nodes(tree):
        for entry in (node.get("cte_map") or {}).get("map", []):
            names.add(str(entry["key"]).lower())
        if node.get("type") == "RECURSIVE_CTE_NODE":
            names.add(str(node.get("cte_name", "")).lower())
    return frozenset(names)


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
