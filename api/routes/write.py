"""What comes in over HTTP: remote write and events."""

from functools import partial

from fastapi import APIRouter, Request, Response

from api.dependencies import ServiceDep
from api.receiving import SenderDep, hand_in, plain_body, raw_body
from ingest.remote_write import headers
from ingest.wires import REMOTE_WRITE, unpacked_bytes

router = APIRouter(tags=["ingest"])


@router.post("/api/v1/write", status_code=204, response_class=Response)
async def remote_write(request: Request, service: ServiceDep, sender: SenderDep) -> Response:
    """Prometheus remote write 1.0 (snappy-compressed protobuf).

    204 means that every sample is on disk. 4xx: do not send it again; 503: do, later.
    """
    headers.check(request.headers.get("content-type"), request.headers.get("content-encoding"))
    body = await raw_body(request, service)
    unpacked = unpacked_bytes(REMOTE_WRITE, body)
    written = await hand_in(
        service, len(body), unpacked, partial(service.receiver.write_samples, body, sender)
    )
    return Response(
        status_code=204,
        headers={
            "X-Prometheus-Remote-Write-Samples-Written": str(written.samples),
            "X-Prometheus-Remote-Write-Histograms-Written": str(written.histograms),
            "X-Prometheus-Remote-Write-Exemplars-Written": "0",
        },
    )


@router.post("/api/v1/events", status_code=202)
async def post_events(request: Request, service: ServiceDep, sender: SenderDep) -> dict[str, int]:
    """Events as JSON; the answer comes when they are on disk.

    Kubernetes Events (core/v1, events.k8s.io/v1, lists, watch lines), or plain objects with
    `source`, `reason` and `time`.
    """
    body = await plain_body(request, service)
    written = await hand_in(
        service, len(body), len(body), partial(service.receiver.write_events, body, sender)
    )
    return {"accepted": written.events}
