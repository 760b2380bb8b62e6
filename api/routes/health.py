"""Whether it lives, whether it works, and its own metrics."""

from collections.abc import Iterator

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from api.dependencies import ServiceDep
from orchestration.service import Service

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(service: ServiceDep) -> JSONResponse:
    """Data is taken, flushed and scored; otherwise 503 with what is wrong."""
    errors = dict(service.worker.health.errors)
    if (failure := service.receiver.log_failure()) is not None:
        errors["log"] = f"{type(failure).__name__}: {failure}"
    return JSONResponse(
        {"status": "failing" if errors else "ready", "errors": errors},
        status_code=503 if errors else 200,
    )


@router.get("/metrics")
def metrics(service: ServiceDep) -> Response:
    """Self-monitoring in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(service))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class ServiceCollector(Collector):
    """Reads the counters of a running service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Every metric, as of now."""
        receiver, worker = self._service.receiver, self._service.worker
        stats, health = receiver.statistics, worker.health
        for name, text, by in (
            ("samples_received", "Samples acknowledged.", stats.samples),
            ("events_received", "Events acknowledged.", stats.events),
        ):
            family = CounterMetricFamily(f"fleetlake_{name}", text, labels=["cluster"])
            for cluster, count in sorted(by.items()):
                family.add_metric([cluster], count)
            yield family
        for name, text, count in (
            ("repeated_requests", "Requests sent again, stored once.", stats.repeated_requests),
            ("stale_markers", "Stale markers left out.", stats.stale_markers),
            ("exemplars_dropped", "Exemplars dropped.", stats.exemplars_dropped),
            ("flushes", "Flushes that reached the lake.", stats.flushes),
            ("flush_failures", "Flushes that failed and were kept.", stats.flush_failures),
            (
                "samples_flushed",
                "Samples flushed since start.",
                stats.flushed_samples,
            ),
            ("replayed_records", "Log records replayed at start.", stats.replayed_records),
            ("ticks", "Detection ticks.", health.ticks),
            ("tick_failures", "Detection ticks that failed.", health.tick_failures),
        ):
            yield CounterMetricFamily(f"fleetlake_{name}", text, value=count)
        last_flush = stats.last_flush.timestamp() if stats.last_flush else 0.0
        for name, text, value in (
            ("series_known", "Series seen by this process.", len(receiver.catalogue)),
            ("samples_waiting", "Samples not yet in the lake.", receiver.waiting_samples()),
            ("log_bytes", "Size of the write-ahead log.", receiver.log_bytes()),
            ("tick_seconds", "Duration of the last tick.", health.tick_seconds),
            ("last_flush_timestamp_seconds", "Time of the last flush.", last_flush),
        ):
            yield GaugeMetricFamily(f"fleetlake_{name}", text, value=value)
