"""The service's own metrics: what came in, what was refused and why, per cluster."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.advice_metrics import advised
from api.forecast_metrics import foretold
from api.incident_metrics import grouped
from api.maintenance_metrics import maintained
from ingest.receiver import Receiver
from orchestration.service import Service
from orchestration.steps.models import Detected

PREFIX = "fleetlake_"

CLUSTER, RULE = ("cluster",), ("cluster", "reason")


class ServiceCollector(Collector):
    """Reads the counters of a running service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Every metric, as of now."""
        service = self._service
        yield from _received(service.receiver)
        yield from _judged(service.receiver)
        yield from _stored(service.receiver)
        yield from _replicas(service.receiver)
        yield from _scraped(service)
        yield from _watched(service)
        yield from maintained(service.maintainer.statistics)
        yield from foretold(service.forecaster.statistics, service.clock())
        yield from advised(service.adviser.statistics)
        yield from grouped(service.worker.incidents)
        health = service.worker.health
        yield _counter("ticks", "Detection ticks.", health.ticks)
        yield _counter("tick_failures", "Detection ticks that failed.", health.tick_failures)
        yield _gauge("tick_seconds", "Duration of the last tick.", health.tick_seconds)
        yield _unscored(health.last_detected)


def _unscored(detected: Detected | None) -> Metric:
    family = GaugeMetricFamily(
        PREFIX + "detector_failures",
        "Series and entities that a detector could not learn or score at the last tick.",
        labels=("detector",),
    )
    for detector, count in sorted((detected.failed if detected else {}).items()):
        family.add_metric([detector], count)
    return family


def _received(receiver: Receiver) -> Iterator[Metric]:
    stats = receiver.statistics
    yield _counters("samples_received", "Samples acknowledged.", CLUSTER, stats.samples)
    yield _counters("events_received", "Events acknowledged.", CLUSTER, stats.events)
    yield _counter("histograms_received", "Native histograms acknowledged.", stats.histograms)
    yield _counter("stale_markers", "Stale markers heeded.", stats.stale_markers)
    yield _counter("exemplars_dropped", "Exemplars dropped.", stats.exemplars_dropped)
    yield _counter(
        "repeated_requests", "Requests sent again, stored once.", stats.repeated_requests
    )


def _judged(receiver: Receiver) -> Iterator[Metric]:
    stats, settings = receiver.statistics, receiver.settings
    yield _counters("samples_refused", "Samples and events that broke a rule.", RULE, stats.refused)
    yield _counters(
        "requests_refused",
        "Requests refused whole, before their samples could be told apart.",
        RULE,
        stats.refused_requests,
    )
    yield _counters(
        "samples_deduplicated",
        "Samples left out because another replica of the cluster is stored.",
        CLUSTER,
        stats.deduplicated,
    )
    yield _counter("samples_relabelled_away", "Samples left out by a rule.", stats.relabelled)
    active = GaugeMetricFamily(PREFIX + "series_active", "Active series.", labels=CLUSTER)
    for cluster, count in sorted(receiver.catalogue.active_by_cluster().items()):
        active.add_metric([cluster], count)
    yield active
    limit = settings.max_series_per_cluster or settings.max_series
    yield _gauge("series_limit", "Active series that one cluster may have.", limit)
    yield _counter(
        "series_forgotten", "Series that ended and were forgotten.", stats.series_forgotten
    )


def _stored(receiver: Receiver) -> Iterator[Metric]:
    stats = receiver.statistics
    yield _counter("flushes", "Flushes that reached the lake.", stats.flushes)
    yield _counter("flush_failures", "Flushes that failed and were kept.", stats.flush_failures)
    yield _counter("samples_flushed", "Samples flushed since start.", stats.flushed_samples)
    yield _counter("replayed_records", "Log records replayed at start.", stats.replayed_records)
    last = stats.last_flush.timestamp() if stats.last_flush else 0.0
    yield _gauge("last_flush_timestamp_seconds", "Time of the last flush.", last)
    yield _gauge("samples_waiting", "Samples not yet in the lake.", receiver.waiting_samples())
    yield _gauge("log_bytes", "Size of the write-ahead log.", receiver.log_bytes())
    failing = receiver.log_failure() is not None
    yield _gauge("log_failing", "Whether the log could not be written just now.", int(failing))
    yield _gauge("series_known", "Active series of all clusters.", len(receiver.catalogue))


def _replicas(receiver: Receiver) -> Iterator[Metric]:
    elected = receiver.replicas.statistics()
    if not elected:
        return
    info = GaugeMetricFamily(
        PREFIX + "replica_elected", "The replica that is stored.", labels=("cluster", "replica")
    )
    for cluster, one in sorted(elected.items()):
        info.add_metric([cluster, one.replica], 1)
    yield info
    changes = {cluster: one.changes for cluster, one in elected.items()}
    yield _counters("replica_changes", "Changes to another replica.", CLUSTER, changes)


def _scraped(service: Service) -> Iterator[Metric]:
    """What the scraper did, by cluster; nothing where it has no targets."""
    stats = service.scraper.statistics
    if not service.settings.scrapes:
        return
    for name, text in (
        ("scrapes", "Scrapes begun."),
        ("failures", "Scrapes without an exposition that could be taken."),
        ("samples", "Samples stored that targets exposed."),
        ("stale", "Series that ended."),
        ("duplicates", "Samples left out: their series stood there before."),
        ("exemplars", "Exemplars dropped."),
        ("refused", "Samples that the receiver's rules refused."),
        ("lost", "Scrapes that could not be stored: no room, or no log."),
        ("skipped", "Scrapes whose time passed while the one before was under way."),
    ):
        yield _counters(f"scrape_{name}", text, CLUSTER, getattr(stats, name))


def _watched(service: Service) -> Iterator[Metric]:
    """What the watches of clusters read, by cluster; nothing where there are none."""
    watched = service.watchers.statistics
    if not watched:
        return
    for name, text in (
        ("events", "Events of watches and changes acknowledged."),
        ("repeated_events", "Events seen again under the same uid and count, left out."),
        ("refused_events", "Events that the receiver refused for good."),
        ("malformed_lines", "Lines of watches that were no JSON, or too long."),
        ("lists", "Lists of all events: first starts and lost positions."),
        ("watches", "Watches opened."),
        ("bookmarks", "Bookmarks of watches, which bring nothing but a position."),
        ("failures", "Requests to API servers that failed."),
        ("refusals_of_receiver", "Times that the receiver had no room, or no log."),
        ("snapshots", "Snapshots of objects."),
        ("changes", "Changes found between snapshots."),
    ):
        counts = {cluster: getattr(statistics, name) for cluster, statistics in watched.items()}
        yield _counters(f"kubernetes_{name}", text, CLUSTER, counts)
    objects = GaugeMetricFamily(
        PREFIX + "kubernetes_objects", "Objects in the newest snapshot.", labels=CLUSTER
    )
    for cluster, statistics in sorted(watched.items()):
        objects.add_metric([cluster], statistics.objects)
    yield objects
    for name, text in (
        ("last_event", "Time at which a watch last brought an event."),
        ("last_snapshot", "Time of the newest snapshot of objects."),
    ):
        times = GaugeMetricFamily(
            f"{PREFIX}kubernetes_{name}_timestamp_seconds", text, labels=CLUSTER
        )
        for cluster, statistics in sorted(watched.items()):
            if (moment := getattr(statistics, name)) is not None:
                times.add_metric([cluster], moment.timestamp())
        yield times


def _counter(name: str, text: str, count: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=count)


def _counters(
    name: str,
    text: str,
    labels: tuple[str, ...],
    counts: Mapping[str, int] | Mapping[tuple[str, str], int],
) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    # A copy: others count on meanwhile.
    for key, count in sorted(_items(counts)):
        family.add_metric([key] if isinstance(key, str) else list(key), count)
    return family


def _items(
    counts: Mapping[str, int] | Mapping[tuple[str, str], int],
) -> Iterable[tuple[str | tuple[str, str], int]]:
    return list(counts.items())


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)
