"""The scraper: a thread with an event loop, in which every target has a task of its own.

A target that hangs costs a socket, not a thread, so it holds up no other. What came is parsed and
handed to the receiver in two threads beside the loop: its limits, its log, its names of series.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import httpx
import xxhash

from ingest.errors import (
    BadRequestError,
    BodyTooLargeError,
    IngestError,
    LogError,
    OverloadedError,
    SourceError,
)
from ingest.receiver import Receiver
from ingest.scrape.fetch import Reply, fetch
from ingest.scrape.source import ScrapeSource
from ingest.scrape.statistics import ScrapeStatistics
from ingest.scrape.target import Scrape, Target
from ingest.sender import Sender
from lake import Clock, utc_now
from lake.timerange import EPOCH

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_CONNECTIONS = 512
"""Scrapes under way at once. Only where so many targets hang together do others wait for them."""

THREADS = 2
"""That parse and decode; more would wait for the interpreter's lock."""

ON_TIME = timedelta(milliseconds=2)
"""A scrape that begins within this of its time is given that very time, as Prometheus does: even
steps are stored in far fewer bytes."""

MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class _Began:
    """When a scrape began, by both clocks."""

    at: datetime
    monotonic: float

    @property
    def ms(self) -> int:
        return (self.at - EPOCH) // MILLISECOND

    def seconds(self) -> float:
        return time.monotonic() - self.monotonic


class Scraper:
    """Scrapes all targets from `start` to `stop`.

    Args:
        receiver: where the samples go.
        sources: what to scrape.
        clock: the time.

    Raises:
        SourceError: certificates of a source cannot be read.
    """

    def __init__(
        self, receiver: Receiver, sources: tuple[ScrapeSource, ...], clock: Clock = utc_now
    ) -> None:
        self.statistics = ScrapeStatistics()
        self._receiver = receiver
        self._sources = [(source, source.verify()) for source in sources]
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._slots = asyncio.Semaphore(MOST_CONNECTIONS)
        self._running = threading.Event()

    def start(self) -> None:
        """Start; without targets there is nothing to start."""
        if not self._sources:
            return
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main()), name="scrape", daemon=True
        )
        self._thread.start()
        self._running.wait()

    def stop(self) -> None:
        """Stop, and wait for what is being stored; answers under way are dropped."""
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="scrape"))
        self._running.set()
        async with AsyncExitStack() as stack:
            tasks = []
            for source, verify in self._sources:
                limits = httpx.Limits(max_connections=None)
                client = await stack.enter_async_context(
                    httpx.AsyncClient(verify=verify, limits=limits, follow_redirects=True)
                )
                tasks += [
                    asyncio.create_task(self._scrape_for_ever(client, Target(source, name)))
                    for name in source.targets
                ]
            await self._stopping.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _scrape_for_ever(self, client: httpx.AsyncClient, target: Target) -> None:
        source = target.source
        name = f"{source.cluster} {target.url}"
        due = first_after(self._clock(), source.interval, name)
        while True:
            await asyncio.sleep((due - self._clock()).total_seconds())
            now = self._clock()
            began = _Began(due if abs(now - due) <= ON_TIME else now, time.monotonic())
            try:
                async with self._slots:
                    await self._scrape(client, target, began)
            except Exception:
                # A bug must not end the scrapes of this target for good.
                logger.exception("scrape failed", extra={"url": target.url})
                self._tell(target, "bug: see the log")
            missed = max(0, (self._clock() - due) // source.interval)
            self.statistics.skipped[source.cluster] += missed
            due += (missed + 1) * source.interval
            now = self._clock()
            if due - now > 2 * source.interval:
                # The clock was set back: to wait until it is there again could be for ever.
                due = first_after(now, source.interval, name)

    async def _scrape(self, client: httpx.AsyncClient, target: Target, began: _Began) -> None:
        cluster = target.source.cluster
        self.statistics.scrapes[cluster] += 1
        try:
            reply = await self._fetch(client, target)
            scrape = await self._beside(lambda: target.answered(reply, began.ms, began.seconds()))
            await self._store(target, scrape)
        except (OverloadedError, LogError) as error:
            self._lost(target, error)
        except IngestError as error:
            self.statistics.failures[cluster] += 1
            self._tell(target, str(error))
            await self._store_failure(target, began)
        else:
            self._tell(target, None)

    async def _fetch(self, client: httpx.AsyncClient, target: Target) -> Reply:
        seconds = target.source.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                return await fetch(client, target.url, target.source)
        except TimeoutError as error:
            raise SourceError(target.url, f"no whole answer within {seconds:g} s") from error

    async def _store_failure(self, target: Target, began: _Began) -> None:
        try:
            await self._store(target, target.failed(began.ms, began.seconds()))
        except IngestError as error:
            self._lost(target, error)

    async def _store(self, target: Target, scrape: Scrape) -> None:
        """Hand a scrape to the receiver, and wait until it is durable."""
        source, stats = target.source, self.statistics
        allowed = None if source.honor_labels else frozenset({source.cluster})
        sender = Sender(source.cluster, allowed)
        for body in scrape.bodies:
            try:
                outcome = await self._beside(
                    lambda body=body: self._receiver.write_samples(body, sender)  # type: ignore[misc]
                )
            except (BadRequestError, BodyTooLargeError):
                stats.refused[source.cluster] += 1
                raise
            written = await asyncio.wrap_future(outcome)
            if written.refusal is not None:
                stats.refused[source.cluster] += written.refusal.count
        target.sent(scrape)
        for counter, count in (
            (stats.samples, scrape.samples),
            (stats.stale, scrape.stale),
            (stats.duplicates, scrape.duplicates),
            (stats.exemplars, scrape.exemplars),
        ):
            counter[source.cluster] += count

    async def _beside(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(None, act)

    def _lost(self, target: Target, error: IngestError) -> None:
        self.statistics.lost[target.source.cluster] += 1
        self._tell(target, f"not stored: {error}")

    def _tell(self, target: Target, problem: str | None) -> None:
        """Note how a target is; log it when that changes, not with every scrape."""
        named = {"cluster": target.source.cluster, "url": target.url}
        before = self.statistics.errors.get(target.url)
        if problem is None:
            self.statistics.errors.pop(target.url, None)
            if before is not None:
                logger.warning("a target answers again", extra=named)
            return
        self.statistics.errors[target.url] = problem
        if before is None:
            logger.warning("a target fails: %s", problem, extra=named)


def first_after(now: datetime, interval: timedelta, name: str) -> datetime:
    """The first time from now on at which a target is due.

    Targets are spread over the interval by their names, so that they do not all answer at once and
    keep their places when the process starts again.

    >>> at = first_after(EPOCH + timedelta(seconds=95), timedelta(seconds=30), "eu http://a/metrics")
    >>> at == first_after(at - MILLISECOND, timedelta(seconds=30), "eu http://a/metrics")
    True
    >>> timedelta(seconds=95) <= at - EPOCH < timedelta(seconds=125)
    True
    """
    steps = max(1, interval // MILLISECOND)
    offset = xxhash.xxh3_64_intdigest(name.encode()) % steps * MILLISECOND
    return EPOCH + offset - (EPOCH + offset - now) // interval * interval
