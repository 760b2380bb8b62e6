"""Reading a request's body within limits of size and time."""

import asyncio
from collections.abc import Callable

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from api.errors import SlowBodyError
from ingest.errors import BodyTooLargeError

CLIENT_CLOSED_REQUEST = 499
"""nginx' status for a client that hung up: nobody reads it, but logs and counters do."""

BODY_SECONDS = 60.0
"""For a whole body: a sender that drips holds memory and a connection."""


async def read_body(
    request: Request,
    limit: int,
    hold: Callable[[int], None] = lambda size: None,
    seconds: float = BODY_SECONDS,
) -> bytes:
    """The body, refused as soon as it is known to have more than `limit` bytes.

    Args:
        request: whose body it is.
        limit: bytes that it may have.
        hold: told of each part's bytes as it comes, and of all of them, negative, at the end.
        seconds: that it may take.

    Raises:
        BodyTooLargeError: it has more.
        SlowBodyError: it took too long.
        HTTPException: the client hung up within it.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise BodyTooLargeError(int(stated), limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                hold(len(part))
                if size > limit:
                    raise BodyTooLargeError(size, limit)
                parts.append(part)
    except ClientDisconnect:
        raise HTTPException(CLIENT_CLOSED_REQUEST, "client hung up within its body") from None
    except TimeoutError:
        raise SlowBodyError(seconds) from None
    finally:
        hold(-size)
    return b"".join(parts)
