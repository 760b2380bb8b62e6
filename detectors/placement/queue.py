"""A queue played on: who starts when, event by event."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.memory.kernels import compiled
from detectors.placement.futures import Futures

Float64 = npt.NDArray[np.float64]

_NONE = np.zeros(0)
_ROUNDING = 1e-9  # of a GPU: sizes are whole numbers


def starts(
    futures: Futures,
    capacity: float,
    gpus: float,
    submit: Float64,
    horizon: float,
    *,
    strict: bool = False,
) -> Float64:
    """When a gang starts that is submitted at the end of the queue.

    A gang starts when all its GPUs are free. Those before it in the queue go first; one that does
    not fit holds up those behind it where the queue is strict, and is passed by others where not.

    Args:
        futures: `m` ways to go on.
        capacity: GPUs of the pool.
        gpus: of the gang.
        submit: hours from now, `[k]`.
        horizon: hours after which nothing is played.
        strict: whether the queue is.

    Returns:
        Hours from now, infinite = not within the horizon, `[m, k]`.
    """
    begun, _ = _played(futures, capacity, gpus, np.asarray(submit), _NONE, horizon, strict)
    return begun


def free_at(futures: Futures, capacity: float, times: Float64, *, strict: bool = False) -> Float64:
    """GPUs that nobody has at times ahead, `[m, times]`.

    Args:
        futures: `m` ways to go on.
        capacity: GPUs of the pool.
        times: hours from now, ascending.
        strict: whether the queue is.
    """
    asked = np.asarray(times, np.float64)
    _, free = _played(futures, capacity, 1.0, _NONE, asked, float(asked[-1]), strict)
    return free


def _played(
    futures: Futures,
    capacity: float,
    gpus: float,
    submit: Float64,
    times: Float64,
    horizon: float,
    strict: bool,
) -> tuple[Float64, Float64]:
    # One kernel for both, as compiling it takes seconds.
    f = futures
    begun, free = _play_all(
        f.running, f.left, f.wait_size, f.wait_length, f.come_at, f.come_size, f.come_length,
        float(capacity), float(gpus), submit.astype(np.float64), times, float(horizon), strict,
    )  # fmt: skip
    return begun, free


@compiled
def _play_all(
    running: Float64,
    left: Float64,
    wait_size: Float64,
    wait_length: Float64,
    come_at: Float64,
    come_size: Float64,
    come_length: Float64,
    capacity: float,
    gpus: float,
    submit: Float64,
    times: Float64,
    horizon: float,
    strict: bool,
) -> tuple[Float64, Float64]:
    """Starts, once for each time of submission; and what is free without it, once."""
    m, k = left.shape[0], len(submit)
    begun = np.full((m, k), np.inf)
    free = np.full((m, len(times)), capacity)
    # In the last round nothing is submitted, and GPUs are counted.
    rounds = k + 1 if len(times) > 0 else k
    for row in range(m):
        for each in range(rounds):
            ours = each < k
            at = submit[each] if ours else np.inf
            start = _play(
                running, left[row], wait_size[row], wait_length[row],
                come_at[row], come_size[row], come_length[row],
                capacity, gpus, at, horizon, strict, times[:0] if ours else times, free[row],
            )  # fmt: skip
            if ours:
                begun[row, each] = start
    return begun, free


@compiled
def _play(
    running: Float64,
    left: Float64,
    wait_size: Float64,
    wait_length: Float64,
    come_at: Float64,
    come_size: Float64,
    come_length: Float64,
    capacity: float,
    gpus: float,
    submit: float,
    horizon: float,
    strict: bool,
    times: Float64,
    free_out: Float64,
) -> float:
    """One way to go on; the start of the gang that is submitted, infinite = none."""
    most = len(running) + len(wait_size) + len(come_at) + 1
    end, use = np.empty(most), np.empty(most)
    active, used = len(running), running.sum()
    end[:active], use[:active] = left, running
    queue_size, queue_length, queued = np.empty(most), np.empty(most), len(wait_size)
    queue_size[:queued], queue_length[:queued] = wait_size, wait_length
    now, coming, told = 0.0, 0, 0
    while True:
        while coming < len(come_at) and come_at[coming] <= now:
            queue_size[queued], queue_length[queued] = come_size[coming], come_length[coming]
            queued += 1
            coming += 1
        if submit <= now:
            # The one with no length is ours: what comes of it does not matter.
            queue_size[queued], queue_length[queued] = gpus, np.nan
            queued += 1
            submit = np.inf
        queued, active, used, ours = _admit(
            queue_size, queue_length, queued, end, use, active, used, capacity, strict, now
        )
        if ours:
            return now
        following = min(submit, come_at[coming]) if coming < len(come_at) else submit
        for one in range(active):
            following = min(following, end[one])
        while told < len(times) and times[told] < following:
            free_out[told] = max(capacity - used, 0.0)
            told += 1
        if following > horizon:
            return np.inf
        now = following
        active, used = _release(end, use, active, used, now)


@compiled
def _admit(
    queue_size: Float64,
    queue_length: Float64,
    queued: int,
    end: Float64,
    use: Float64,
    active: int,
    used: float,
    capacity: float,
    strict: bool,
    now: float,
) -> tuple[int, int, float, bool]:
    """Start who fits, in order; the queue, those that run, what they have, and whether ours did."""
    kept = 0
    for one in range(queued):
        fits = used + queue_size[one] <= capacity + _ROUNDING
        if fits and not (strict and kept > 0):
            if np.isnan(queue_length[one]):
                return queued, active, used, True
            end[active], use[active] = now + queue_length[one], queue_size[one]
            active += 1
            used += queue_size[one]
        else:
            queue_size[kept], queue_length[kept] = queue_size[one], queue_length[one]
            kept += 1
    return kept, active, used, False


@compiled
def _release(end: Float64, use: Float64, active: int, used: float, now: float) -> tuple[int, float]:
    """Give back what those had that have ended."""
    kept = 0
    for one in range(active):
        if end[one] <= now:
            used -= use[one]
        else:
            end[kept], use[kept] = end[one], use[one]
            kept += 1
    return kept, used
