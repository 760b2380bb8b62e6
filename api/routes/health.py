"""Whether it lives, whether it works, and its own metrics."""

from collections.abc import Mapping
from itertools import islice

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from api.caller import ReadsAllDep
from api.dependencies import QueriesDep, ServiceDep
from api.monitoring import ServiceCollector
from api.results.queries import QueryCollector
from orchestration.failures import Failure
from orchestration.service import Service

router = APIRouter(tags=["health"])

MOST_TARGETS = 50
"""Failing targets that are named; a cluster that is down takes all of its own with it."""


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(service: ServiceDep, whole: ReadsAllDep) -> JSONResponse:
    """Data is taken, flushed and scored; otherwise 503 with what is wrong.

    A cluster that we watch and cannot reach, and a target that we cannot scrape, are told too, as
    `sources`: others can still write. So are rounds of forecasts, advice and maintenance that
    fail, as `rounds`. Who may not read of all clusters is told what fails and since when, without
    the errors' texts, and of sources how many.
    """
    errors = service.worker.problems()
    if (failure := service.receiver.log_failure()) is not None:
        errors["log"] = Failure.of(failure)
    sources = _sources(service) if whole else _counted(service)
    rounds = _told(service.failing_rounds(), whole=whole)
    return JSONResponse(
        {
            "status": "failing" if errors else "ready",
            "errors": _told(errors, whole=whole),
            **({"sources": sources} if sources else {}),
            **({"rounds": rounds} if rounds else {}),
        },
        status_code=503 if errors else 200,
    )


def _told(failures: Mapping[str, Failure], *, whole: bool) -> dict[str, str]:
    return {what: failure.told(whole=whole) for what, failure in failures.items()}


def _sources(service: Service) -> dict[str, str]:
    return dict(service.watchers.errors) | _targets(dict(service.scraper.statistics.errors))


def _counted(service: Service) -> dict[str, str]:
    """Their names are of clusters and addresses, their texts of what these have answered."""
    watched, scraped = len(service.watchers.errors), len(service.scraper.statistics.errors)
    return {
        name: f"{count} fail; the log says which"
        for name, count in (("watches", watched), ("scrapes", scraped))
        if count
    }


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
