"""CPU requests: as low as may be, and above that what is cheap.

A request is never below the quantile that leaves the allowed share of minutes above it. Beyond it,
more of the minutes are covered as long as that costs little: a steady container gets nearly all of
its minutes for a few per cent more, one that bursts seldom does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError
from detectors.rightsizing.bins import Float64
from detectors.rightsizing.usage import Usage

_STEPS = (1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.0)
"""Of the allowed share, what is tried."""


@dataclass(frozen=True, slots=True, eq=False)
class CpuRequests:
    """What each container should ask for.

    Attributes:
        cores: `[n]`, NaN = no data.
        above: share of the past above it, 0 to 1 `[n]`.
    """

    cores: Float64
    above: Float64


def cpu_requests(
    usage: Usage,
    peaks: npt.ArrayLike,
    pods: npt.ArrayLike,
    most: float,
    worth: float,
    worth_share: float = np.inf,
) -> CpuRequests:
    """The request that costs least, where minutes above it have a price.

    Args:
        usage: cores in use, a slot a pod and column, starts left out.
        peaks: the highest, exactly, `[n]`.
        pods: that run now: each costs the request `[n]`.
        most: share of the time that may be above it, 0 to below 1.
        worth: cores, of all pods together, that it may cost to have all of the time covered; a
            hundredth of it for one per cent.
        worth_share: the same as a multiple of the lowest request that is allowed; of the two, the
            smaller counts.

    Raises:
        InvalidParameterError: a share or price out of range.
    """
    if not 0.0 <= most < 1.0:
        raise InvalidParameterError("most", most, "must be 0 to below 1")
    for name, price in (("worth", worth), ("worth_share", worth_share)):
        if not price >= 0.0:
            raise InvalidParameterError(name, price, "must not be negative")
    over = most * np.array(_STEPS)
    top = np.asarray(peaks, dtype=np.float64)
    levels = np.fmin(usage.quantiles(1.0 - over), top[:, None])
    count = np.maximum(np.asarray(pods, dtype=np.float64), 1.0)
    lowest = levels[:, :1] * count[:, None]
    # Of nothing, any multiple is nothing.
    share = np.where(lowest > 0.0, lowest, 0.0) * worth_share if np.isfinite(worth_share) else worth
    cost = levels * count[:, None] + np.minimum(worth, share) * over
    known = np.asarray(np.isfinite(cost).all(axis=1))
    best = np.where(known[:, None], cost, 0.0).argmin(axis=1)
    cores = np.where(known, levels[np.arange(len(top)), best], np.nan)
    return CpuRequests(cores, usage.above(cores, top))
