"""The resident forecaster: foretells the lake's resources every few minutes, in its own thread.

Beside that it keeps what is reached soonest, for `/metrics`, whoever made the forecasts: a scrape
asks no lake.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from detectors.forecasting.registry import require_forecaster
from lake import Clock, Lake
from orchestration.failures import Failure
from orchestration.forecast_settings import ForecastSettings
from orchestration.rounds import ENDED, Rounds, tried
from orchestration.steps.forecast.listing import Wanted, current, holds
from orchestration.steps.forecast.make import Made, due_at, make_forecasts
from orchestration.steps.paging import MAX_PAGE

REFRESH = timedelta(minutes=1)
"""How often what others made is read."""

FAR = timedelta(days=3650)


@dataclass
class ForecastStatistics:
    """What was done since start."""

    rounds: int = 0
    failures: int = 0
    seconds: float = 0.0
    errors: dict[str, Failure] = field(default_factory=dict)
    """By what was tried, `forecasts` or `reading forecasts`, the failure of the newest time."""
    last: Made | None = None
    soonest: Sequence[dict[str, Any]] = field(default_factory=tuple)
    """Rows of `forecasts`: what is past its threshold, and what is reached first."""


class Forecaster:
    """Runs the rounds from `start` to `stop`; where the settings leave them to others, reads alone.

    Args:
        lake: what to foretell, and where forecasts go.
        settings: of what, when, how far.
        clock: the time.

    Raises:
        ForecasterError: the settings name a heavier model that no installed package has.
    """

    def __init__(self, lake: Lake, settings: ForecastSettings, clock: Clock) -> None:
        if settings.resident and settings.heavier is not None:
            require_forecaster(settings.heavier)
        self.statistics = ForecastStatistics()
        self._lake = lake
        self._settings = settings
        self._clock = clock
        self._rounds = Rounds("forecast", self.run_if_due)
        # Not at once: a start has enough to do.
        self._made = due_at(clock(), settings)
        self._not_before = clock()
        self._read: datetime | None = None
        self._seen: int | None = None

    def start(self) -> None:
        """Start the thread."""
        self._rounds.start()

    def stop(self) -> None:
        """Wait for the round that is under way, and end."""
        self._rounds.stop()

    def run_if_due(self) -> None:
        """Make the forecasts whose time has come, and look at what the lake has."""
        now = self._clock()
        due = due_at(now, self._settings)
        if self._settings.resident and due > self._made and now >= self._not_before:
            self._not_before = now + REFRESH
            if self._tried("forecasts", lambda: self._round(due)):
                self._made, self._not_before, self._read = due, now, None
        if self._read is None or now - self._read >= REFRESH:
            self._read = now
            self._tried("reading forecasts", lambda: self._look(now))

    def problems(self) -> dict[str, Failure]:
        """What is wrong, by what was tried: it failed the last time, or the thread has ended."""
        return dict(self.statistics.errors) | ({"forecasts": ENDED} if self._rounds.ended else {})

    def _tried(self, what: str, act: Callable[[], None]) -> bool:
        well = tried(what, act, self.statistics.errors, self._clock())
        self.statistics.failures += not well
        return well

    def _round(self, due: datetime) -> None:
        began = self._clock()
        self.statistics.last = make_forecasts(self._lake, self._settings, due)
        self.statistics.rounds += 1
        self.statistics.seconds += (self._clock() - began).total_seconds()

    def _look(self, now: datetime) -> None:
        most = min(self._settings.gauges, MAX_PAGE)
        version = self._lake.forecasts.version()
        still = all(holds(row, now) for row in self.statistics.soonest)
        if not most or (version == self._seen and still):
            return
        # What is past its threshold for long must not hide what is about to be.
        wanted = Wanted(FAR, most_past=(most + 1) // 2)
        self.statistics.soonest = current(self._lake, wanted, now, most).rows
        self._seen = version
