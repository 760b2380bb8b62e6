"""The resident worker: flushes every few seconds, scores every minute, groups what was found.

Each in a thread of its own: no flush waits for scoring, nor scoring for causes. Dagster takes
seconds to launch a run, so the short loops live here. The worker never pulls, trains for the record
or backfills: that is the schedule's; nor maintains: see `orchestration.maintainer`.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingest.receiver import Receiver
from lake import Clock
from orchestration.failures import Failure, note
from orchestration.incident_rounds import IncidentRounds
from orchestration.rounds import ENDED
from orchestration.steps.incidents.live import Live
from orchestration.steps.models import Detected
from orchestration.steps.tick import Ticker

logger = logging.getLogger(__name__)

TICK_EVERY = timedelta(seconds=5)
"""How often the ticker looks whether a column has closed; a minute's column closes once."""

POLL_SECONDS = 0.5
"""How often the flusher looks whether a flush is due."""

LATE_FLUSHES = 5
LATE_SECONDS = 30.0
"""Without a good flush for as long as so many should have taken, and so many seconds, all is not
well: fewer are missed while a store answers slowly."""


@dataclass
class Health:
    """What the loops did last, for `/readyz` and `/metrics`."""

    ticks: int = 0
    tick_failures: int = 0
    last_tick: datetime | None = None
    last_detected: Detected | None = None
    tick_seconds: float = 0.0
    errors: dict[str, Failure] = field(default_factory=dict)
    """By loop, the failure of its newest run; empty when all is well."""


class Worker:
    """Runs the loops from `start` to `stop`.

    Attributes:
        health: what flushing and scoring did last.
        incidents: what groups after each tick; None = nothing does.

    Args:
        receiver: what to flush.
        ticker: what scores.
        clock: the time.
        monotonic: seconds that only grow, for the rhythm: a clock may be set back.
        live: what groups what was found into incidents; None = nothing does.
    """

    def __init__(
        self,
        receiver: Receiver,
        ticker: Ticker,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        live: Live | None = None,
    ) -> None:
        self.health = Health()
        self._receiver = receiver
        self._ticker = ticker
        self._clock = clock
        self.incidents = None if live is None else IncidentRounds(live, monotonic)
        self._monotonic = monotonic
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._loop, args=(self._flush_if_due, POLL_SECONDS), name="flush"
            ),
            threading.Thread(
                target=self._loop, args=(self._tick, TICK_EVERY.total_seconds()), name="tick"
            ),
        ]
        self._tried_flush = self._good_flush = monotonic()

    def start(self) -> None:
        """Start the loops."""
        self._good_flush = self._monotonic()
        if self.incidents is not None:
            self.incidents.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the loops and wait for what they are at."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        if self.incidents is not None:
            self.incidents.stop()

    def problems(self) -> dict[str, Failure]:
        """What is wrong, by loop: it failed the last time, hangs, or has ended by itself."""
        found = dict(self.health.errors)
        if self.incidents is not None and self.incidents.statistics.error is not None:
            found["incidents"] = self.incidents.statistics.error
        begun = [thread for thread in self._threads if thread.ident is not None]
        if not begun or self._stopping.is_set():
            return found
        every = self._receiver.settings.flush_every.total_seconds()
        silent = self._monotonic() - self._good_flush
        if silent > max(LATE_FLUSHES * every, LATE_SECONDS):
            found.setdefault("flush", Failure(f"none has succeeded for {silent:.0f} s"))
        for thread in begun:
            if not thread.is_alive():
                found[thread.name] = ENDED
        if self.incidents is not None and self.incidents.ended:
            found["incidents"] = ENDED
        return found

    def _loop(self, act: Callable[[], None], seconds: float) -> None:
        while not self._stopping.wait(seconds):
            act()

    def _flush_if_due(self) -> None:
        settings = self._receiver.settings
        now = self._monotonic()
        full = self._receiver.waiting() >= settings.flush_samples
        if not full and now - self._tried_flush < settings.flush_every.total_seconds():
            return
        self._tried_flush = now
        try:
            self._flush()
        except BaseException as error:  # noqa: BLE001 - see `_failed`
            self._failed("flush", error)
        else:
            self.health.errors.pop("flush", None)

    def _flush(self) -> None:
        self._receiver.flush()
        self._good_flush = self._monotonic()

    def _tick(self) -> None:
        started, began = self._clock(), self._monotonic()
        if not self._ticker.due(started):
            return
        try:
            # What is scored must be in the lake first.
            self._flush()
            self.health.last_detected = self._ticker.tick(started)
        except BaseException as error:  # noqa: BLE001 - see `_failed`
            self.health.tick_failures += 1
            self._failed("tick", error)
        else:
            self.health.errors.pop("tick", None)
            if self.incidents is not None:
                self.incidents.after(self.health.last_detected, started)
        self.health.ticks += 1
        self.health.last_tick = started
        self.health.tick_seconds = self._monotonic() - began

    def _failed(self, what: str, error: BaseException) -> None:
        """Note a failure. The loop outlives any, also a panic of native code (no `Exception`)."""
        note(self.health.errors, what, Failure.of(error, self._clock()))
        logger.error("%s failed", what, exc_info=error)
