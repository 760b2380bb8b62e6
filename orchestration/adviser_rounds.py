"""The resident adviser: works advice out every hour, in its own thread.

Beside that it keeps what is advised now, summed up by cluster and kind, for `/metrics`, whoever
made it: a scrape asks no lake.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lake import Clock, Lake
from orchestration.advice_settings import AdviceSettings
from orchestration.failures import Failure, note
from orchestration.rounds import ENDED, Rounds, tried
from orchestration.steps.advice.browse import Total, totals
from orchestration.steps.advice.make import Made, due_at, make_advice

REFRESH = timedelta(minutes=1)
"""How often what others made is read."""

ADVISER = "adviser "


@dataclass
class AdviceStatistics:
    """What was done since start."""

    rounds: int = 0
    failures: int = 0
    """Of rounds, and of advisers in them."""
    seconds: float = 0.0
    errors: dict[str, Failure] = field(default_factory=dict)
    """By what was tried (`advice`, `reading advice`, an adviser): how it failed last."""
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
        if self._settings.resident and due > self._made and now >= self._not_before:
            self._not_before = now + REFRESH
            if self._tried("advice", lambda: self._round(due)):
                self._made, self._not_before, self._read = due, now, None
        if self._read is None or now - self._read >= REFRESH:
            self._read = now
            self._tried("reading advice", self._look)

    def problems(self) -> dict[str, Failure]:
        """What is wrong, by what was tried: it failed the last time, or the thread has ended."""
        return dict(self.statistics.errors) | ({"advice": ENDED} if self._rounds.ended else {})

    def _tried(self, what: str, act: Callable[[], None]) -> bool:
        well = tried(what, act, self.statistics.errors, self._clock())
        self.statistics.failures += not well
        return well

    def _look(self) -> None:
        self.statistics.totals = totals(self._lake)

    def _round(self, due: datetime) -> None:
        began = self._clock()
        done = make_advice(self._lake, self._settings, due)
        stats = self.statistics
        stats.last = done
        stats.rounds += 1
        stats.failures += len(done.failed)
        failing = {f"{ADVISER}{who}": why for who, why in done.failed.items()}
        for who, why in failing.items():
            note(stats.errors, who, why)
        for who in [name for name in stats.errors if name.startswith(ADVISER)]:
            if who not in failing:
                del stats.errors[who]
        stats.seconds += (self._clock() - began).total_seconds()
