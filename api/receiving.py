"""What the routes that take data share: who sends, the body within limits, the hand-over."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request

from api.body import read_body
from api.dependencies import ServiceDep
from ingest.encoding import decompress
from ingest.load import SAMPLE_BYTES
from ingest.outcome import Outcome, Written
from ingest.sender import Sender
from orchestration.service import Service

INLINE_BYTES = 1 << 10
"""Larger bodies, unpacked, are decoded beside the event loop: in this much a native histogram has a
thousand buckets at most, which take 20 ms."""

# Decoding needs the interpreter, so more threads gain nothing; two, so that a heavy body does not
# hold up all others. What they hold at a time is bounded by them too.
_decoders = ThreadPoolExecutor(2, thread_name_prefix="decode")

SMALL_SAMPLES = (64 << 10) // SAMPLE_BYTES
"""What is being read is not worth asking about below this."""

Result = TypeVar("Result")


async def sender(
    request: Request,
    service: ServiceDep,
    cluster: Annotated[
        str | None,
        Query(min_length=1, description="cluster of data that carries no `cluster` label"),
    ] = None,
) -> Sender:
    """Who sends: by token, where there are tokens; else as `?cluster=` or `X-Scope-OrgID` says.

    Raises:
        UnauthorizedError: tokens are set, and the request has none of them.
        ClusterForbiddenError: the token does not allow the cluster that the request names.
    """
    named = cluster or request.headers.get("x-scope-orgid") or None
    return service.settings.ingest.sender(request.headers.get("authorization"), named)


SenderDep = Annotated[Sender, Depends(sender)]


async def raw_body(request: Request, service: Service) -> bytes:
    """The body as it came, refused as soon as it is known to be too large or not to fit."""
    receiver = service.receiver
    # Asked before anything is read, and again as it comes: what is half read takes memory too.
    receiver.check_load(receiver.queued.samples())

    def hold(size: int) -> None:
        receiver.queued.add_bytes(size)
        # Small bodies are let in whole: they were asked about above.
        if size > 0 and receiver.queued.samples() > SMALL_SAMPLES:
            receiver.check_load(receiver.queued.samples())

    return await read_body(request, service.settings.ingest.max_body_bytes, hold)


async def plain_body(request: Request, service: Service) -> bytes:
    """The body with its `Content-Encoding` undone, refused as `raw_body` does."""
    body = await raw_body(request, service)
    encoding = request.headers.get("content-encoding")
    if encoding is None:
        return body
    limit = service.settings.ingest.max_body_bytes
    return await beside(decompress, body, encoding, limit)


async def hand_in(
    service: Service, size: int, unpacked: int, write: Callable[[], Outcome]
) -> Written:
    """Hand a body of `size` bytes to the receiver; the answer comes when it is durable.

    Args:
        service: with the receiver.
        size: bytes held until the receiver counts them itself.
        unpacked: bytes that `write` works through: many are worked through beside the event loop.
        write: what hands it in.
    """
    loop, queued = asyncio.get_running_loop(), service.receiver.queued
    answer: asyncio.Future[Written] = loop.create_future()
    held = size // SAMPLE_BYTES
    queued.add(held)

    def act() -> None:
        try:
            outcome = write()
        except BaseException as error:  # noqa: BLE001 - told by the route
            loop.call_soon_threadsafe(_settle, answer, None, error)
        else:
            outcome.add_done_callback(told)
        finally:
            queued.add(-held)

    def told(outcome: Outcome) -> None:
        error = outcome.exception()
        written = None if error else outcome.result()
        loop.call_soon_threadsafe(_settle, answer, written, error)

    if unpacked <= INLINE_BYTES:
        act()
    else:
        # One way there and one back: each turn that threads take costs as much as a decode.
        _decoders.submit(act)
    return await answer


def _settle(
    answer: "asyncio.Future[Written]", written: Written | None, error: BaseException | None
) -> None:
    if answer.done():
        return  # its sender has hung up
    if written is not None:
        answer.set_result(written)
    else:
        answer.set_exception(error or RuntimeError("bug: neither an answer nor an error"))


async def beside(act: Callable[..., Result], *arguments: object) -> Result:
    """Run something heavy in one of the threads that decode."""
    return await asyncio.get_running_loop().run_in_executor(_decoders, act, *arguments)
