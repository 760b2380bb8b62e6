"""Containers that are throttled though they use little: their limit cuts off short bursts.

A limit is a quota of CPU in each tenth of a second. Threads that all run at once spend it long
before the tenth is over and wait, however little the container uses over minutes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

THROTTLED = 0.1
"""From this share of periods, or of the time that it wanted to run, on."""

IDLE = 0.6
"""Up to this share of its limit that it uses in 95 % of hours."""

LEAST_RAISE = 1.5
STEP = 0.05
"""Cores: limits are proposed in whole steps."""


def throttled_though_idle(throttled: Float64, used: Float64, limit: Float64) -> Bool:
    """Which containers are.

    Args:
        throttled: float64[n], share of periods or of time.
        used: float64[n], cores in use in all but the busiest 5 % of hours.
        limit: float64[n], cores, NaN = none.
    """
    told: Bool = (throttled >= THROTTLED) & (used <= IDLE * limit) & (limit > 0.0)
    return told


def limit_for(throttled: Float64, limit: Float64) -> Float64:
    """A limit that would let bursts pass, from what was cut off alone, in whole steps.

    What was throttled for half of its periods wanted at least twice the quota in those.

    >>> limit_for(np.array([0.1, 0.6]), np.array([0.4, 0.4])).tolist()
    [0.6, 1.0]
    """
    wanted = limit * np.maximum(LEAST_RAISE, 1.0 / (1.0 - np.clip(throttled, 0.0, 0.9)))
    steps: Float64 = np.round(np.ceil(np.round(wanted / STEP, 6)) * STEP, 3)
    return steps
