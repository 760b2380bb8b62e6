"""SQL as DuckDB's own parser sees it: a tree of dictionaries, and values of constants."""

import functools
import json
from collections.abc import Iterator
from typing import Any

import duckdb

Node = dict[str, Any]


@functools.cache
def _engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
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


def evaluate(connection: duckdb.DuckDBPyConnection, expression: Node, kind: str) -> object:
    """The value of a constant expression, cast to a SQL type; None where it has none.

    Only for expressions whose functions are known to be harmless.
    """
    tree = parse(connection, f"SELECT CAST(NULL AS {kind})")
    if tree is None:
        return None
    tree["statements"][0]["node"]["select_list"][0]["child"] = expression
    try:
        row = connection.execute("SELECT json_deserialize_sql(?)", [json.dumps(tree)]).fetchone()
        value = connection.execute(row[0]).fetchone() if row else None
    except duckdb.Error:
        return None
    return value[0] if value else None
