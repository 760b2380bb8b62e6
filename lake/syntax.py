"""SQL as DuckDB's own parser sees it: a tree of dictionaries, and values of constants."""

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

Node = dict[str, Any]


@functools.cache
def _engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    # For the cursors too: in another zone than the query's, files would be left out wrongly.
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    return connection


def parser() -> duckdb.DuckDBPyConnection:
    """A connection to an empty engine, for parsing; the caller closes it.

    All are cursors of one engine: making an engine takes longer than most queries run.
    """
    return _engine().cursor()


def parse(connection: duckdb.DuckDBPyConnection, sql: str) -> Node | None:
    """The syntax tree of one SELECT; None where DuckDB has none (SHOW, DESCRIBE, other statements).

    The SQL must parse: see `duckdb.DuckDBPyConnection.extract_statements`.
    """
    row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    tree: Node = json.loads(row[0]) if row else {"error": True}
    return None if tree.get("error") else tree


def nodes(tree: object) -> Iterator[Node]:
    """Every dictionary in a tree, parents before children."""
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def evaluate(
    connection: duckdb.DuckDBPyConnection,
    expression: Node,
    kind: str,
    params: Mapping[str, object] | None = None,
) -> object:
    """The value of a constant expression, cast to a SQL type; None where it has none.

    Only for expressions whose functions are known to be harmless.
    """
    tree = json.loads(_select_of_a_cast(kind))
    tree["statements"][0]["node"]["select_list"][0]["child"] = expression
    try:
        row = connection.execute(text(connection, tree), dict(params or {})).fetchone()
    except (duckdb.Error, TypeError, ValueError):  # of the engine, or of a parameter's conversion
        return None
    return row[0] if row else None


def text(connection: duckdb.DuckDBPyConnection, tree: Node) -> str:
    """The SQL of a tree.

    Raises:
        duckdb.Error: it is no tree of a SELECT.
    """
    row = connection.execute("SELECT json_deserialize_sql(?)", [json.dumps(tree)]).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    return str(row[0])


def cast(expression: Node, kind: str) -> Node:
    """The tree of an expression, cast to a SQL type."""
    node: Node = json.loads(_select_of_a_cast(kind))["statements"][0]["node"]["select_list"][0]
    node["child"] = expression
    return node


@functools.cache
def _select_of_a_cast(kind: str) -> str:
    with parser() as connection:
        tree = parse(connection, f"SELECT CAST(NULL AS {kind})")
    return json.dumps(tree)
