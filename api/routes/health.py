"""Whether it lives, whether it works, and its own metrics."""

from itertools import islice

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from api.dependencies import QueriesDep, ServiceDep
from api.monitoring import ServiceCollector
from api.results.queries import QueryCollector

router = APIRouter(tags=["health"])

MOST_TARGETS = 50
"""Failing targets that are named; a cluster that is down takes all of its own with it."""


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(service: ServiceDep) -> JSONResponse:
    """Data is taken, flushed and scored; otherwise 503 with what is wrong.

    A cluster that we watch and cannot reach, and a target that we cannot scrape, are told too, as
    `sources`: others can still write. So are rounds of forecasts and advice that fail, as `rounds`.
    """
    errors = service.worker.problems()
    if (failure := service.receiver.log_failure()) is not None:
        errors["log"] = f"{type(failure).__name__}: {failure}"
    sources = dict(service.watchers.errors) | _targets(dict(service.scraper.statistics.errors))
    return JSONResponse(
        {
            "status": "failing" if errors else "ready",
            "errors": errors,
            **({"sources": sources} if sources else {}),
            **({"rounds": rounds} if (rounds := service.failing_rounds()) else {}),
        },
        status_code=503 if errors else 200,
    )


def _targets(errors: dict[str, str]) -> dict[str, str]:
    told = dict(islice(errors.items(), MOST_TARGETS))
    if len(errors) > MOST_TARGETS:
        told["scrapes"] = f"{len(errors) - MOST_TARGETS} more targets fail"
    return told


@router.get("/metrics")
def metrics(service: ServiceDep, queries: QueriesDep) -> Response:
    """Self-monitoring in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(service))
    registry.register(QueryCollector(queries))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
