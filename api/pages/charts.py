"""ECharts options from rows: plain dictionaries, no element and no lake.

Colours are CSS variables of `style.css`: drawn as SVG, a chart follows the light or dark scheme of
the reader's system, which the server does not know.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from api.pages import format as fmt
from api.pages.rows import event_row
from lake import TimeRange
from lake.timerange import EPOCH
from orchestration.steps.browse import Row
from orchestration.steps.explain import Chart

Options = dict[str, Any]

TEXT = {"color": "var(--muted)", "fontSize": 11, "fontFamily": "inherit"}
TOOLTIP = {
    "backgroundColor": "var(--card)",
    "borderColor": "var(--line)",
    "textStyle": {"color": "var(--ink)", "fontSize": 12},
    "extraCssText": "max-width: 420px; white-space: pre-line; overflow-wrap: anywhere;",
    "confine": True,
}
HEAT = ((0, 0), (1, 1), (2, 3), (4, 7), (8, None))
"""Steps of the heat map: anomalies at once. Doubling, because a storm must not bleach the rest."""


def bucket_for(window: timedelta) -> timedelta:
    """The width of a heat map's column: 36 to 56 of them a window, on round times.

    >>> [str(bucket_for(timedelta(hours=hours))) for hours in (6, 24, 48, 168)]
    ['0:10:00', '0:30:00', '1:00:00', '3:00:00']
    """
    most = 56
    rounds = (timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=1), timedelta(hours=3))
    return next((width for width in rounds if window / width <= most), timedelta(days=1))


def buckets(between: TimeRange, width: timedelta) -> list[datetime]:
    """Starts of all buckets that the range touches.

    >>> from datetime import UTC
    >>> hour = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> [f"{at:%H:%M}" for at in buckets(TimeRange(hour, hour.replace(minute=31)),
    ...                                  timedelta(minutes=10))]
    ['12:00', '12:10', '12:20', '12:30']
    """
    first = EPOCH + (between.start - EPOCH) // width * width
    count = -((first - between.end) // width)
    return [first + index * width for index in range(count)]


def heat_map(
    rows: Iterable[Row], clusters: Sequence[str], between: TimeRange, width: timedelta
) -> Options:
    """Anomalies going on, by cluster and bucket of time.

    Args:
        rows: of `browse.density` for the same range and width.
        clusters: rows of the map from top to bottom, whether they have anomalies or not.
        between: the range.
        width: of a bucket.
    """
    columns = buckets(between, width)
    found = {(row["cluster"], row["at"]): row for row in rows}
    cells = [
        _cell(x, y, found.get((cluster, at)), cluster, fmt.span(at, at + width))
        for y, cluster in enumerate(clusters)
        for x, at in enumerate(columns)
    ]
    return {
        "animation": False,
        "aria": {"enabled": True, "label": {"description": "Anomalies by cluster and time"}},
        "textStyle": {"fontFamily": "inherit"},
        "grid": {"left": 8, "right": 12, "top": 30, "bottom": 4, "containLabel": True},
        "tooltip": {**TOOLTIP, "trigger": "item", "formatter": "{b}"},
        "xAxis": {
            "type": "category",
            "data": [_tick(at, width, len(columns)) for at in columns],
            "axisLine": {"show": False},
            "axisTick": {"show": False},
            "axisLabel": {**TEXT, "interval": 0, "hideOverlap": True},
        },
        "yAxis": {
            "type": "category",
            "data": list(clusters),
            "inverse": True,
            "axisLine": {"show": False},
            "axisTick": {"show": False},
            "axisLabel": {**TEXT, "color": "var(--ink)", "width": 120, "overflow": "truncate"},
        },
        "visualMap": {
            "type": "piecewise",
            "orient": "horizontal",
            "right": 8,
            "top": 0,
            "itemWidth": 12,
            "itemHeight": 12,
            "itemGap": 8,
            "hoverLink": False,
            "selectedMode": False,
            "textStyle": TEXT,
            "dimension": 2,
            "pieces": [_piece(level, *step) for level, step in enumerate(HEAT)],
        },
        "series": [
            {
                "type": "heatmap",
                "data": cells,
                "itemStyle": {"borderColor": "var(--card)", "borderWidth": 2, "borderRadius": 4},
                "emphasis": {"disabled": True},
            }
        ],
    }


def _cell(x: int, y: int, row: Row | None, cluster: str, times: str) -> Options:
    if row is None:
        return {"value": [x, y, 0], "name": f"{cluster}\n{times} UTC\nno anomaly"}
    count = row["anomalies"]
    what = f"{count} {'anomaly' if count == 1 else 'anomalies'}, highest score {row['score']:.1f}"
    return {"value": [x, y, count], "name": f"{cluster}\n{times} UTC\n{what}"}


def _tick(at: datetime, width: timedelta, columns: int) -> str:
    """A label on round times only, about eight of them; the day at midnight."""
    rounds = (1, 3, 6, 12, 24)
    every = next((h for h in rounds if columns * width / timedelta(hours=h) <= 9), 24)  # noqa: PLR2004
    if at.minute or at.hour % every:
        return ""
    return f"{at:%H:%M}" if at.hour else f"{at:%d %b}"


def _piece(level: int, low: int, high: int | None) -> Options:
    """One step's bounds, colour and name."""
    colour = f"var(--heat-{level})"
    if high is None:
        return {"gte": low, "label": f"{low}+", "color": colour}
    label = str(low) if low == high else f"{low}–{high}"
    return {"gte": low, "lte": high, "label": label, "color": colour}


def line_chart(chart: Chart, anomaly: Row, events: Sequence[Row]) -> Options:
    """A series around its anomaly: actual, expected, normal range, the interval, and events.

    Events have a lane of their own under the curve, on the same axis of time.
    """
    scale = fmt.scale_for(anomaly["metric"], map(float, chart.actual[~_missing(chart.actual)]))
    times = [_millis(at) for at in chart.times]
    series = [
        *_band(chart, times, scale),
        _line("actual", chart.actual, times, scale, "var(--ink)", width=1.6)
        | {"z": 5, "markArea": _interval(anomaly), "markPoint": _peak(anomaly, scale)},
        _lane(events),
    ]
    last = times[-1] if times else 0
    axis = {"type": "time", "min": times[0] if times else 0, "max": last}
    quiet = {"axisLine": {"show": False}, "axisTick": {"show": False}}
    return {
        "useUTC": True,
        "animation": False,
        "aria": {"enabled": True, "label": {"description": "The metric around the anomaly"}},
        "textStyle": {"fontFamily": "inherit"},
        "tooltip": {**TOOLTIP, "trigger": "axis", "axisPointer": {"type": "line", "snap": False}},
        "legend": {
            "data": [name for name in ("actual", "expected", "normal range") if _has(series, name)]
            + ["events"],
            "right": 8,
            "top": 0,
            "itemWidth": 16,
            "itemHeight": 8,
            "selectedMode": False,
            "textStyle": TEXT,
        },
        "grid": [
            {"left": 56, "right": 12, "top": 34, "bottom": 58},
            {"left": 56, "right": 12, "height": 22, "bottom": 30},
        ],
        "xAxis": [
            {**axis, **quiet, "gridIndex": 0, "axisLabel": {"show": False}, "splitLine": _faint()},
            {**axis, **quiet, "gridIndex": 1, "axisLabel": {**TEXT, "hideOverlap": True}}
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
            _line("upper", chart.upper, times, scale, "var(--band-edge)", width=0.6),
            _line("lower", chart.lower, times, scale, "var(--band-edge)", width=0.6),
        ]
    if chart.expected is not None:
        expected = _line("expected", chart.expected, times, scale, "var(--accent)", width=1.2)
        expected["lineStyle"]["type"] = "dashed"
        lines.append(expected)
    return lines


def _line(
    name: str, values: Any, times: list[int], scale: fmt.Scale, colour: str, width: float = 1.0
) -> Options:
    return {
        "name": name,
        "type": "line",
        "showSymbol": False,
        "color": colour,
        "lineStyle": {"color": colour, "width": width},
        "emphasis": {"disabled": True},
        "data": [
            [at, None if math.isnan(value) else float(f"{value / scale.divisor:.5g}")]
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


def _missing(values: Any) -> Any:
    return values != values  # noqa: PLR0124 - only NaN differs from itself


def _faint() -> Options:
    return {"show": True, "lineStyle": {"color": "var(--grid)"}}


def _millis(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)
