"""Jobs, read off how many GPUs are allocated: a rise is a gang that starts, a fall one that ends.

Queues tell how much is allocated, not to whom. Gangs get all their GPUs at once, so a rise has the
size of the gang; a fall is that of the oldest running gang of this size. What changes within one
scrape is taken for one gang, and split when a part of it ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError
from detectors.memory.kernels import compiled

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
    size, start, end, whole = _match(time, np.round(allocated))
    return Gangs(size, start, end, whole)


@compiled
def _match(time: Float64, allocated: Float64) -> tuple[Float64, Float64, Float64, Bool]:
    """Running gangs are kept in order of their starts."""
    n = len(time)
    run_size, run_start, run_whole = np.empty(n), np.empty(n), np.empty(n, np.bool_)
    running = 0
    # Each rise is one gang, and each fall ends a part of one more at most.
    room = 2 * n
    out_size, out_start = np.empty(room), np.empty(room)
    out_end, out_whole = np.empty(room), np.empty(room, np.bool_)
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
            one = _who_ends(run_size, running, -change)
            gone = min(run_size[one], -change)
            out_size[ended], out_start[ended] = gone, run_start[one]
            out_end[ended], out_whole[ended] = time[at], run_whole[one]
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
    return out_size[:ended], out_start[:ended], out_end[:ended], out_whole[:ended]


@compiled
def _who_ends(size: Float64, running: int, fall: float) -> int:
    """The oldest of this size; else the smallest larger one, of which a part ends.

    Else the largest, and the rest of the fall is another's.
    """
    larger, smaller = -1, -1
    for one in range(running):
        if size[one] == fall:
            return one
        if size[one] > fall:
            if larger < 0 or size[one] < size[larger]:
                larger = one
        elif smaller < 0 or size[one] > size[smaller]:
            smaller = one
    # What was there before the first sample is one block of many gangs: it is the first to split.
    return smaller if larger < 0 else larger
