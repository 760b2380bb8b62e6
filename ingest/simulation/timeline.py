"""The regular time grid that every signal of a simulation is computed on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ingest.simulation.errors import UnusableRangeError

FloatArray = NDArray[np.float64]

# Below half a day the faults would be shorter than a scrape-based detector can see, and would
# overlap one another.
SHORTEST = timedelta(hours=12)
# A coarser grid misses a rollout altogether.
COARSEST = timedelta(minutes=5)
_DAY = 86_400.0


@dataclass(frozen=True)
class Timeline:
    """`n` instants from `start` on, `step` apart; the range is half open, `[start, end)`."""

    start: datetime
    step: timedelta
    n: int

    @classmethod
    def until(cls, end: datetime, duration: timedelta, step: timedelta) -> Timeline:
        """The longest grid of whole steps that fits in `duration` before `end`.

        Raises:
            UnusableRangeError: `end` without a time zone, `duration` under 12 hours, or `step`
                outside 1 second to 5 minutes.
        """
        if end.tzinfo is None:
            raise UnusableRangeError("end", end, "it needs a time zone")
        if duration < SHORTEST:
            raise UnusableRangeError("duration", duration, f"at least {SHORTEST}")
        if not timedelta(seconds=1) <= step <= COARSEST:
            raise UnusableRangeError("step", step, f"between 0:00:01 and {COARSEST}")
        n = duration // step
        return cls(start=end.astimezone(UTC) - n * step, step=step, n=n)

    @property
    def end(self) -> datetime:
        """First instant after the grid."""
        return self.start + self.n * self.step

    @property
    def duration(self) -> timedelta:
        """Length of the grid."""
        return self.n * self.step

    @property
    def step_seconds(self) -> float:
        """Distance of two instants, seconds."""
        return self.step.total_seconds()

    @cached_property
    def seconds(self) -> FloatArray:
        """Seconds since `start`, `[n]`."""
        return np.arange(self.n, dtype=np.float64) * self.step_seconds

    def at(self, fraction: float) -> datetime:
        """The instant of the grid at a fraction of its length."""
        return self.start + round(fraction * self.n) * self.step

    def index(self, moment: datetime) -> int:
        """Number of the first instant at or after `moment`, within `0..n`."""
        return min(max(math.ceil((moment - self.start) / self.step), 0), self.n)

    def span(self, start: datetime, end: datetime) -> slice:
        """The instants in `[start, end)`."""
        return slice(self.index(start), self.index(end))

    def since(self, moment: datetime) -> FloatArray:
        """Seconds since `moment` at every instant, negative before it, `[n]`."""
        return self.seconds - (moment - self.start).total_seconds()

    def local_days(self, utc_offset: float) -> FloatArray:
        """Local days since Thursday 1 January 1970, with fraction, `[n]`."""
        return (self.start.timestamp() + utc_offset * 3600.0 + self.seconds) / _DAY
