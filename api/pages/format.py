"""Numbers, units and times as an operator reads them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

MISSING = "–"

FRESH = timedelta(minutes=2)
LATE = timedelta(minutes=15)
"""Scrapes come every 15 to 60 s, so two minutes are a hiccup; a quarter of an hour is an outage."""

_BYTES = ((1024**4, "TiB"), (1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"), (1, "B"))
_SECONDS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"))
_PLAIN = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit and what to divide by to get there.

    >>> Scale(1024**2, "MiB").text(5 * 1024**2)
    '5 MiB'
    """

    divisor: float
    unit: str

    def text(self, value: float | None) -> str:
        """The value in this unit, three digits or so."""
        if value is None:
            return MISSING
        return f"{number(value / self.divisor)} {self.unit}".rstrip()


def scale_for(metric: str | None, values: Iterable[float | None]) -> Scale:
    """The unit in which these values of a metric read best, by Prometheus' naming rules.

    Counters are stored as they come and shown as rates per second, as the detectors see them.

    >>> scale_for("container_memory_working_set_bytes", [3e9]).unit
    'GiB'
    >>> scale_for("node_network_receive_bytes_total", [2e6, None]).unit
    'MiB/s'
    >>> scale_for("container_cpu_usage_seconds_total", [.25]).text(.25)
    '0.25 cores'
    >>> scale_for("request_duration_milliseconds", [2500.0]).text(2500.0)
    '2.5 s'
    >>> scale_for("http_requests_total", [12.0]).text(12.0)
    '12 /s'
    >>> scale_for("node_filesystem_used_ratio", [.5]).text(.934)
    '93.4 %'
    >>> scale_for("denials:shop/authz/allow_total", [.5]).text(.5)
    '50 %'
    >>> scale_for(None, []).text(None)
    '–'
    """
    if metric is not None and metric.startswith(("events:", "denials:")):
        # Counts per column, and shares; what follows is a reason or a path, and no metric's name.
        return Scale(1, "") if metric.startswith("events:") else Scale(0.01, "%")
    name = metric or ""
    suffix = next((end for end in _COUNTER_SUFFIXES if name.endswith(end)), "")
    stem = name.removesuffix(suffix) if suffix in {"_total", "_sum"} else name
    per_second = "/s" if suffix else ""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    if stem.endswith("_bytes"):
        divisor, unit = _fitting(_BYTES, largest)
        return Scale(divisor, unit + per_second)
    if stem.endswith(("_seconds", "_milliseconds")):
        per_s = 1000 if stem.endswith("_milliseconds") else 1
        if suffix:  # seconds per second: how many were busy at once
            return Scale(per_s, "cores" if "cpu" in stem else "busy")
        divisor, unit = _fitting(_SECONDS, largest / per_s)
        return Scale(divisor * per_s, unit)
    if stem.endswith("_ratio"):
        return Scale(0.01, "%")
    if stem.endswith("_percent"):
        return Scale(1, "%")
    divisor, unit = _fitting(_PLAIN, largest)
    return Scale(divisor, unit + per_second)


def _fitting(steps: Iterable[tuple[float, str]], largest: float) -> tuple[float, str]:
    """The largest step that is not above the value; the one of size 1 for nothing at all."""
    ladder = list(steps)
    if largest == 0:
        return next(step for step in ladder if step[0] == 1)
    return next((step for step in ladder if step[0] <= largest), ladder[-1])


def number(value: float) -> str:
    """Three digits where it matters, whole numbers whole, thousands apart.

    >>> [number(value) for value in (0, 3.0, 0.01234, 2.5, 42.125, 1234.5)]
    ['0', '3', '0.0123', '2.5', '42.1', '1,234']
    """
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def day_and_time(at: datetime) -> str:
    """Day and minute, UTC.

    >>> from datetime import UTC
    >>> day_and_time(datetime(2026, 3, 2, 14, 3, tzinfo=UTC))
    '02 Mar 14:03'
    """
    return f"{at:%d %b %H:%M}"


def span(start: datetime, end: datetime) -> str:
    """An interval; the day is said twice only where it changes.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> span(noon, noon + timedelta(minutes=90))
    '02 Mar 12:00 – 13:30'
    """
    until = f"{end:%H:%M}" if end.date() == start.date() else day_and_time(end)
    return f"{day_and_time(start)} – {until}"


def duration(length: timedelta, *, rough: bool = False) -> str:
    """A length of time in its two largest units, or `rough`, in the largest alone.

    >>> [duration(timedelta(seconds=s)) for s in (12, 90, 3600, 12_000, 190_000)]
    ['12 s', '1 min', '1 h', '3 h 20 min', '2 d 4 h']
    >>> duration(timedelta(hours=3, minutes=20), rough=True)
    '3 h'
    """
    seconds = int(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86_400
    if days:
        return f"{days} d {hours} h" if hours and not rough else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes and not rough else f"{hours} h"
    return f"{minutes} min"


def freshness(age: timedelta) -> str:
    """A word for the age of a cluster's newest sample.

    >>> freshness(timedelta(seconds=20)), freshness(timedelta(minutes=5)), freshness(timedelta(1))
    ('fresh', 'late', 'silent')
    """
    if age < FRESH:
        return "fresh"
    return "late" if age < LATE else "silent"
