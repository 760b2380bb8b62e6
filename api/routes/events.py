"""What comes in over HTTP as events: plain JSON, OPA's decisions, alerts."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.dependencies import ServiceDep
from api.problems import problem
from api.receiving import SenderDep, translated
from ingest import opa
from ingest.alert_gateway import AlertGateway, Told
from ingest.errors import InvalidEventError, MalformedBodyError
from ingest.events import from_lines
from ingest.opa import Translation
from ingest.outcome import BAD_REQUEST, Outcome, Refusal, Written, settled
from ingest.sender import Sender
from ingest.wires import FORBIDDEN
from orchestration.service import Service

logger = logging.getLogger(__name__)

LINES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
"""What senders call a document a line; there is no registered name."""


def router(service: Service) -> APIRouter:
    """The routes, with the memory of the alerts that come in by them."""
    routes = APIRouter(tags=["ingest"])
    gateway = AlertGateway(service.receiver, service.clock)

    @routes.post("/api/v1/events", status_code=202)
    async def post_events(request: Request, service: ServiceDep, sender: SenderDep) -> Response:
        """Events as JSON; the answer comes when they are on disk.

        202: all are. 400 and 403: of some a rule was broken, which sending again cannot mend; the
        others are on disk, and the detail says how many.

        Kubernetes Events (core/v1, events.k8s.io/v1, lists, watch lines), or plain objects with
        `source`, `reason` and `time`: one, an array, or one a line (`application/x-ndjson`).
        """
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        translate = from_lines if media in LINES else None

        def write(body: bytes) -> Outcome:
            # The same body gives the same events: by those it is known when it is sent again.
            return service.receiver.write_events(translate(body) if translate else body, sender)

        written = await asyncio.wrap_future(await translated(request, service, write))
        if written.refusal is not None:
            return _refused(written.refusal, written.events, "events")
        return JSONResponse({"accepted": written.events}, 202)

    @routes.post("/logs")
    @routes.post("/logs/{partition}")
    async def opa_decisions(
        request: Request, service: ServiceDep, sender: SenderDep, partition: str | None = None
    ) -> dict[str, int]:
        """Decision logs of OPA (a JSON array, gzip): each decision is an event.

        200: all that can be stored are on disk. OPA sends whatever got no 2xx again, for ever: what
        breaks a rule is counted (`refused`). Where no decision names a cluster that it may, the
        settings are wrong, and the answer is 400 or 403.
        """
        return await _decisions(request, service, sender, partition)

    @routes.post("/api/v1/alertmanager/webhook")
    async def alertmanager_webhook(
        request: Request, service: ServiceDep, sender: SenderDep
    ) -> Response:
        """Alertmanager's webhook, version 4: each state of an alert is an event, once.

        200: all are on disk, save those that began too long ago (`too_old`). 400 and 403: of some a
        rule was broken; the others are on disk, and the detail says how many.
        """
        return await _alerts(request, service, sender, gateway.write_webhook)

    @routes.post("/api/v2/alerts")
    async def prometheus_alerts(
        request: Request, service: ServiceDep, sender: SenderDep
    ) -> Response:
        """Alerts as a Prometheus sends them to its Alertmanagers: each state is an event, once.

        200: all are on disk, save those that began too long ago (`too_old`). 400 and 403: of some a
        rule was broken; the others are on disk, and the detail says how many.
        """
        return await _alerts(request, service, sender, gateway.write_alerts)

    return routes


async def _decisions(
    request: Request, service: Service, sender: Sender, partition: str | None
) -> dict[str, int]:
    """How many decisions of a body are stored, and how many never will be."""
    found = Translation(())

    def write(body: bytes) -> Outcome:
        nonlocal found
        found = opa.translate(body, partition)
        if not found.events:
            if found.refused and isinstance(found.refused[0], MalformedBodyError):
                raise found.refused[0]  # no OPA wrote this
            return settled(Written())
        return service.receiver.write_events(found.body(), sender)

    try:
        written = await asyncio.wrap_future(await translated(request, service, write))
    except InvalidEventError as error:
        # None of them can be stored, now or later; the receiver has counted them.
        written = Written(refusal=Refusal(len(found.events), BAD_REQUEST, str(error)))
    refused = Counter((sender.cluster or "", error.reason) for error in found.refused)
    service.receiver.statistics.refuse(refused)
    rules = [str(error) for error in found.refused[:1]]
    rules += [written.refusal.message] if written.refusal else []
    if rules:
        logger.warning("decisions refused", extra={"problem": rules[0]})
    late = written.refusal.count if written.refusal else 0
    return {"accepted": written.events, "refused": len(found.refused) + late}


async def _alerts(
    request: Request,
    service: Service,
    sender: Sender,
    write: Callable[[bytes, Sender], "Future[Told]"],
) -> Response:
    told = await asyncio.wrap_future(await translated(request, service, lambda b: write(b, sender)))
    if (refusal := told.written.refusal) is not None:
        return _refused(refusal, told.written.events, "alerts")
    counts = {"accepted": told.written.events, "repeated": told.repeated, "too_old": told.too_old}
    return JSONResponse(counts)


def _refused(refusal: Refusal, stored: int, what: str) -> Response:
    detail = f"{stored} {what} are stored, {refusal.count} are not: {refusal.message}"
    title = "cluster not allowed" if refusal.status == FORBIDDEN else refusal.title
    return problem(refusal.status, title, detail)
