"""The chosen anomaly: what was seen against what was expected, the curve, the events."""

from collections.abc import Sequence

from nicegui import ui

from api.pages import format as fmt
from api.pages import line_chart, rows
from api.pages.data import Detail
from orchestration.steps.paging import Row

ENTITY = ("namespace", "workload", "pod", "container", "node", "service", "job", "instance")

LEAST_P = 1e-12
"""Beyond this, zeros say nothing."""


class DetailPanel:
    """Draws one anomaly; `show` and `say` replace what stood there."""

    def __init__(self) -> None:
        self._panel = ui.element("section").classes("card detail")

    def say(self, text: str, *, wrong: bool = False) -> None:
        """A line of text in place of an anomaly."""
        self._panel.clear()
        with self._panel:
            ui.label(text).classes("problem" if wrong else "hint")

    def show(self, detail: Detail) -> None:
        """An anomaly."""
        self._panel.clear()
        with self._panel:
            _head(detail.anomaly)
            with ui.element("div").classes("evidence"):
                with ui.element("div").classes("curve"):
                    _curve(detail)
                with ui.element("div").classes("events"):
                    _events(detail.events)


def _head(row: Row) -> None:
    with ui.element("div").classes("title"):
        title = ui.label(str(row["metric"] or row["detector"])).classes("name")
        title.props("role=heading aria-level=2")
        ui.label(f"{row['cluster']} · {rows.where(row)}").classes("place")
        ui.label(f"score {row['score']:.1f}").classes("score").tooltip("1 is the threshold")
        state = str(rows.STATES.get(row["state"], row["state"]))
        ui.label(state).classes(f"state {row['state']}")
        ui.link("JSON", f"api/v1/anomalies/{row['anomaly_id']}").classes("aside")
    length = fmt.duration(row["end"] - row["start"])
    with ui.element("div").classes("summary"):
        ui.label(rows.sentence(row)).classes("sentence")
        ui.label(f"{fmt.span(row['start'], row['end'])} UTC ({length})")
    with ui.element("div").classes("facts"):
        for name in ENTITY:
            if row[name]:
                _fact(name, row[name])
        if row["p_value"] is not None:
            _fact("p-value", "< 1e-12" if row["p_value"] < LEAST_P else f"{row['p_value']:.1g}")
        _fact("detector", row["detector"])
        _fact("model", row["model_version"][:12])
        _fact("lake version", str(row["lake_version"]))


def _fact(name: str, value: str) -> None:
    with ui.element("span").classes("fact"):
        ui.label(name).classes("key")
        ui.label(value).classes("value")


def _curve(detail: Detail) -> None:
    if detail.chart is None:
        ui.label(
            "No single curve: several metrics were scored together, or the series is gone."
        ).classes("hint")
        return
    if detail.chart.expected is None and detail.chart.lower is None:
        ui.label("No normal range: too little history before this chart to fit a model.").classes(
            "hint"
        )
    options = line_chart.line_chart(detail.chart, detail.anomaly, detail.events)
    ui.echart(options, renderer="svg").classes("plot")


def _events(events: Sequence[Row]) -> None:
    with ui.element("div").classes("subtitle"):
        ui.label("Events around it").props("role=heading aria-level=3")
        ui.label("own namespace and warnings first, UTC").classes("hint")
    if not events:
        ui.label("No event of this cluster within two hours of it.").classes("hint")
    with ui.element("ul").classes("event-list"):
        for cells in map(rows.event_row, events):
            with ui.element("li").classes(f"event {cells['level']}"):
                ui.label(cells["time_text"]).classes("time")
                with ui.element("div").classes("what"):
                    with ui.element("div").classes("first"):
                        ui.label(cells["reason"]).classes("reason")
                        ui.label(cells["times"]).classes("times")
                        ui.label(cells["about"]).classes("about")
                    ui.label(cells["message"]).classes("message").tooltip(cells["message"])
