"""What comes in over HTTP: remote write and events."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.body import read_body
from api.dependencies import ServiceDep
from ingest.remote_write import headers
from ingest.wires import REMOTE_WRITE, unpacked_bytes
from orchestration.service import Service

router = APIRouter(tags=["ingest"])

INLINE_BYTES = 16 << 10
"""Larger bodies, unpacked, are decoded beside the event loop: this much holds 1,000 new series at
most, which take 30 ms."""

# Decoding needs the interpreter, so more threads gain nothing; two, so that a heavy body does not
# hold up all others. What they hold at a time is bounded by them too.
_decoders = ThreadPoolExecutor(2, thread_name_prefix="decode")

Cluster = Annotated[
    str | None, Query(min_length=1, description="cluster of data that carries no `cluster` label")
]


@router.post("/api/v1/write", status_code=204, response_class=Response)
async def remote_write(request: Request, service: ServiceDep, cluster: Cluster = None) -> Response:
    """Prometheus remote write 1.0 (snappy-compressed protobuf).

    204 means that every sample is on disk. 4xx: do not send it again; 503: do, later.
    """
    headers.check(request.headers.get("content-type"), request.headers.get("content-encoding"))
    body = await _body(request, service)
    unpacked = unpacked_bytes(REMOTE_WRITE, body)
    with service.receiver.queued.holding(len(body)):
        done = await _hand_in(service.receiver.write_samples, body, cluster, unpacked)
    written = await asyncio.wrap_future(done)
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
    body = await _body(request, service)
    with service.receiver.queued.holding(len(body)):
        done = await _hand_in(service.receiver.write_events, body, cluster, len(body))
    accepted = await asyncio.wrap_future(done)
    return {"accepted": accepted}


async def _hand_in(
    write: Callable[[bytes, str | None], "Future[int]"],
    body: bytes,
    cluster: str | None,
    unpacked: int,
) -> "Future[int]":
    if unpacked <= INLINE_BYTES:
        return write(body, cluster)
    return await asyncio.get_running_loop().run_in_executor(_decoders, write, body, cluster)


async def _body(request: Request, service: Service) -> bytes:
    """The body, refused as soon as it is known to be too large or not to fit."""
    # Asked before anything is read; what is read waits for a thread that decodes it.
    service.receiver.check_load(service.receiver.queued.samples())
    return await read_body(request, service.settings.ingest.max_body_bytes)
