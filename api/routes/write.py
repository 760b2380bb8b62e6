"""What comes in over HTTP: remote write and events."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import ServiceDep
from ingest.errors import BodyTooLargeError
from ingest.remote_write import headers

router = APIRouter(tags=["ingest"])

Cluster = Annotated[
    str | None, Query(min_length=1, description="cluster of data that carries no `cluster` label")
]


@router.post("/api/v1/write", status_code=204, response_class=Response)
async def remote_write(request: Request, service: ServiceDep, cluster: Cluster = None) -> Response:
    """Prometheus remote write 1.0 (snappy-compressed protobuf).

    204 means that every sample is on disk. 4xx: do not send it again; 503: do, later.
    """
    headers.check(request.headers.get("content-type"), request.headers.get("content-encoding"))
    body = await _body(request, service.settings.ingest.max_body_bytes)
    written = await asyncio.wrap_future(service.receiver.write_samples(body, cluster))
    return Response(
        status_code=204,
        headers={
            "X-Prometheus-Remote-Write-Samples-Written": str(written),
            "X-Prometheus-Remote-Write-Histograms-Written": "0",
            "X-Prometheus-Remote-Write-Exemplars-Written": "0",
        },
    )


@router.post("/api/v1/events", status_code=202)
async def post_events(
    request: Request, service: ServiceDep, cluster: Cluster = None
) -> dict[str, int]:
    """Events as JSON; the answer comes when they are on disk.

    Kubernetes Events (core/v1, events.k8s.io/v1, lists, watch lines), or plain objects with
    `source`, `reason` and `time`.
    """
    body = await _body(request, service.settings.ingest.max_body_bytes)
    accepted = await asyncio.wrap_future(service.receiver.write_events(body, cluster))
    return {"accepted": accepted}


async def _body(request: Request, limit: int) -> bytes:
    """The body, refused as soon as it is known to be too large."""
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise BodyTooLargeError(int(stated), limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(size, limit)
        parts.append(part)
    return b"".join(parts)
