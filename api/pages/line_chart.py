"""One series around its anomaly, as ECharts options."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np

from api.pages import format as fmt
from api.pages.chart_style import FONT, QUIET, TEXT, TOOLTIP, Options
from api.pages.rows import event_row, scale_of
from lake.timerange import EPOCH
from orchestration.steps.explain import Chart, Values
from orchestration.steps.paging import Row

CLOCK = {"hideOverlap": True, "formatter": {"day": "{d} {MMM}", "hour": "{HH}:{mm}"}}
DASH = "path://M0,0h14v3h-14z"
LEGEND = {"actual": DASH, "expected": DASH, "normal range": "rect", "events": "diamond"}


def line_chart(chart: Chart, anomaly: Row, events: Sequence[Row]) -> Options:
    """A series around its anomaly: actual, expected, normal range, the interval, and events.

    Events have a lane of their own under the curve, on the same axis of time.
    """
    chart = _until_data_ends(chart, anomaly["end"])
    known = chart.actual[np.isfinite(chart.actual)]
    scale = scale_of(anomaly, map(float, known))
    times = [_millis(at) for at in chart.times]
    series = [
        *_band(chart, times, scale),
        _line("actual", chart.actual, times, scale, "var(--ink)", width=1.6)
        | {"z": 5, "markArea": _interval(anomaly), "markPoint": _peak(anomaly, scale)},
        _lane(events),
    ]
    last = times[-1] if times else 0
    axis = {"type": "time", "min": times[0] if times else 0, "max": last}
    return {
        "useUTC": True,
        "animation": False,
        "aria": {"enabled": True, "label": {"description": "The metric around the anomaly"}},
        "textStyle": FONT,
        "tooltip": {**TOOLTIP, "trigger": "axis", "order": "seriesDesc"},
        "legend": {
            "data": [
                {"name": name, "icon": icon} for name, icon in LEGEND.items() if _has(series, name)
            ],
            "right": 8,
            "top": 0,
            "itemWidth": 14,
            "itemHeight": 10,
            "selectedMode": False,
            "textStyle": TEXT,
        },
        "grid": [
            {"left": 56, "right": 12, "top": 34, "bottom": 58},
            {"left": 56, "right": 12, "height": 22, "bottom": 30},
        ],
        "xAxis": [
            {**axis, **QUIET, "gridIndex": 0, "axisLabel": {"show": False}, "splitLine": _faint()},
            {**axis, **QUIET, "gridIndex": 1, "axisLabel": {**TEXT, **CLOCK}}
            | {"axisPointer": {"show": False}, "splitLine": {"show": False}},
        ],
        "yAxis": [
            {
                "type": "value",
                "scale": True,
                "name": scale.unit,
                "nameTextStyle": {**TEXT, "align": "right"},
                "axisLabel": TEXT,
                "splitLine": _faint(),
                "splitNumber": 4,
                "gridIndex": 0,
            },
            {"type": "value", "show": False, "min": 0, "max": 2, "gridIndex": 1},
        ],
        "series": series,
    }


def _until_data_ends(chart: Chart, end: datetime) -> Chart:
    """Without the hours that have not happened yet, but with the whole anomaly."""
    known = np.flatnonzero(np.isfinite(chart.actual))
    happened = sum(at < end for at in chart.times)
    count = max(happened, int(known[-1]) + 1 if len(known) else 0)
    bands = (chart.actual, chart.expected, chart.lower, chart.upper)
    actual, *normal = (None if values is None else values[:count] for values in bands)
    assert actual is not None  # noqa: S101 - bug: Chart.actual is never None
    return Chart(chart.times[:count], actual, *normal)


def _band(chart: Chart, times: list[int], scale: fmt.Scale) -> list[Options]:
    """The normal range as a shaded area between two edges, and the expected line in it."""
    lines = []
    if chart.lower is not None and chart.upper is not None:
        # An area starts at the axis, so the shade is the height of the range on an unseen floor.
        unseen = {"stack": "band", "stackStrategy": "all", "tooltip": {"show": False}}
        floor = _line("floor", chart.lower, times, scale, "transparent") | unseen
        height = _line("normal range", chart.upper - chart.lower, times, scale, "transparent")
        shade = {"areaStyle": {"color": "var(--band)", "opacity": 1}, "color": "var(--band)"}
        lines += [
            floor,
            height | unseen | shade,
            _line("lower", chart.lower, times, scale, "var(--band-edge)", width=0.6),
            _line("upper", chart.upper, times, scale, "var(--band-edge)", width=0.6),
        ]
    if chart.expected is not None:
        expected = _line("expected", chart.expected, times, scale, "var(--accent)", width=1.2)
        expected["lineStyle"]["type"] = "dashed"
        lines.append(expected)
    return lines


def _line(
    name: str, values: Values, times: list[int], scale: fmt.Scale, colour: str, width: float = 1.0
) -> Options:
    return {
        "name": name,
        "type": "line",
        "showSymbol": False,
        "color": colour,
        "lineStyle": {"color": colour, "width": width},
        "emphasis": {"disabled": True},
        "data": [
            [at, None if math.isnan(value) else float(f"{value / scale.divisor:.4g}")]
            for at, value in zip(times, map(float, values), strict=True)
        ],
    }


def _interval(anomaly: Row) -> Options:
    bounds = [{"xAxis": _millis(anomaly[edge])} for edge in ("start", "end")]
    return {
        "silent": True,
        "itemStyle": {"color": "var(--alarm-soft)", "opacity": 1},
        "label": {**TEXT, "position": "insideTop", "color": "var(--alarm)"},
        "data": [[{**bounds[0], "name": "anomaly"}, bounds[1]]],
    }


def _peak(anomaly: Row, scale: fmt.Scale) -> Options:
    if anomaly["actual"] is None:
        return {"data": []}
    at = [_millis(anomaly["peak_time"]), anomaly["actual"] / scale.divisor]
    return {
        "silent": True,
        "symbol": "circle",
        "symbolSize": 8,
        "itemStyle": {"color": "var(--alarm)", "borderColor": "var(--card)", "borderWidth": 1.5},
        "label": {"show": False},
        "data": [{"coord": at, "name": "peak"}],
    }


def _lane(events: Sequence[Row]) -> Options:
    return {
        "name": "events",
        "type": "scatter",
        "xAxisIndex": 1,
        "yAxisIndex": 1,
        "symbol": "diamond",
        "symbolSize": 11,
        "color": "var(--warn)",
        "tooltip": {"trigger": "item", "formatter": "{b}"},
        "emphasis": {"disabled": True},
        "data": [_event(row) for row in events],
    }


def _event(row: Row) -> Options:
    cells = event_row(row)
    head = f"{cells['time_text']} UTC · {cells['reason']} {cells['times']}".rstrip()
    colour = "var(--muted)" if cells["level"] == "normal" else "var(--warn)"
    return {
        "name": "\n".join(filter(None, (head, cells["about"], cells["message"]))),
        "value": [_millis(row["time"]), 1],
        "itemStyle": {"color": colour, "borderColor": "var(--card)", "borderWidth": 1},
    }


def _has(series: Iterable[Options], name: str) -> bool:
    return any(one["name"] == name for one in series)


def _faint() -> Options:
    return {"show": True, "lineStyle": {"color": "var(--grid)"}}


def _millis(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)
