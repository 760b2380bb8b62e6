"""Jobs, read off how many GPUs are allocated: a rise is a gang that starts, a fall one that ends.

Queues tell how much is allocated, not to whom. Gangs get all their GPUs at once, so a rise has the
size of the gang, and a fall that of one that ends. Which of several of one size it is, is told by
what is likely: lengths as of those of which it is sure, and a few that go on and on, as a notebook
does that was left open. What changes within one scrape is taken for one gang, and split when a part
of it ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.errors import InvalidParameterError

# Of so many that ended it can be told how long they run.
LEAST_ENDED = 8
# Part of the gangs that run on and on, and how many times as long as others they do.
ENDLESS = 0.02
ENDLESS_TIMES = 30.0
# Logarithms of lengths: never narrower than this, whatever few of them say.
LEAST_SPREAD = 0.3
# A normal distribution's deviation in units of the median one.
OF_MEDIAN = 1.4826

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gangs:
    """Gangs of one pool, in order of their ends, those that run at the last; arrays `[n]`.

    Attributes:
        size: GPUs.
        start: hours, on the clock of the samples.
        end: hours, NaN = it runs.
        whole: whether it was seen to start; those before the first sample were not.
    """

    size: Float64
    start: Float64
    end: Float64
    whole: Bool

    @property
    def running(self) -> Bool:
        """Whether each runs."""
        return np.isnan(self.end)


def gangs(time: Float64, allocated: Float64) -> Gangs:
    """The gangs behind the allocated GPUs of one pool.

    >>> found = gangs(np.arange(5.0), np.array([0.0, 4.0, 6.0, 2.0, 2.0]))
    >>> found.size.tolist(), found.start.tolist(), found.end.tolist()
    ([4.0, 2.0], [1.0, 2.0], [3.0, nan])

    Args:
        time: hours, ascending, `[samples]`; only changes need to be there.
        allocated: GPUs, whole numbers, NaN = no sample.

    Raises:
        InvalidParameterError: lengths differ, times do not rise, or GPUs are negative.
    """
    if time.shape != allocated.shape or time.ndim != 1:
        raise InvalidParameterError("allocated", allocated.shape, f"one for each of {time.shape}")
    known = ~np.isnan(allocated)
    time, allocated = time[known].astype(np.float64), allocated[known].astype(np.float64)
    if (np.diff(time) <= 0.0).any():
        raise InvalidParameterError("time", "not rising", "each sample after the one before")
    if (allocated < 0.0).any():
        raise InvalidParameterError("allocated", float(allocated.min()), "not negative")
    allocated = np.round(allocated)
    size, start, end, whole, sure = _match(time, allocated, 0.0, 0.0)
    over = whole & ~np.isnan(end)
    if np.count_nonzero(over) >= LEAST_ENDED:
        known = over & sure if np.count_nonzero(over & sure) >= LEAST_ENDED else over
        ran = np.log((end - start)[known])
        middle = float(np.median(ran))
        spread = max(OF_MEDIAN * float(np.median(np.abs(ran - middle))), LEAST_SPREAD)
        size, start, end, whole, _ = _match(time, allocated, middle, spread)
    return Gangs(size, start, end, whole)


@compiled
def _match(
    time: Float64, allocated: Float64, middle: float, spread: float
) -> tuple[Float64, Float64, Float64, Bool, Bool]:
    """Gangs, and of which it is sure that it was they who ended; those that run by their starts."""
    n = len(time)
    run_size, run_start, run_whole = np.empty(n), np.empty(n), np.empty(n, np.bool_)
    running = 0
    # Each rise is one gang, and each fall ends a part of one more at most.
    room = 2 * n
    out_size, out_start, out_end = np.empty(room), np.empty(room), np.empty(room)
    out_whole, out_sure = np.empty(room, np.bool_), np.zeros(room, np.bool_)
    ended = 0
    before = 0.0
    for at in range(n):
        change = allocated[at] - before
        before = allocated[at]
        if change > 0.0:
            run_size[running], run_start[running] = change, time[at]
            run_whole[running] = at > 0
            running += 1
        while change < 0.0:
            one, alike = _who_ends(run_size, run_start, running, -change, time[at], middle, spread)
            gone = min(run_size[one], -change)
            out_size[ended], out_start[ended] = gone, run_start[one]
            out_end[ended], out_whole[ended] = time[at], run_whole[one]
            out_sure[ended] = alike == 1
            ended += 1
            change += gone
            run_size[one] -= gone
            if run_size[one] <= 0.0:
                for later in range(one, running - 1):
                    run_size[later] = run_size[later + 1]
                    run_start[later] = run_start[later + 1]
                    run_whole[later] = run_whole[later + 1]
                running -= 1
    for one in range(running):
        out_size[ended], out_start[ended] = run_size[one], run_start[one]
        out_end[ended], out_whole[ended] = np.nan, run_whole[one]
        ended += 1
    return (
        out_size[:ended], out_start[:ended], out_end[:ended], out_whole[:ended], out_sure[:ended]
    )  # fmt: skip


@compiled
def _who_ends(
    size: Float64,
    start: Float64,
    running: int,
    fall: float,
    now: float,
    middle: float,
    spread: float,
) -> tuple[int, int]:
    """Of those of this size the likeliest, and how many there are; else a part of a larger one.

    Of larger ones the smallest; where there is none, the largest that is smaller, and the rest of
    the fall is another's.
    """
    best, alike, likely = -1, 0, -1.0
    larger, smaller = -1, -1
    for one in range(running):
        if size[one] == fall:
            alike += 1
            hazard = _hazard(now - start[one], middle, spread)
            if hazard > likely:
                best, likely = one, hazard
        elif size[one] > fall:
            if larger < 0 or size[one] < size[larger]:
                larger = one
        elif smaller < 0 or size[one] > size[smaller]:
            smaller = one
    if best >= 0:
        return best, alike
    return (smaller if larger < 0 else larger), 0


@compiled
def _hazard(age: float, middle: float, spread: float) -> float:
    """How likely a gang of this age is to end now; without a spread, the older the likelier."""
    if spread <= 0.0:
        return age
    z = (math.log(age) - middle) / spread
    beyond = (1.0 - ENDLESS) * 0.5 * math.erfc(z / math.sqrt(2.0))
    density = math.exp(-0.5 * z * z) / (spread * age * math.sqrt(2.0 * math.pi))
    long = ENDLESS_TIMES * math.exp(middle)
    endless = ENDLESS * math.exp(-age / long)
    return ((1.0 - ENDLESS) * density + endless / long) / (beyond + endless)
