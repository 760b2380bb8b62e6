"""Which columns of a query are columns of what it reads, so that a filter on them may go below."""

from collections.abc import Callable

from lake.syntax import Node, nodes

Passing = Callable[[Node], Node | None]
"""From a reference to a query's column to what it is inside; None where it is made there."""

UNKNOWN: Node = {"class": "UNKNOWN", "type": "UNKNOWN"}

CHANGES = ("exclude_list", "qualified_exclude_list", "replace_list", "rename_list", "columns")
"""What makes a `*` give other columns than those of its table."""

GROUPED_BY_ALL = "FORCE_AGGREGATES"


def replaced(expression: Node, passing: Passing) -> Node:
    """The expression with each column as `passing` gives it, or something that nothing knows."""
    if expression.get("type") == "COLUMN_REF":
        return passing(expression) or UNKNOWN
    if expression.get("class") == "SUBQUERY":
        return UNKNOWN  # its columns may be its own
    return {key: _replaced(value, passing) for key, value in expression.items()}


def _replaced(item: object, passing: Passing) -> object:
    if isinstance(item, dict):
        return replaced(item, passing)
    if isinstance(item, list):
        return [_replaced(each, passing) for each in item]
    return item


def reference(*names: str) -> Node:
    """A column by its name, or by its table's and its own."""
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "column_names": list(names)}


def passing(select: Node) -> Passing:
    """Which columns of this SELECT a filter on its result may be asked of its rows instead.

    Not where a row of the result depends on others (LIMIT, windows, aggregates), except by the
    keys of its groups: a filter on those takes away whole groups.
    """
    if select.get("qualify") or select.get("sample") or not _keeps_rows(select):
        return _nothing
    items: list[Node] = select["select_list"]
    if any(node.get("class") == "WINDOW" for node in nodes(items)):
        return _nothing
    grouped = bool(select["group_expressions"]) or _by_all(select)
    if grouped and len(select["group_sets"]) > 1:
        return _nothing
    keys = _keys(select, items)
    stars = [item for item in items if item["type"] == "STAR"]
    star = stars[0] if len(items) == 1 and stars and not grouped else None

    def inside(column: Node) -> Node | None:
        name = column["column_names"][-1].lower()
        if star is not None:
            return _of_star(star, select["from_table"], name)
        found = [item for item in items if _output(item) == name]
        if len(found) != 1 or stars or found[0]["type"] != "COLUMN_REF":
            return None
        names = [part.lower() for part in found[0]["column_names"]]
        return reference(*names) if not grouped or names in keys else None

    return inside


def same_columns(union: Node) -> bool:
    """Whether the members of a UNION have the same columns of their own, one by one."""
    if not union["setop_type"].startswith("UNION") or not _keeps_rows(union):
        return False
    shapes = [_shape(child) for child in union["children"]]
    return None not in shapes and len(set(map(str, shapes))) == 1


def _nothing(column: Node) -> Node | None:
    del column
    return None


def _keeps_rows(query: Node) -> bool:
    """Whether nothing but an order, or DISTINCT over all columns, comes after."""
    return all(
        modifier["type"] == "ORDER_MODIFIER"
        or (modifier["type"] == "DISTINCT_MODIFIER" and not modifier.get("distinct_on_targets"))
        for modifier in query["modifiers"]
    )


def _by_all(select: Node) -> bool:
    return bool(select["aggregate_handling"] == GROUPED_BY_ALL)


def _keys(select: Node, items: list[Node]) -> list[list[str]]:
    """The columns that rows are grouped by, as they are named inside."""
    keys = []
    for key in items if _by_all(select) else select["group_expressions"]:
        literal = key.get("literal") or {}
        if literal.get("kind") == "INTEGER" and 0 < int(literal["text"]) <= len(items):
            key = items[int(literal["text"]) - 1]
        if key["type"] == "COLUMN_REF":
            keys.append([part.lower() for part in key["column_names"]])
    return keys


def _output(item: Node) -> str:
    name = item.get("alias") or (item.get("column_names") or [""])[-1]
    return str(name).lower()


def _of_star(star: Node, source: Node, name: str) -> Node | None:
    if any(star.get(key) for key in CHANGES):
        return None
    if star.get("relation_name"):
        return reference(star["relation_name"].lower(), name)
    # Of two tables, the second's columns would have other names outside.
    return reference(name) if source["type"] in {"BASE_TABLE", "SUBQUERY"} else None


def _shape(query: Node) -> list[str] | None:
    if query["type"] == "SET_OPERATION_NODE":
        shapes = [_shape(child) for child in query["children"]]
        return shapes[0] if same_columns(query) else None
    if query["type"] != "SELECT_NODE":
        return None
    items = query["select_list"]
    if len(items) == 1 and items[0]["type"] == "STAR":
        source = query["from_table"]
        if source["type"] != "BASE_TABLE" or source.get("column_name_alias"):
            return None
        return None if any(items[0].get(key) for key in CHANGES) else ["*", source["table_name"]]
    if any(item["type"] == "STAR" for item in items):
        return None
    return [_output(item) for item in items]
