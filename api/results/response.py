"""An answer to SQL, sent while the query runs, and called off when the client hangs up.

Pieces are read one at a time in a thread, and the next one only when the socket took the last: a
slow client slows the query's process, and this one holds a piece of it. What fails before the first
piece is answered with a problem document. What fails later cannot be: the connection is closed
within the body, so that no client takes a part for the whole.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Response
from starlette.types import Receive, Scope, Send

from api.errors import TooManyQueriesError
from api.results.headers import SNAPSHOT_HEADER, VERSIONS_HEADER
from api.results.queries import Queries
from lake.errors import LakeError, QueryCancelledError
from lake.query import Stream
from lake.sandbox import PIECE_BYTES

logger = logging.getLogger(__name__)

T = TypeVar("T")

_finishing: set[asyncio.Task[None]] = set()
"""Answers that outlive their request, until their worker is free."""


class SqlResponse(Response):
    """One answer.

    Args:
        queries: whose slot it takes.
        begin: starts the query; called in a thread.
        media_type: of what `begin` gives.
    """

    def __init__(self, queries: Queries, begin: Callable[[], Stream], media_type: str) -> None:
        super().__init__()
        self.media_type = media_type
        self._queries = queries
        self._begin = begin
        self._stream: Stream | None = None
        self._whole = False
        self._gone = asyncio.Event()
        # Of this answer alone: one thread reads, one may cancel.
        self._threads = CapacityLimiter(2)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or raise what went wrong before its first byte."""
        del scope
        hung_up = asyncio.create_task(_hung_up(receive))
        answering = asyncio.create_task(self._answer(send))
        _finishing.add(answering)
        answering.add_done_callback(_finished)
        try:
            await asyncio.wait({hung_up, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hung_up.cancel()
            if not answering.done():  # the client went away, or the server ends
                self._gone.set()
                if self._stream is not None:
                    await self._in_thread(self._stream.answer.cancel)
        await answering

    async def _answer(self, send: Send) -> None:
        """Run the query in a slot and send what it gives."""
        outcome = "failed"
        try:
            if not await self._queries.acquire(self._gone):
                outcome = "cancelled"
                return
            try:
                outcome = await self._run(send)
            finally:
                self._queries.release()
        except TooManyQueriesError:
            outcome = "refused"
            raise
        except QueryCancelledError:
            outcome = "cancelled"
        except _TornError as torn:
            # Returning without the last chunk closes the connection.
            outcome = "cut_off"
            logger.warning("sql answer cut off", extra={"reason": str(torn)})
        finally:
            self._queries.outcomes[outcome] += 1

    async def _run(self, send: Send) -> str:
        try:
            began = await self._in_thread(self._start)
            if began is None:
                return "cancelled"
            await self._send(send, *began)
        finally:
            if self._stream is not None and not self._whole:
                await self._in_thread(self._stream.answer.close)
        return "answered"

    def _start(self) -> tuple[Stream, bytes] | None:
        """Begin, and read the first piece; None if nobody waits for it. Runs in a thread.

        Where that is all, the answer is closed as well: each way to a thread and back takes as
        long as some queries do.
        """
        stream = self._stream = self._begin()
        if self._gone.is_set():
            return None
        piece = stream.answer.read()
        # Of a longer answer, no piece is short before the worker has sent one that is not.
        if len(piece) < PIECE_BYTES:
            more = stream.answer.read()
            if more:
                return stream, piece + more
            stream.answer.close()
            self._whole = True
        return stream, piece

    async def _send(self, send: Send, stream: Stream, piece: bytes) -> None:
        left = self._queries.fetch_seconds
        headers = {"content-type": self.media_type or "", **stream_headers(stream)}
        raw = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        try:
            while piece and not self._whole:
                began = time.monotonic()
                async with asyncio.timeout(left):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                left -= time.monotonic() - began
                piece = await self._in_thread(stream.answer.read)
            async with asyncio.timeout(left):
                await send({"type": "http.response.body", "body": piece, "more_body": False})
        except TimeoutError:
            raise _TornError(
                f"the client took longer than {self._queries.fetch_seconds:g} s to take it"
            ) from None
        except QueryCancelledError:
            raise
        except LakeError as error:
            raise _TornError(str(error)) from error

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await to_thread.run_sync(act, limiter=self._threads)


class _TornError(Exception):
    """A part of the answer was sent, and the rest cannot be."""


def _finished(answering: asyncio.Task[None]) -> None:
    _finishing.discard(answering)
    if not answering.cancelled():
        answering.exception()  # it was raised to whoever still waited for it


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def stream_headers(stream: Stream) -> dict[str, str]:
    """What the rows were read from, in headers."""
    versions = ",".join(f"{name}={version}" for name, version in sorted(stream.versions.items()))
    return {SNAPSHOT_HEADER: stream.snapshot_id, VERSIONS_HEADER: versions}
