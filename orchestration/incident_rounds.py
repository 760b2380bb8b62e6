"""The resident grouping: what ticks find becomes incidents in a thread of its own.

To rank the causes of one incident takes a second or more, and a tick waits for none of it.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lake import TimeRange
from orchestration.failures import Failure
from orchestration.rounds import Rounds
from orchestration.steps.incidents.live import Live
from orchestration.steps.incidents.update import Updated
from orchestration.steps.models import Detected

logger = logging.getLogger(__name__)

LONGEST_LEFT = timedelta(hours=6)
"""What rounds that failed have left is grouped so far back, and no further: what they fail of may
be in it."""


@dataclass
class IncidentStatistics:
    """What was done since start."""

    rounds: int = 0
    failures: int = 0
    seconds: float = 0.0
    error: Failure | None = None
    """Of the newest round, None = all is well."""
    last: Updated | None = None


_Found = tuple[Detected, datetime]
"""What ticks have found that no round has grouped: the newest, with the range of all, and when."""


class IncidentRounds:
    """Groups after each tick: in its thread from `start` to `stop`, else before `after` returns.

    What is found while a round is under way, or was by one that failed, is grouped by the next.

    Args:
        live: what groups.
        monotonic: seconds that only grow.
    """

    def __init__(self, live: Live, monotonic: Callable[[], float]) -> None:
        self.statistics = IncidentStatistics()
        self._live = live
        self._monotonic = monotonic
        self._rounds = Rounds("incidents", self.run_if_due)
        self._resident = False
        self._lock = threading.Lock()
        self._waiting: _Found | None = None
        self._left: _Found | None = None

    def start(self) -> None:
        """Start the thread."""
        self._resident = True
        self._rounds.start()

    def stop(self) -> None:
        """Wait for the round that is under way, which ranks no further incident, and end."""
        self._rounds.stop()

    @property
    def ended(self) -> bool:
        """Whether the thread has ended though nobody stopped it."""
        return self._rounds.ended

    def after(self, done: Detected, now: datetime) -> None:
        """Have grouped what a tick has found."""
        with self._lock:
            self._waiting = _with(self._waiting, (done, now))
        if not self._resident:
            self.run_if_due()

    def run_if_due(self) -> None:
        """Group what waits, and rank what the round before has left."""
        with self._lock:
            found, self._waiting = self._waiting, None
        if found is None:
            return
        found = _with(self._left, found)
        began = self._monotonic()
        try:
            updated = self._live.after(*found, self._is_stopping)
        except BaseException as error:
            # The loop outlives any, also a panic of native code (no `Exception`).
            self._left = found
            self.statistics.failures += 1
            before = self.statistics.error
            since = found[1] if before is None else before.since
            self.statistics.error = Failure.of(error, since)
            logger.exception("incidents failed")
            return
        self._left = None
        self.statistics.error = None
        self.statistics.rounds += 1
        self.statistics.seconds += self._monotonic() - began
        if updated is None:
            return
        self.statistics.last = updated
        if updated.pending and self._resident:
            self._again(found)

    def _again(self, found: _Found) -> None:
        """Rank the next causes, though no tick has found anything new."""
        with self._lock:
            self._waiting = found if self._waiting is None else _with(found, self._waiting)

    def _is_stopping(self) -> bool:
        return self._rounds.stopping


def _with(before: _Found | None, found: _Found) -> _Found:
    """The newer, with the range of both, as far back as `LONGEST_LEFT`."""
    done, now = found
    earlier = None if before is None else before[0].scored
    oldest = now - LONGEST_LEFT
    if earlier is None or earlier.end <= oldest:
        return found
    scored = TimeRange(max(earlier.start, oldest), earlier.end)
    if done.scored is not None:
        first, last = min(scored.start, done.scored.start), max(scored.end, done.scored.end)
        scored = TimeRange(first, last)
    return replace(done, scored=scored), now
