"""The app: one process, one port, for receivers, API and pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import admission, problems
from api.pages import home
from api.results.queries import MIB, Queries
from api.routes import (
    advice,
    events,
    forecasts,
    health,
    incidents,
    listings,
    otlp,
    placement,
    sql,
    write,
)
from lake import range_query
from orchestration.service import Service


def create_app(service: Service, *, run_worker: bool = True) -> FastAPI:
    """An app around a service; the worker's loops run from the app's start to its end.

    Args:
        service: owned by the caller; stopped with the app.
        run_worker: false where the caller flushes and scores himself (the demo, tests).
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if run_worker:
            service.start()
        try:
            yield
        finally:
            service.stop()

    # Its pages at /docs come from this machine: no content network is asked.
    app = FastAPIOffline(
        title="fleetlake",
        version=version("fleetlake"),
        summary="One open data lake for the metrics and events of many Kubernetes clusters",
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.queries = Queries.build(service.settings.api)
    range_query.shared.limit(service.settings.api.sql_pool_mb * MIB)
    problems.install(app)
    routers = (
        write.router,
        otlp.router(service),
        events.router(service),
        listings.router,
        incidents.router,
        forecasts.router,
        advice.router,
        placement.router,
        sql.router,
        health.router,
    )
    write.install(app)
    sql.install(app)
    for router in routers:
        app.include_router(router)
    routes = [route for router in routers for route in router.routes]
    admission.install(app, service.settings.api.tokens, routes)
    home.install(app, service)
    return app
