"""The heat map of anomalies, as ECharts options from rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from api.pages import format as fmt
from api.pages.chart_style import FONT, QUIET, TEXT, TOOLTIP, Options
from lake import TimeRange
from lake.timerange import EPOCH
from orchestration.steps.paging import Row

NAME_WIDTH = 120
"""Pixels for a cluster's name before it is cut."""
HEAT = ((0, 0), (1, 1), (2, 3), (4, 7), (8, None))
"""Steps of colour: anomalies at once. Doubling, because a storm must not bleach the rest."""
MOST_BUCKETS = 56
WIDTHS = (timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=1), timedelta(hours=3))
MOST_TICKS = 9
TICK_HOURS = (1, 3, 6, 12, 24)


def bucket_for(window: timedelta) -> timedelta:
    """The width of a heat map's column: 36 to 56 of them a window, on round times.

    >>> [str(bucket_for(timedelta(hours=hours))) for hours in (6, 24, 48, 168)]
    ['0:10:00', '0:30:00', '1:00:00', '3:00:00']
    """
    fitting = (width for width in WIDTHS if window / width <= MOST_BUCKETS)
    return next(fitting, timedelta(days=1))


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
    left = 14 + min(NAME_WIDTH, 7 * max(map(len, clusters), default=0))
    found = {(row["cluster"], row["at"]): row for row in rows}
    cells = [
        _cell(x, y, found.get((cluster, at)), cluster, fmt.span(at, at + width))
        for y, cluster in enumerate(clusters)
        for x, at in enumerate(columns)
    ]
    return {
        "animation": False,
        "aria": {"enabled": True, "label": {"description": "Anomalies by cluster and time"}},
        "textStyle": FONT,
        # Fixed margins: measured ones (containLabel) cut the labels where the font comes late.
        "grid": {"left": left, "right": 8, "top": 30, "bottom": 24},
        "tooltip": {**TOOLTIP, "trigger": "item", "formatter": "{b}"},
        "xAxis": {
            "type": "category",
            "data": [_tick(at, width, len(columns)) for at in columns],
            **QUIET,
            "axisLabel": {**TEXT, "interval": 0, "hideOverlap": True},
        },
        "yAxis": {
            "type": "category",
            "data": list(clusters),
            "inverse": True,
            **QUIET,
            "axisLabel": {
                **TEXT,
                "color": "var(--ink)",
                "width": NAME_WIDTH,
                "overflow": "truncate",
            },
        },
        "visualMap": {
            "type": "piecewise",
            "orient": "horizontal",
            "right": 8,
            "top": 0,
            "itemWidth": 12,
            "itemHeight": 12,
            "itemGap": 10,
            "textGap": 4,
            "padding": [4, 6],
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
    shown = columns * width / timedelta(hours=1)
    every = next((hours for hours in TICK_HOURS if shown / hours <= MOST_TICKS), TICK_HOURS[-1])
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
