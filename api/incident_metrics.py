"""Metrics of incidents: whether what ticks find is grouped."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric

from orchestration.incident_rounds import IncidentRounds

PREFIX = "fleetlake_incident_"


def grouped(rounds: IncidentRounds | None) -> Iterator[Metric]:
    """Counters of the rounds; none where nothing groups."""
    if rounds is None:
        return
    stats = rounds.statistics
    yield CounterMetricFamily(
        PREFIX + "rounds", "Rounds that grouped anomalies and ranked causes.", value=stats.rounds
    )
    yield CounterMetricFamily(
        PREFIX + "failures", "Rounds of incidents that failed.", value=stats.failures
    )
    yield CounterMetricFamily(
        PREFIX + "seconds", "Time that rounds of incidents took.", value=stats.seconds
    )
