"""Tables of the page: columns, and how a cell is drawn."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from api.pages.rows import Cells

Pick = Callable[[str], Awaitable[None]]

# Vue templates. `{{ }}` escapes: names and messages come from strangers' clusters.
TEXT_CELL = '<q-td :props="props">{{ props.row.%s_text }}</q-td>'
LEVEL_CELL = (
    '<q-td :props="props"><span :class="`level ${props.row.level}`" :title="props.row.data_hint">'
    "{{ props.row.data_text }}</span></q-td>"
)
OPEN_CELL = (
    '<q-td :props="props"><span :class="props.value ? `alarm` : `quiet`">'
    "{{ props.row.open_anomalies_text }}</span></q-td>"
)
SOON_CELL = (
    '<q-td :props="props"><span :class="props.row.soon ? `alarm` : ``">'
    "{{ props.row.left_text }}</span></q-td>"
)
STATE_CELL = (
    '<q-td :props="props"><span :class="`state ${props.value}`">'
    "{{ props.row.state_text }}</span></q-td>"
)
SEVERITY_CELL = (
    '<q-td :props="props"><span :class="`severity ${props.row.severity_text}`">'
    "{{ props.row.severity_text }}</span></q-td>"
)
LONG_CELL = (
    '<q-td :props="props"><div class="long" :title="props.value">{{ props.value }}</div></q-td>'
)


def clusters(pick: Pick) -> ui.table:
    """One row a cluster; a click picks it."""
    columns = [
        _column("cluster", "Cluster", left=True),
        _column("data", "Data", left=True),
        _column("series", "Series"),
        _column("workloads", "Workloads"),
        _column("open_anomalies", "Open"),
        _column("anomalies", "24 h"),
    ]
    table = _table(columns, "cluster", pick)
    for name in ("series", "workloads", "anomalies"):
        table.add_slot(f"body-cell-{name}", TEXT_CELL % name)
    table.add_slot("body-cell-data", LEVEL_CELL)
    table.add_slot("body-cell-open_anomalies", OPEN_CELL)
    return table


def anomalies(pick: Pick) -> ui.table:
    """One row an anomaly, highest score first; a click picks it."""
    columns = [
        _column("start", "Start (UTC)", left=True),
        _column("length", "Lasted"),
        _column("cluster", "Cluster", left=True),
        _column("where", "Where", left=True),
        _column("metric", "Metric", left=True),
        _column("score", "Score"),
        _column("actual", "Actual"),
        _column("expected", "Expected"),
        _column("direction", "Direction", left=True),
        _column("state", "State", left=True),
    ]
    table = _table(columns, "id", pick)
    table.pagination = {**table.pagination, "sortBy": "score", "descending": True}
    for name in ("start", "length", "score", "actual", "expected", "direction"):
        table.add_slot(f"body-cell-{name}", TEXT_CELL % name)
    for name in ("where", "metric"):
        table.add_slot(f"body-cell-{name}", LONG_CELL)
    table.add_slot("body-cell-state", STATE_CELL)
    return table


def incidents(pick: Pick) -> ui.table:
    """One row an incident, the latest first; a click picks it."""
    columns = [
        _column("start", "Since (UTC)", left=True),
        _column("severity", "Severity", left=True),
        _column("title", "Incident", left=True),
        _column("cause", "Likeliest cause", left=True),
        _column("anomalies", "Anomalies"),
        _column("state", "State", left=True),
    ]
    table = _table(columns, "id", pick)
    for name in ("start", "anomalies"):
        table.add_slot(f"body-cell-{name}", TEXT_CELL % name)
    for name in ("title", "cause"):
        table.add_slot(f"body-cell-{name}", LONG_CELL)
    table.add_slot("body-cell-severity", SEVERITY_CELL)
    table.add_slot("body-cell-state", STATE_CELL)
    return table


def forecasts(pick: Pick) -> ui.table:
    """One row a resource that fills, soonest first; a click picks it."""
    columns = [
        _column("due", "Due (UTC)", left=True),
        _column("left", "In"),
        _column("what", "What", left=True),
        _column("does", "Will", left=True),
        _column("between", "80 % between", left=True),
        _column("used", "Used"),
        _column("chance", "Chance"),
        _column("held", "Intervals held"),
    ]
    table = _table(columns, "id", pick)
    for name in ("due", "between", "used", "chance", "held"):
        table.add_slot(f"body-cell-{name}", TEXT_CELL % name)
    table.add_slot("body-cell-left", SOON_CELL)
    table.add_slot("body-cell-what", LONG_CELL)
    return table


def advice(pick: Pick) -> ui.table:
    """One row an advice, in the order in which they come; a click picks it."""
    columns = [
        _column("title", "Advice", left=True),
        _column("saving", "Saves"),
        _column("now", "Risk now"),
        _column("then", "Then"),
        _column("sure", "Sure"),
        _column("state", "State", left=True),
    ]
    table = _table(columns, "id", pick)
    for name in ("saving", "now", "then", "sure"):
        table.add_slot(f"body-cell-{name}", TEXT_CELL % name)
    table.add_slot("body-cell-title", LONG_CELL)
    table.add_slot("body-cell-state", STATE_CELL)
    return table


def show(table: ui.table, rows: Sequence[Cells], picked: Sequence[str]) -> None:
    """Put rows in, and mark those that are picked."""
    if list(rows) != list(table.rows):
        table.rows = list(rows)
    mark(table, picked)


def mark(table: ui.table, picked: Sequence[str]) -> None:
    """Mark the rows with these keys."""
    table.selected = [row for row in table.rows if row[table.row_key] in picked]


def _column(name: str, label: str, *, left: bool = False) -> dict[str, Any]:
    column = {"name": name, "label": label, "field": name, "sortable": True}
    # Of numbers the largest are asked for first; texts begin with A.
    return column | {"align": "left"} if left else column | {"align": "right", "sortOrder": "da"}


def _table(columns: list[dict[str, Any]], key: str, pick: Pick) -> ui.table:
    """A dense table. A mouse picks by the row, a keyboard by the selection's own checkbox."""
    table = ui.table(rows=[], columns=columns, row_key=key, selection="single", pagination=0)
    table.props("dense flat binary-state-sort virtual-scroll virtual-scroll-slice-size=60")

    async def clicked(event: GenericEventArguments) -> None:
        _, row = event.args
        await pick(row[key])

    async def selected(event: GenericEventArguments) -> None:
        if event.args["keys"]:
            await pick(event.args["keys"][0])

    table.on("rowClick", clicked, [[], [key]])
    table.on("selection", selected, ["keys"])
    return table
