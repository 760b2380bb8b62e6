"""The resident worker: flushes every few seconds, scores every minute, in threads of its own.

Dagster takes seconds to launch a run, so the short loops live here. The worker never pulls, trains
for the record or backfills: that is the schedule's; nor maintains: see `orchestration.maintainer`.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingest.receiver import Receiver
from lake import Clock
from orchestration.steps.models import Detected
from orchestration.steps.tick import Ticker

logger = logging.getLogger(__name__)

TICK_EVERY = timedelta(seconds=5)
"""How often the ticker looks whether a column has closed; a minute's column closes once."""

POLL_SECONDS = 0.5
"""How often the flusher looks whether a flush is due."""


@dataclass
class Health:
    """What the loops did last, for `/readyz` and `/metrics`."""

    ticks: int = 0
    tick_failures: int = 0
    last_tick: datetime | None = None
    last_detected: Detected | None = None
    tick_seconds: float = 0.0
    errors: dict[str, str] = field(default_factory=dict)
    """By loop, the failure of its newest run; empty when all is well."""


class Worker:
    """Runs the two loops from `start` to `stop`.

    Args:
        receiver: what to flush.
        ticker: what scores.
        clock: the time.
    """

    def __init__(self, receiver: Receiver, ticker: Ticker, clock: Clock) -> None:
        self.health = Health()
        self._receiver = receiver
        self._ticker = ticker
        self._clock = clock
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._loop, args=(self._flush_if_due, POLL_SECONDS), name="flush"
            ),
            threading.Thread(
                target=self._loop, args=(self._tick, TICK_EVERY.total_seconds()), name="tick"
            ),
        ]
        self._last_flush = clock()

    def start(self) -> None:
        """Start both loops."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop both loops and wait for what they are at."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _loop(self, act: Callable[[], None], seconds: float) -> None:
        while not self._stopping.wait(seconds):
            act()

    def _flush_if_due(self) -> None:
        settings = self._receiver.settings
        now = self._clock()
        full = self._receiver.waiting_samples() >= settings.flush_samples
        if not full and now - self._last_flush < settings.flush_every:
            return
        self._last_flush = now
        try:
            self._receiver.flush()
        except Exception as error:  # noqa: BLE001 - the loop outlives any one failure
            self._failed("flush", error)
        else:
            self.health.errors.pop("flush", None)

    def _tick(self) -> None:
        started = self._clock()
        if not self._ticker.due(started):
            return
        try:
            # What is scored must be in the lake first.
            self._receiver.flush()
            self.health.last_detected = self._ticker.tick(started)
        except Exception as error:  # noqa: BLE001 - the loop outlives any one failure
            self.health.tick_failures += 1
            self._failed("tick", error)
        else:
            self.health.errors.pop("tick", None)
        self.health.ticks += 1
        self.health.last_tick = started
        self.health.tick_seconds = (self._clock() - started).total_seconds()

    def _failed(self, what: str, error: Exception) -> None:
        self.health.errors[what] = f"{type(error).__name__}: {error}"
        logger.error("%s failed", what, exc_info=error)
