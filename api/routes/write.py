"""What comes in over HTTP as samples: remote write.

FastAPI documents the routes, but requests take a shorter way beside it: to find the route and to
solve its dependencies took longer than to decode a request.
"""

from functools import partial

from fastapi import APIRouter, FastAPI, Request, Response

from api.dependencies import ServiceDep
from api.dependencies import service as service_of
from api.errors import SlowBodyError
from api.problems import problem, status_of
from api.receiving import SenderDep, hand_in, named_cluster, raw_body
from api.receiving import sender as sender_of
from ingest.errors import IngestError
from ingest.outcome import Written
from ingest.remote_write import headers
from ingest.wires import REMOTE_WRITE, unpacked_bytes

router = APIRouter(tags=["ingest"])

WRITE, PUSH = PATHS = "/api/v1/write", "/api/v1/push"


def install(app: FastAPI) -> None:
    """Add the shorter way: before the routers, whose routes are what the documentation shows."""
    for path in PATHS:
        app.add_route(path, _remote_write, methods=["POST"], include_in_schema=False)


async def _remote_write(request: Request) -> Response:
    service = await service_of(request)
    return await remote_write(
        request, service, await sender_of(request, service, named_cluster(request))
    )


@router.post(WRITE, status_code=204, response_class=Response)
@router.post(PUSH, status_code=204, response_class=Response)
async def remote_write(request: Request, service: ServiceDep, sender: SenderDep) -> Response:
    """Prometheus remote write 1.0 and 2.0 (snappy-compressed protobuf).

    204: every sample is on disk. 400: of some, a rule was broken; the others are on disk, the
    headers say how many, and sending again cannot help. 429: a limit, likewise. 503: nothing is
    stored, send it again later.
    """
    media, encoding = request.headers.get("content-type"), request.headers.get("content-encoding")
    try:
        version = headers.version(media, encoding)
        body = await raw_body(request, service)
        unpacked = unpacked_bytes(REMOTE_WRITE, body)
        write = partial(service.receiver.write_samples, body, sender, version=version)
        written = await hand_in(service, len(body), unpacked, write)
    except (IngestError, SlowBodyError) as error:
        return problem(*status_of(error), str(error), headers.written(Written()))
    if (refusal := written.refusal) is not None:
        told = problem(refusal.status, refusal.title, refusal.message, headers.written(written))
        # Sent again it would be refused again: what of it may be stored is stored.
        del told.headers["Retry-After"]
        return told
    return Response(status_code=204, headers=headers.written(written))
