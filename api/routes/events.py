"""What comes in over HTTP as events: plain JSON, OPA's decisions, alerts."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.dependencies import ServiceDep
from api.errors import problem
from api.receiving import INLINE_BYTES, SenderDep, beside, hand_in, plain_body
from ingest import opa
from ingest.alert_gateway import AlertGateway, Told
from ingest.events import from_lines
from ingest.outcome import Outcome
from ingest.sender import Sender
from orchestration.service import Service

LINES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
"""What senders call a document a line; there is no registered name."""


def router(service: Service) -> APIRouter:
    """The routes, with the memory of the alerts that come in by them."""
    routes = APIRouter(tags=["ingest"])
    gateway = AlertGateway(service.receiver, service.clock)

    @routes.post("/api/v1/events", status_code=202)
    async def post_events(
        request: Request, service: ServiceDep, sender: SenderDep
    ) -> dict[str, int]:
        """Events as JSON; the answer comes when they are on disk.

        Kubernetes Events (core/v1, events.k8s.io/v1, lists, watch lines), or plain objects with
        `source`, `reason` and `time`: one, an array, or one a line (`application/x-ndjson`).
        """
        body = await plain_body(request, service)
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        translate = from_lines if media in LINES else None
        return {"accepted": await _events(service, body, sender, translate)}

    @routes.post("/logs")
    @routes.post("/logs/{partition}")
    async def opa_decisions(
        request: Request, service: ServiceDep, sender: SenderDep, partition: str | None = None
    ) -> dict[str, int]:
        """Decision logs of OPA (a JSON array, gzip): each decision is an event.

        200 means that all are on disk; OPA sends the others again.
        """
        body = await plain_body(request, service)
        translate = partial(opa.translate, partition=partition)
        return {"accepted": await _events(service, body, sender, translate)}

    @routes.post("/api/v1/alertmanager/webhook")
    async def alertmanager_webhook(
        request: Request, service: ServiceDep, sender: SenderDep
    ) -> Response:
        """Alertmanager's webhook, version 4: each state of an alert is an event, once.

        200 means that all are on disk. 400: a rule was broken; what it says is not stored.
        """
        return await _alerts(request, service, sender, gateway.write_webhook)

    @routes.post("/api/v2/alerts")
    async def prometheus_alerts(
        request: Request, service: ServiceDep, sender: SenderDep
    ) -> Response:
        """Alerts as a Prometheus sends them to its Alertmanagers: each state is an event, once.

        200 means that all are on disk. 400: a rule was broken; what it says is not stored.
        """
        return await _alerts(request, service, sender, gateway.write_alerts)

    return routes


async def _events(
    service: Service, body: bytes, sender: Sender, translate: Callable[[bytes], bytes] | None
) -> int:
    """How many events of a body are stored, after translating it."""

    def write() -> Outcome:
        # The same body gives the same events: by those it is known when it is sent again.
        return service.receiver.write_events(translate(body) if translate else body, sender)

    written = await hand_in(service, len(body), len(body), write)
    return written.events


async def _alerts(
    request: Request,
    service: Service,
    sender: Sender,
    write: Callable[[bytes, Sender], "Future[Told]"],
) -> Response:
    body = await plain_body(request, service)
    with service.receiver.queued.holding(len(body)):
        inline = len(body) <= INLINE_BYTES
        done = write(body, sender) if inline else await beside(write, body, sender)
    told = await asyncio.wrap_future(done)
    if (refusal := told.written.refusal) is not None:
        return problem(refusal.status, refusal.title, refusal.message)
    return JSONResponse({"accepted": told.written.events, "repeated": told.repeated})
