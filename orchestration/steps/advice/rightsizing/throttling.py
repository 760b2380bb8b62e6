"""What throttling says of limits for CPU: which are too low, and which do as they are.

What a container uses under a limit is at most the limit, whatever it wants. So use alone neither
raises a limit that it has reached nor tells that a smaller one would do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.rightsizing.facts import Facts

Float64 = npt.NDArray[np.float64]

HARDLY = 0.2
"""Throttled for this part of what counts as throttled, a limit is not lowered."""

REACHED = 0.95
"""Of a limit: a mean of five minutes so high was held down by it."""


@dataclass(frozen=True, slots=True, eq=False)
class Throttling:
    """Shares of the past that limits throttled, and what follows; arrays `[n]`.

    Attributes:
        facts: of which containers.
        told: whether counters tell of it; else it is the share of the time in which five minutes'
            mean reached the limit.
        now: by the limit that is set, 0 to 1, NaN = there is none.
    """

    facts: Facts
    told: npt.NDArray[np.bool_]
    now: Float64

    @classmethod
    def of(cls, facts: Facts) -> Throttling:
        """What is known of it."""
        limit = facts.set_now.cpu_limit
        told = facts.trouble.periods.total > 0.0
        reached = facts.cpu.whole.above(REACHED * limit, facts.cpu.top)
        now = np.where(told, facts.trouble.throttled_by(limit), reached)
        return cls(facts, told, np.where(np.isnan(limit), np.nan, now))

    def by(self, limits: Float64) -> Float64:
        """By other limits, at least: NaN = there is none."""
        told = self.facts.trouble.throttled_by(limits)
        larger = limits > self.facts.set_now.cpu_limit * (1.0 + 1e-6)
        guessed = np.where(larger, 0.0, self.now)
        return np.where(np.isnan(limits), np.nan, np.where(self.told, told, guessed))

    def at(self, settings: RightsizingSettings) -> Float64:
        """The highest limit that is known to have throttled too much `[n]`, NaN = none."""
        trouble, limit = self.facts.trouble, self.facts.set_now.cpu_limit
        told = trouble.throttled.highest(settings.throttled * trouble.periods.total)
        high = self.facts.cpu.top > limit * (1.0 + settings.burst)
        guessed = np.where((self.now < settings.throttled) | high, np.nan, limit)
        return np.fmax(np.where(self.told, told, guessed), self.facts.remembered.throttled_at)

    def limits(self, request: Float64, settings: RightsizingSettings) -> Float64:
        """The limit that each container needs, with its bursts and starts `[n]`.

        Args:
            request: what it is not below.
            settings: what counts as throttled, and what bursts have.
        """
        limit, top = self.facts.set_now.cpu_limit, self.facts.cpu.top
        bump = 1.0 + settings.burst
        needed = top * bump
        # Where nothing tells, what did not reach the limit may have had bursts that did.
        seen = self.told | (top >= REACHED * limit)
        held_down = (self.now < settings.throttled) & seen & (top <= limit * bump)
        needed = np.where(held_down, np.fmin(needed, limit), needed)
        needed = np.fmax(needed, self.at(settings) * bump)
        hardly = self.now >= settings.throttled * HARDLY
        needed = np.where(hardly, np.fmax(needed, limit), needed)
        return np.fmax(needed, request)
