"""The queries of strangers that run and wait: slots, limits, and what became of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.errors import TooManyQueriesError
from lake import Limits, range_query
from lake.sandbox import shared
from orchestration.settings import ApiSettings

MIB = 1 << 20

OUTCOMES = ("answered", "failed", "cancelled", "cut_off", "refused")
"""`cut_off`: failed, or its client too slow, after a part had been sent. `refused`: no slot."""


@dataclass
class Queries:
    """Slots for queries: heavy ones wait for each other, nobody else does.

    Attributes:
        limits: of each.
        fetch_seconds: that a client may take in all to take an answer.
        waiting: how many wait for a slot.
        outcomes: how many ended how.
    """

    limits: Limits
    fetch_seconds: float
    concurrency: int
    queue_seconds: float
    waiting: int = 0
    running: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.concurrency)

    @classmethod
    def build(cls, settings: ApiSettings) -> "Queries":
        """As the settings say."""
        limits = Limits(
            rows=settings.sql_rows,
            seconds=settings.sql_seconds,
            memory_bytes=settings.sql_memory_mb * MIB,
            threads=settings.sql_threads,
            result_bytes=settings.sql_result_mb * MIB,
        )
        return cls(
            limits, settings.sql_fetch_seconds, settings.sql_concurrency, settings.sql_queue_seconds
        )

    async def acquire(self, gone: asyncio.Event) -> bool:
        """Wait for a slot; `release` gives it back.

        Args:
            gone: set when there is no need for one any more.

        Returns:
            Whether it was given, else there is none to be given back.

        Raises:
            TooManyQueriesError: none became free in time.
        """
        if not self._slots.locked():  # without a wait, it needs none of what ends one
            await self._slots.acquire()
            self.running += 1
            return True
        slot = asyncio.ensure_future(self._slots.acquire())
        leaving = asyncio.ensure_future(gone.wait())
        self.waiting += 1
        try:
            await asyncio.wait(
                {slot, leaving}, timeout=self.queue_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self.waiting -= 1
            leaving.cancel()
            if not slot.done():
                slot.cancel()
        if slot.done():
            self.running += 1
            return True
        if gone.is_set():
            return False
        raise TooManyQueriesError(self.queue_seconds)

    def release(self) -> None:
        """Give a slot back."""
        self.running -= 1
        self._slots.release()


class QueryCollector(Collector):
    """The queries' own metrics."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def collect(self) -> Iterator[Metric]:
        """Every metric, as of now."""
        for name, text, value in (
            ("running", "SQL queries that run.", self._queries.running),
            ("waiting", "SQL queries that wait for a slot.", self._queries.waiting),
            ("pool_bytes", "Memory of what range queries read.", range_query.shared.nbytes),
            ("workers_busy", "Processes that are at a SQL query.", shared().busy),
            ("workers_idle", "Processes that wait for a SQL query.", shared().idle),
        ):
            yield GaugeMetricFamily(f"fleetlake_sql_{name}", text, value=value)
        family = CounterMetricFamily(
            "fleetlake_sql_queries", "SQL queries by their end.", labels=("outcome",)
        )
        for outcome, count in sorted(self._queries.outcomes.items()):
            family.add_metric([outcome], count)
        yield family
