"""The resident adviser: works advice out every hour, in its own thread.

Beside that it keeps what is advised now, summed up by cluster and kind, for `/metrics`, whoever
made it: a scrape asks no lake.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lake import Clock, Lake
from orchestration.advice_settings import AdviceSettings
from orchestration.rounds import Rounds
from orchestration.steps.advice.browse import Total, totals
from orchestration.steps.advice.make import Made, due_at, make_advice

logger = logging.getLogger(__name__)

REFRESH = timedelta(minutes=1)
"""How often what others made is read."""


@dataclass
class AdviceStatistics:
    """What was done since start."""

    rounds: int = 0
    failures: int = 0
    """Of rounds, and of advisers in them."""
    seconds: float = 0.0
    error: str | None = None
    """Of the newest round, None = all is well."""
    last: Made | None = None
    totals: Sequence[Total] = field(default_factory=tuple)


class AdviserRounds:
    """Runs the rounds from `start` to `stop`; where the settings leave them to others, reads alone.

    Args:
        lake: what the advice is about, and where it goes.
        settings: who is asked, and when.
        clock: the time.
    """

    def __init__(self, lake: Lake, settings: AdviceSettings, clock: Clock) -> None:
        self.statistics = AdviceStatistics()
        self._lake = lake
        self._settings = settings
        self._clock = clock
        self._rounds = Rounds("advice", self.run_if_due)
        # Not at once: a start has enough to do.
        self._made = due_at(clock(), settings)
        self._not_before = clock()
        self._read: datetime | None = None

    def start(self) -> None:
        """Start the thread."""
        self._rounds.start()

    def stop(self) -> None:
        """Wait for the round that is under way, and end."""
        self._rounds.stop()

    def run_if_due(self) -> None:
        """Work out the advice whose time has come, and look at what the lake has."""
        now = self._clock()
        due = due_at(now, self._settings)
        try:
            if self._settings.resident and due > self._made and now >= self._not_before:
                self._not_before = now + REFRESH
                self._round(due)
                self._made, self._not_before, self._read = due, now, None
            if self._read is None or now - self._read >= REFRESH:
                self._read = now
                self.statistics.totals = totals(self._lake)
        except BaseException as error:
            # The loop outlives any, also a panic of native code (no `Exception`).
            self.statistics.failures += 1
            self.statistics.error = f"{type(error).__name__}: {error}"
            logger.exception("advice failed")

    def _round(self, due: datetime) -> None:
        began = self._clock()
        done = make_advice(self._lake, self._settings, due)
        stats = self.statistics
        stats.last = done
        stats.rounds += 1
        stats.failures += len(done.failed)
        stats.error = "; ".join(f"{who}: {why}" for who, why in done.failed.items()) or None
        stats.seconds += (self._clock() - began).total_seconds()
