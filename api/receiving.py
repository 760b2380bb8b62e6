"""What the routes that take data share: who sends, the body within limits, the hand-over."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError

from api.body import read_body
from api.dependencies import ServiceDep
from ingest.encoding import decompress
from ingest.load import SAMPLE_BYTES
from ingest.outcome import Outcome, Written
from ingest.receiver import Receiver
from ingest.sender import Sender
from orchestration.service import Service

INLINE_BYTES = 1 << 10
"""Larger bodies, unpacked, are decoded beside the event loop: in this much a native histogram has a
thousand buckets at most, which take 20 ms."""

# Remote write has threads of its own: a body of it takes milliseconds, one of OTLP's JSON seconds,
# and behind two of those it would wait. More threads gain nothing where they need the interpreter;
# two of each, so that a heavy body does not hold up all others. What they hold is bounded by them.
_decoders = ThreadPoolExecutor(2, thread_name_prefix="decode")
_translators = ThreadPoolExecutor(2, thread_name_prefix="translate")

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


def named_cluster(request: Request) -> str | None:
    """What FastAPI would give `sender` as `cluster`, for a route that it does not serve.

    Raises:
        RequestValidationError: it is there and empty.
    """
    cluster = request.query_params.get("cluster")
    if cluster == "":
        rule = "String should have at least 1 character"
        raise RequestValidationError([{"loc": ("query", "cluster"), "msg": rule, "input": cluster}])
    return cluster


async def raw_body(request: Request, service: Service) -> bytes:
    """The body as it came, refused as soon as it is known to be too large or not to fit."""
    receiver = service.receiver
    # Asked before anything is read, and again as it comes: what is half read takes memory too.
    receiver.check_load(receiver.queued.samples())
    with _counting(receiver) as hold:
        return await read_body(request, service.settings.ingest.max_body_bytes, hold)


@contextmanager
def _counting(receiver: Receiver) -> Iterator[Callable[[int], None]]:
    """Gives what counts bytes in and refuses those that do not fit; at the end all are let go."""
    held = 0

    def hold(size: int) -> None:
        nonlocal held
        held += size
        receiver.queued.add_bytes(size)
        # Small bodies are let in whole: they were asked about above.
        if size > 0 and receiver.queued.samples() > SMALL_SAMPLES:
            receiver.check_load(receiver.queued.samples())

    try:
        yield hold
    finally:
        receiver.queued.add_bytes(-held)


async def translated(
    request: Request,
    service: Service,
    translate: Callable[[bytes], Result],
    inline_bytes: int = INLINE_BYTES,
) -> Result:
    """What `translate` makes of the body with its `Content-Encoding` undone.

    Both happen in one turn of one thread, so there are at most as many unpacked bodies as threads.
    What is unpacked is counted before it is, and refused where it does not fit.

    Args:
        request: whose body it is.
        service: with the receiver.
        translate: takes the plain body; what it makes of it may be still to come.
        inline_bytes: bodies up to this size that are not packed are not worth a thread.
    """
    body = await raw_body(request, service)
    encoding = request.headers.get("content-encoding")
    if encoding is None and len(body) <= inline_bytes:
        return translate(body)
    limit = service.settings.ingest.max_body_bytes

    def act() -> Result:
        with _counting(service.receiver) as hold:
            return translate(decompress(body, encoding, limit, hold))

    with service.receiver.queued.holding(len(body)):
        return await asyncio.get_running_loop().run_in_executor(_translators, act)


async def hand_in(
    service: Service, size: int, unpacked: int, write: Callable[[], Outcome]
) -> Written:
    """Hand a body of `size` bytes of remote write to the receiver; answered when it is durable.

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
