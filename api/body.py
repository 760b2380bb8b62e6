"""Reading a request's body within a limit."""

from fastapi import Request

from ingest.errors import BodyTooLargeError


async def read_body(request: Request, limit: int) -> bytes:
    """The body, refused as soon as it is known to have more than `limit` bytes.

    Raises:
        BodyTooLargeError: it has.
    """
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
