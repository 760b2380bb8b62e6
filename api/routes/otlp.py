"""OpenTelemetry's protocol over HTTP: metrics and logs, as protobuf or JSON.

Every path that its senders know is answered: the protocol's own, Prometheus' and Mimir's.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from starlette.exceptions import HTTPException

from api.dependencies import ServiceDep
from api.errors import SlowBodyError
from api.problems import problem, status_of
from api.receiving import SenderDep, translated
from ingest.errors import IngestError, UnsupportedProtocolError
from ingest.otlp.gateway import Gateway
from ingest.otlp.wire import encode, media_type
from orchestration.service import Service

CODES = {400: 3, 401: 16, 403: 7, 413: 8, 415: 3, 429: 8, 503: 14}
"""gRPC's code for a status: invalid argument, unauthenticated, permission denied, resource
exhausted, unavailable."""

UNKNOWN_CODE = 2

NEVER_INLINE = -1
"""A kilobyte of an exponential histogram can be ten thousand samples."""

BAD_REQUEST = 400
"""For an address that is wrong too: the protocol's senders know no 422."""

BODY = {"schema": {"type": "string", "format": "binary"}}
ACCEPTED = {
    "requestBody": {
        "required": True,
        "content": {"application/x-protobuf": BODY, "application/json": {"schema": {}}},
    }
}


class OtlpRoute(APIRoute):
    """A route whose errors are a `google.rpc.Status` in the encoding of the request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, and around it what makes its errors such messages."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                media = media_type(request.headers.get("content-type"))
            except UnsupportedProtocolError as error:
                # In neither encoding, so it is told as everybody else is.
                return problem(*status_of(error), str(error))
            try:
                return await handle(request)
            except (IngestError, SlowBodyError) as error:
                return _refused(*status_of(error), str(error), media)
            except RequestValidationError as error:
                found = error.errors()
                rule = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in found)
                return _refused(BAD_REQUEST, "bad request", rule, media)
            except HTTPException as error:
                return _refused(error.status_code, "", str(error.detail), media)

        return answer


def router(service: Service) -> APIRouter:
    """The routes, with the totals of the deltas that come in by them."""
    routes = APIRouter(tags=["ingest"], route_class=OtlpRoute)
    gateway = Gateway(service.receiver, service.clock)

    @routes.post("/v1/metrics", openapi_extra=ACCEPTED, response_class=Response)
    @routes.post("/api/v1/otlp/v1/metrics", openapi_extra=ACCEPTED, response_class=Response)
    @routes.post("/otlp/v1/metrics", openapi_extra=ACCEPTED, response_class=Response)
    async def otlp_metrics(request: Request, service: ServiceDep, sender: SenderDep) -> Response:
        """OpenTelemetry metrics (OTLP/HTTP): an `ExportMetricsServiceRequest`, or its JSON.

        200 means that all is on disk but for what `partialSuccess` counts, with the rule it broke.
        """
        media = media_type(request.headers.get("content-type"))
        write = partial(gateway.write_metrics, media=media, sender=sender)
        done = await translated(request, service, write, NEVER_INLINE)
        return _reply(await asyncio.wrap_future(done), media)

    @routes.post("/v1/logs", openapi_extra=ACCEPTED, response_class=Response)
    @routes.post("/api/v1/otlp/v1/logs", openapi_extra=ACCEPTED, response_class=Response)
    @routes.post("/otlp/v1/logs", openapi_extra=ACCEPTED, response_class=Response)
    async def otlp_logs(request: Request, service: ServiceDep, sender: SenderDep) -> Response:
        """OpenTelemetry logs (OTLP/HTTP) as events: an `ExportLogsServiceRequest`, or its JSON.

        200 means that all is on disk but for what `partialSuccess` counts, with the rule it broke.
        """
        media = media_type(request.headers.get("content-type"))
        write = partial(gateway.write_logs, media=media, sender=sender)
        done = await translated(request, service, write, NEVER_INLINE)
        return _reply(await asyncio.wrap_future(done), media)

    return routes


def _reply(message: Message, media: str) -> Response:
    return Response(encode(message, media), media_type=media)


def _refused(status: int, title: str, detail: str, media: str) -> Response:
    told = Status(code=CODES.get(status, UNKNOWN_CODE), message=detail or title)
    headers = problem(status, title, detail).headers
    kept = {name: headers[name] for name in ("retry-after",) if name in headers}
    return Response(encode(told, media), status, kept, media_type=media)
