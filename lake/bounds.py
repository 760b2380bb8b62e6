"""Which range of time a query can read, from its own WHERE clauses.

A filter on `date` prunes files by their paths, inside DuckDB. A filter on `time` would open the
footer of every file of every day. So the bounds that a query puts on `time` are read off its syntax
tree, and files outside them are left out of the views. This only ever leaves out files that the
query's own filter would find nothing in; what is not understood is not pruned.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import duckdb

from lake.schema import TABLES
from lake.syntax import Node, evaluate, nodes, parse, parser
from lake.timerange import MICROSECOND, TimeRange

READS = {"samples": "samples", "metrics": "samples", "events": "events", "objects": "objects"}
"""Views with a column `time`, and the table whose files they read."""

BEHIND = {**{name: {name} for name in TABLES}, "metrics": {"samples", "series"}}
"""Each view, and the tables whose files it reads."""

OPAQUE = frozenset({"TABLE_FUNCTION", "SHOW_REF"})
"""Sources that may read a table by a name that is computed, or look at all."""

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)

SLACK = timedelta(minutes=1)
"""Delta's statistics are not exact to the microsecond, and clocks are set back."""

CLOCK = frozenset(
    {
        *("now", "today", "current_date", "current_timestamp"),
        *("get_current_timestamp", "transaction_timestamp"),
    }
)

HARMLESS = CLOCK | {
    *("+", "-", "*", "date_trunc", "trunc", "make_timestamp", "make_date", "to_timestamp"),
    *("to_seconds", "to_minutes", "to_hours", "to_days", "to_weeks", "to_months", "epoch_ms"),
}
"""Functions of constants that may be evaluated to read a bound."""

ROW_BY_ROW = frozenset({"REGULAR", "CROSS"})
"""Joins whose matches do not depend on rows that a later filter drops; ASOF's do."""

FLIPPED = {
    "COMPARE_GREATERTHAN": "COMPARE_LESSTHAN",
    "COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
    "COMPARE_LESSTHAN": "COMPARE_GREATERTHAN",
    "COMPARE_LESSTHANOREQUALTO": "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_EQUAL": "COMPARE_EQUAL",
}

LOWER = frozenset({"COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO", "COMPARE_EQUAL"})
UPPER = frozenset({"COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO", "COMPARE_EQUAL"})


def time_bounds(sql: str) -> Mapping[str, TimeRange]:
    """The range of `time` that a query can read of each table it bounds.

    >>> bounds = time_bounds("SELECT * FROM metrics WHERE time >= '2026-03-01' AND pod = 'a'")
    >>> bounds["samples"].start.isoformat()
    '2026-02-28T23:59:00+00:00'
    >>> time_bounds("SELECT * FROM metrics WHERE time >= '2026-03-01' OR pod = 'a'")
    {}

    Returns:
        Table name to range. A table is absent where any of its mentions has no bound.
    """
    with parser() as connection:
        try:
            tree = parse(connection, sql)
        except (duckdb.Error, RecursionError):
            return {}
        if tree is None:
            return {}
        return _bounds(connection, tree)


def tables_read(sql: str) -> frozenset[str]:
    """The stored tables that a query can read; all of them where it is not understood.

    >>> sorted(tables_read("SELECT 1 FROM metrics"))
    ['samples', 'series']
    """
    with parser() as connection:
        try:
            tree = parse(connection, sql)
        except (duckdb.Error, RecursionError):
            tree = None
    if tree is None or any(str(node.get("type")) in OPAQUE for node in nodes(tree)):
        return frozenset(TABLES)
    # A CTE of a table's name counts as the table: it costs a little time.
    names = {
        str(node.get("table_name", "")).lower()
        for node in nodes(tree)
        if node.get("type") == "BASE_TABLE"
    }
    return frozenset(table for name in names for table in BEHIND.get(name, ()))


def _bounds(connection: duckdb.DuckDBPyConnection, tree: Node) -> dict[str, TimeRange]:
    hulls: dict[str, TimeRange] = {}
    mentions = dict.fromkeys(READS.values(), 0)
    for node in nodes(tree):
        if node.get("type") == "BASE_TABLE" and node.get("table_name", "").lower() in READS:
            mentions[READS[node["table_name"].lower()]] += 1
    for node in nodes(tree):
        if node.get("type") != "SELECT_NODE" or not node.get("where_clause"):
            continue
        for table, found in _of_select(connection, node):
            mentions[table] -= 1
            held = hulls.get(table)
            hulls[table] = found if held is None else _hull(held, found)
    return {table: hull for table, hull in hulls.items() if mentions[table] == 0}


def _of_select(
    connection: duckdb.DuckDBPyConnection, select: Node
) -> Iterator[tuple[str, TimeRange]]:
    """Each table that this SELECT reads and bounds, with the range."""
    if select.get("sample"):
        return  # it picks among all rows, before WHERE
    tables = list(_tables(select["from_table"]))
    for name, alias in tables:
        # Unqualified `time` is this table's only if no other could have one.
        names: set[str | None] = {alias, None} if len(tables) == 1 else {alias}
        lower, upper = EARLIEST, LATEST
        for kind, value in _comparisons(connection, select["where_clause"], names):
            if kind in LOWER:
                lower = max(lower, value - SLACK)
            if kind in UPPER:
                upper = min(upper, value + SLACK)
        if (lower, upper) != (EARLIEST, LATEST):
            # An empty range reads nothing; the shortest range there is still finds that out.
            yield READS[name], TimeRange(lower, max(upper, lower + MICROSECOND))


def _tables(source: Node) -> Iterator[tuple[str, str]]:
    """The views with a `time` that stand in a FROM clause itself, with the names they go by."""
    if source.get("sample"):
        return  # it picks among all rows of the table
    if source["type"] == "JOIN":
        if source["ref_type"] not in ROW_BY_ROW or source["join_type"] not in {"INNER", "LEFT"}:
            return
        yield from _tables(source["left"])
        yield from _tables(source["right"])
    elif source["type"] == "BASE_TABLE" and source["table_name"].lower() in READS:
        if source.get("column_name_alias"):
            return  # `FROM events AS e(a, time)`: this `time` may be another column
        yield source["table_name"].lower(), (source["alias"] or source["table_name"]).lower()


def _comparisons(
    connection: duckdb.DuckDBPyConnection, where: Node, names: set[str | None]
) -> Iterator[tuple[str, datetime]]:
    """Comparisons of `time` with constants, all of which must hold."""
    kind = where.get("type")
    if kind == "CONJUNCTION_AND":
        for child in where["children"]:
            yield from _comparisons(connection, child, names)
    elif kind == "COMPARE_BETWEEN" and _is_time(where["input"], names):
        yield from _value(connection, "COMPARE_GREATERTHANOREQUALTO", where["lower"])
        yield from _value(connection, "COMPARE_LESSTHANOREQUALTO", where["upper"])
    elif kind in FLIPPED:
        if _is_time(where["left"], names):
            yield from _value(connection, kind, where["right"])
        elif _is_time(where["right"], names):
            yield from _value(connection, FLIPPED[kind], where["left"])


def _is_time(node: Node, names: set[str | None]) -> bool:
    if node.get("type") != "COLUMN_REF":
        return False
    *qualifiers, column = [part.lower() for part in node["column_names"]]
    qualifier = qualifiers[-1] if qualifiers else None
    return column == "time" and len(qualifiers) <= 1 and qualifier in names


def _value(
    connection: duckdb.DuckDBPyConnection, kind: str, expression: Node
) -> Iterator[tuple[str, datetime]]:
    if _reads_clock(expression):
        # It is later when the query runs, perhaps by a day: no upper bound.
        if kind not in LOWER or not _grows(expression):
            return
        kind = "COMPARE_GREATERTHANOREQUALTO"
    for node in nodes(expression):
        if node.get("class") in {"COLUMN_REF", "SUBQUERY", "PARAMETER", "LAMBDA", "WINDOW"}:
            return
        if node.get("class") == "FUNCTION" and node["function_name"].lower() not in HARMLESS:
            return
    # As text: fetching a TIMESTAMPTZ as a Python object needs a package that we do without.
    text = evaluate(connection, _as_text(connection, expression), "VARCHAR")
    if isinstance(text, str):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return
        if EARLIEST + SLACK < moment < LATEST - SLACK:
            yield kind, moment


def _reads_clock(expression: object) -> bool:
    return any(
        node.get("class") == "FUNCTION" and node["function_name"].lower() in CLOCK
        for node in nodes(expression)
    )


def _grows(expression: Node) -> bool:
    """Whether the value cannot fall as the clock goes on."""
    return not any(
        (node["function_name"] == "*" and _reads_clock(node))
        or (node["function_name"] == "-" and _reads_clock(node["arguments"][-1]))
        for node in nodes(expression)
        if node.get("class") == "FUNCTION"
    )


def _as_text(connection: duckdb.DuckDBPyConnection, expression: Node) -> Node:
    tree = parse(connection, "SELECT CAST(NULL AS TIMESTAMPTZ)")
    assert tree is not None  # noqa: S101 - a constant that parses
    cast: Node = tree["statements"][0]["node"]["select_list"][0]
    cast["child"] = expression
    return cast


def _hull(one: TimeRange, other: TimeRange) -> TimeRange:
    return TimeRange(min(one.start, other.start), max(one.end, other.end))
