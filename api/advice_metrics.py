"""Metrics of advice: how much could be saved, and whether advice is made."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from orchestration.adviser_rounds import AdviceStatistics

PREFIX = "fleetlake_advice_"

LABELS = ("cluster", "kind")


def advised(statistics: AdviceStatistics) -> Iterator[Metric]:
    """Counters of the rounds, and gauges of what is advised and saves, by cluster and kind."""
    open_advice = GaugeMetricFamily(
        PREFIX + "open", "Advice that is open or accepted.", labels=LABELS
    )
    cores = GaugeMetricFamily(
        PREFIX + "saving_cpu_cores",
        "Requested cores that it would free; a node's own.",
        labels=LABELS,
    )
    memory = GaugeMetricFamily(
        PREFIX + "saving_memory_bytes",
        "Requested memory that it would free; a node's own.",
        labels=LABELS,
    )
    for one in statistics.totals:
        labels = [one.cluster, one.kind]
        open_advice.add_metric(labels, one.count)
        if one.saving_cpu_cores is not None:
            cores.add_metric(labels, one.saving_cpu_cores)
        if one.saving_memory_bytes is not None:
            memory.add_metric(labels, one.saving_memory_bytes)
    yield from (open_advice, cores, memory)
    yield CounterMetricFamily(PREFIX + "rounds", "Rounds of advice.", value=statistics.rounds)
    yield CounterMetricFamily(
        PREFIX + "failures", "Rounds and advisers that failed.", value=statistics.failures
    )
    yield CounterMetricFamily(
        PREFIX + "seconds", "Time that rounds of advice took.", value=statistics.seconds
    )
