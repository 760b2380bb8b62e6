"""Settings of tier 0, and the constants its recurrence takes from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detectors.errors import InvalidParameterError
from detectors.thresholds import TAIL_FRACTION

# A shift lasts at least so many short windows before it is the new normal: what came before it
# has then left the short mean, by e^-8, even where the shift was a thousandfold.
RELEARN_WINDOWS = 4

# Below it, a limit is not to be learned from one series' own past: what a lift loses from column to
# column is less than a float32 can tell, and five terms no longer follow a heavy tail.
LEAST_RATE = 1e-6

# Shapes of a tail that are told apart: from one that ends (the sum of several dice) to one
# without a variance.
LEAST_SHAPE, MOST_SHAPE = -0.15, 0.5
# A short mean has a light tail, whatever the columns' own. What looks like a heavy one is most
# often a shift on its way, which shall not raise the limit ahead of itself: of a short mean the
# shape is not learned.
SHIFT_SHAPE = -0.05


class Gains(NamedTuple):
    """The recurrence's constants, as compiled functions take them."""

    short: float
    long: float
    short_gain: float
    long_gain: float
    warm_up: float
    relearn: float
    least_change: float
    root: float
    margin: float
    lift_kept: float
    reach: tuple[float, float, float, float, float]
    shift_reach: float


@dataclass(frozen=True, slots=True)
class Rule:
    """What tier 0 takes for normal.

    Args:
        short: columns in the short mean, the window of the contrast.
        long: columns in the long mean and in the scales.
        warm_up: columns with data before the first verdict.
        relearn: abnormal columns after which a shift that lasts is the new normal.
        false_alarm_rate: chance that a normal column reaches the threshold, in [1e-6, 0.05].
        least_change: least alarming move, as a fraction of the usual magnitude.
        margin: factor on the limits.

    Raises:
        InvalidParameterError: if an argument is out of range.
    """

    short: int = 15
    long: int = 240
    warm_up: int = 120
    relearn: int = 120
    false_alarm_rate: float = 1e-4
    least_change: float = 0.02
    margin: float = 1.1

    def __post_init__(self) -> None:
        if self.short < 2:
            raise InvalidParameterError("short", self.short, "must be at least 2")
        if self.long < 4 * self.short:
            raise InvalidParameterError("long", self.long, "must be at least 4 times short")
        if self.warm_up <= 2 * self.short:
            raise InvalidParameterError("warm_up", self.warm_up, "must be over twice short")
        if self.relearn < RELEARN_WINDOWS * self.short:
            raise InvalidParameterError("relearn", self.relearn, "must be at least 4 times short")
        if not LEAST_RATE <= self.false_alarm_rate <= TAIL_FRACTION:
            rule = f"must be in [{LEAST_RATE}, 0.05]"
            raise InvalidParameterError("false_alarm_rate", self.false_alarm_rate, rule)
        if not self.least_change > 0.0:
            raise InvalidParameterError("least_change", self.least_change, "must be positive")
        if not self.margin > 0.0:
            raise InvalidParameterError("margin", self.margin, "must be positive")

    @property
    def gains(self) -> Gains:
        """The constants of the recurrence."""
        short_gain = 2.0 / (self.short + 1.0)
        # Two tests look at each column; either may raise half of the false alarms.
        rate = self.false_alarm_rate / 2.0
        reach = reach_polynomial(rate)
        return Gains(
            short=float(self.short),
            long=float(self.long),
            short_gain=short_gain,
            long_gain=2.0 / (self.long + 1.0),
            warm_up=float(self.warm_up),
            relearn=float(self.relearn),
            least_change=self.least_change,
            # Standard deviation of a short mean of white noise, in units of the noise's own.
            root=(short_gain / (2.0 - short_gain)) ** 0.5,
            margin=self.margin,
            # What a lift keeps from column to column: half is gone when, at the rate asked for,
            # one alarm would have been due.
            lift_kept=0.5**self.false_alarm_rate,
            reach=reach,
            shift_reach=sum(part * SHIFT_SHAPE**power for power, part in enumerate(reach)),
        )


def reach_polynomial(rate: float) -> tuple[float, float, float, float, float]:
    """Return coefficients, lowest first, of a tail's reach as a polynomial of its shape.

    The reach is the excess over the tail's beginning that is passed at the rate, in units of the
    mean excess: of a generalised Pareto law of shape ξ, (1 - ξ) × ((0.05 / rate)^ξ - 1) / ξ.
    Five terms are within 1 % of it at a rate of 1e-4 and within 7 % at 1e-6, and cost four
    additions in place of a power.
    """
    # No shape at exactly 0, where the formula has a hole.
    shape = np.linspace(LEAST_SHAPE, MOST_SHAPE, 100)
    reach = (1.0 - shape) * ((TAIL_FRACTION / rate) ** shape - 1.0) / shape
    # Weights: relative errors count alike.
    a, b, c, d, e = (float(each) for each in np.polyfit(shape, reach, 4, w=1.0 / reach))
    return e, d, c, b, a
