"""What comes in over HTTP as samples: remote write."""

from functools import partial

from fastapi import APIRouter, Request, Response

from api.dependencies import ServiceDep
from api.errors import SlowBodyError, problem, status_of
from api.receiving import SenderDep, hand_in, raw_body
from ingest.errors import IngestError
from ingest.outcome import Written
from ingest.remote_write import headers
from ingest.wires import REMOTE_WRITE, unpacked_bytes

router = APIRouter(tags=["ingest"])


@router.post("/api/v1/write", status_code=204, response_class=Response)
@router.post("/api/v1/push", status_code=204, response_class=Response)
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
