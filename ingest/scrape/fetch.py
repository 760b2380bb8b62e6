"""One GET of one target."""

import ssl
from dataclasses import dataclass

import httpx

from ingest.encoding import decompress
from ingest.errors import AnswerTooLargeError, BodyTooLargeError, IngestError, SourceError
from ingest.scrape.source import ScrapeSource

ACCEPT = (
    "application/openmetrics-text;version=1.0.0;q=0.8,"
    "text/plain;version=0.0.4;q=0.5,text/plain;q=0.3,*/*;q=0.1"
)

SHOWN = 200
"""Characters of an answer in a message."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a target exposes."""

    body: bytes
    openmetrics: bool


async def fetch(client: httpx.AsyncClient, url: str, source: ScrapeSource) -> Reply:
    """Ask a target. The time that it may take is the caller's to limit.

    Raises:
        AnswerTooLargeError: there is more than may be, packed or unpacked.
        SourceError: no answer, no success, or a format that is not understood.
    """
    seconds = source.timeout.total_seconds()
    headers = {
        "Accept": ACCEPT,
        "Accept-Encoding": "gzip",
        "X-Prometheus-Scrape-Timeout-Seconds": f"{seconds:g}",
        **source.authorization(),
    }
    try:
        async with client.stream("GET", url, headers=headers, timeout=seconds) as reply:
            packed = await _read(reply, source.max_body_bytes)
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
        raise SourceError(url, f"{type(error).__name__}: {error}") from error
    if not reply.is_success:
        shown = packed[:SHOWN].decode(errors="replace")
        raise SourceError(url, f"status {reply.status_code}: {shown}")
    try:
        body = decompress(packed, reply.headers.get("Content-Encoding"), source.max_body_bytes)
    except BodyTooLargeError as error:
        raise AnswerTooLargeError(url, str(error)) from error
    except IngestError as error:
        raise SourceError(url, str(error)) from error
    return Reply(body, _is_openmetrics(url, reply.headers.get("Content-Type", "")))


async def _read(reply: httpx.Response, limit: int) -> bytes:
    parts, size = [], 0
    # As it came: what it unpacks to is limited where it is unpacked.
    async for part in reply.aiter_raw():
        size += len(part)
        if size > limit:
            raise AnswerTooLargeError(str(reply.url), f"answer has over {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def _is_openmetrics(url: str, content_type: str) -> bool:
    """Which of the two formats it is; an answer that does not say is text.

    >>> _is_openmetrics("http://x", "application/openmetrics-text; version=1.0.0; charset=utf-8")
    True
    """
    media = content_type.partition(";")[0].strip().lower()
    if media == "application/openmetrics-text":
        return True
    if media in {"", "text/plain"}:
        return False
    raise SourceError(url, f"Content-Type is {content_type[:SHOWN]!r}, no text or OpenMetrics")
