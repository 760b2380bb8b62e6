"""Reading a request's body within a limit."""

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from ingest.errors import BodyTooLargeError

CLIENT_CLOSED_REQUEST = 499
"""nginx' status for a client that hung up: nobody reads it, but logs and counters do."""


async def read_body(request: Request, limit: int) -> bytes:
    """The body, refused as soon as it is known to have more than `limit` bytes.

    Raises:
        BodyTooLargeError: it has.
        HTTPException: the client hung up within it.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise BodyTooLargeError(int(stated), limit)
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise BodyTooLargeError(size, limit)
            parts.append(part)
    except ClientDisconnect:
        raise HTTPException(CLIENT_CLOSED_REQUEST, "client hung up within its body") from None
    return b"".join(parts)
