"""Metrics of forecasts: what is reached soonest, and whether forecasts are made."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from orchestration.forecaster import ForecastStatistics
from orchestration.steps.forecast.listing import is_past

PREFIX = "fleetlake_"

LABELS = ("cluster", "resource", "namespace", "pod", "node", "instance", "subject", "threshold")


def foretold(statistics: ForecastStatistics, now: datetime) -> Iterator[Metric]:
    """Counters of the rounds, and a gauge for each resource that is full or soon is, as of now."""
    gauge = GaugeMetricFamily(
        PREFIX + "seconds_to_threshold",
        "Time until a resource reaches its threshold; 0 = it is due, or past it.",
        labels=LABELS,
    )
    seen = set()
    for row in statistics.soonest:
        labels = tuple(row[name] or "" for name in LABELS[:-1])
        labels += (_threshold(row["threshold"], row["capacity"]),)
        # Soonest first: of two that only other labels tell apart, the sooner is what matters.
        if labels not in seen:
            seen.add(labels)
            left = 0.0 if is_past(row) else (row["eta"] - now).total_seconds()
            gauge.add_metric(labels, max(0.0, left))
    yield gauge
    yield CounterMetricFamily(
        PREFIX + "forecast_rounds", "Rounds of forecasts.", value=statistics.rounds
    )
    yield CounterMetricFamily(
        PREFIX + "forecast_failures", "Rounds of forecasts that failed.", value=statistics.failures
    )
    yield CounterMetricFamily(
        PREFIX + "forecast_seconds", "Time that rounds of forecasts took.", value=statistics.seconds
    )
    last = statistics.last
    if last is not None:
        of = GaugeMetricFamily(
            PREFIX + "forecast_resources",
            "Resources of the newest round, by what could be told.",
            labels=("told",),
        )
        of.add_metric(["passing"], last.passing)
        of.add_metric(["abstained"], last.abstained)
        of.add_metric(["not_within"], last.resources - last.passing - last.abstained)
        yield of


def _threshold(threshold: float | None, capacity: float | None) -> str:
    """A share of the limit, or the value itself; empty for a time that is told.

    >>> _threshold(80e9, 100e9), _threshold(1000.0, None), _threshold(None, None)
    ('0.8', '1000', '')
    """
    if threshold is None:
        return ""
    return f"{threshold / capacity if capacity else threshold:g}"
