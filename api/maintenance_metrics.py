"""Metrics of the resident maintenance: what it merged and deleted, and whether it keeps up."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from orchestration.maintainer import MaintenanceStatistics

PREFIX = "fleetlake_maintenance_"

COUNTERS = (
    ("merges", "table", "Merges of files."),
    ("rows_merged", "table", "Rows that went into merges."),
    ("rows_dropped", "table", "Duplicates among them."),
    ("bytes_written", "table", "Bytes of merged files."),
    ("files_deleted", "table", "Files that no version needed any more."),
    ("rounds", "kind", "Rounds of maintenance."),
    ("seconds", "kind", "Time that rounds took."),
    ("failures", "part", "Failures, by kind of round and table."),
)

GAUGES = (
    ("files", "table", "Files in the newest version, after the last merge."),
    ("log_entries", "table", "Files in the log, after the last cleaning."),
    ("foreign_files", "table", "Files beside the table's that are not ours."),
)


def maintained(statistics: MaintenanceStatistics) -> Iterator[Metric]:
    """Counters and gauges, as of now."""
    for name, label, text in COUNTERS:
        counter = CounterMetricFamily(PREFIX + name, text, labels=(label,))
        # A copy: the maintainer counts on meanwhile.
        for key, value in sorted(dict(getattr(statistics, name)).items()):
            counter.add_metric([key], value)
        yield counter
    yield CounterMetricFamily(
        PREFIX + "held", "Rounds left out: another process was at it.", value=statistics.held
    )
    for name, label, text in GAUGES:
        gauge = GaugeMetricFamily(PREFIX + name, text, labels=(label,))
        for key, value in sorted(dict(getattr(statistics, name)).items()):
            gauge.add_metric([key], value)
        yield gauge
    last = GaugeMetricFamily(
        PREFIX + "last_timestamp_seconds", "End of the last round.", labels=("kind",)
    )
    for kind, moment in sorted(statistics.last.items()):
        last.add_metric([kind], moment.timestamp())
    yield last
