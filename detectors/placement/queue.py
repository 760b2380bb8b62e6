"""A queue played on: who starts when, event by event."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.placement.futures import Futures

Float64 = npt.NDArray[np.float64]

_NONE = np.zeros(0)
_LEAST = 1.0 - 1e-9  # a GPU
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
        submit: hours from now, ascending, `[k]`.
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
    """Starts for each time of submission, and what is free without it.

    Who waits takes nothing, and where others may pass it holds up nobody: so one play tells the
    starts of all submissions. In a strict queue it holds up those behind it, and each has its own.
    """
    m, k = left.shape[0], len(submit)
    begun = np.full((m, k), np.inf)
    free = np.full((m, len(times)), capacity)
    plays = k if strict else min(k, 1)
    for row in range(m):
        for each in range(plays):
            mine = slice(each, each + 1) if strict else slice(0, k)
            _play(
                running, left[row], wait_size[row], wait_length[row],
                come_at[row], come_size[row], come_length[row],
                capacity, gpus, submit[mine], begun[row, mine], horizon, strict,
                times[:0], free[row],
            )  # fmt: skip
        if len(times) > 0:
            _play(
                running, left[row], wait_size[row], wait_length[row],
                come_at[row], come_size[row], come_length[row],
                capacity, gpus, submit[:0], begun[row, :0], horizon, strict, times, free[row],
            )  # fmt: skip
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
    submit: Float64,
    begun: Float64,
    horizon: float,
    strict: bool,
    times: Float64,
    free: Float64,
) -> None:
    """One way to go on, until all that were submitted have begun and all times are told."""
    ours = len(submit)
    most = len(running) + len(wait_size) + len(come_at) + ours
    end, use = np.empty(most), np.empty(most)
    active, used = len(running), running.sum()
    end[:active], use[:active] = left, running
    queue_size, queue_length, queued = np.empty(most), np.empty(most), len(wait_size)
    queue_size[:queued], queue_length[:queued] = wait_size, wait_length
    now, coming, told, submitted, left_over = 0.0, 0, 0, 0, ours
    while left_over > 0 or told < len(times):
        while coming < len(come_at) and come_at[coming] <= now:
            queue_size[queued], queue_length[queued] = come_size[coming], come_length[coming]
            queued += 1
            coming += 1
        while submitted < ours and submit[submitted] <= now:
            # One of ours has its number, below 0, in place of a length.
            queue_size[queued], queue_length[queued] = gpus, -1.0 - submitted
            queued += 1
            submitted += 1
        before = queued
        queued, active, used, started = _admit(
            queue_size, queue_length, before, end, use, active, used, capacity, strict, now, begun
        )
        left_over -= started
        following = submit[submitted] if submitted < ours else np.inf
        if coming < len(come_at):
            following = min(following, come_at[coming])
        for one in range(active):
            following = min(following, end[one])
        while told < len(times) and times[told] < following:
            free[told] = max(capacity - used, 0.0)
            told += 1
        if following > horizon:
            return
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
    begun: Float64,
) -> tuple[int, int, float, int]:
    """Start who fits, in order; the queue, those that run, what they have, and how many of ours."""
    kept, ours = 0, 0
    for one in range(queued):
        # Nothing is free, and nobody has left the queue: the rest of it stays as it is.
        if kept == one and capacity - used < _LEAST:
            return queued, active, used, ours
        fits = used + queue_size[one] <= capacity + _ROUNDING
        if fits and not (strict and kept > 0):
            if queue_length[one] < 0.0:
                # What comes of it does not matter: it takes nothing from anybody.
                begun[int(-1.0 - queue_length[one])] = now
                ours += 1
                continue
            end[active], use[active] = now + queue_length[one], queue_size[one]
            active += 1
            used += queue_size[one]
        else:
            queue_size[kept], queue_length[kept] = queue_size[one], queue_length[one]
            kept += 1
    return kept, active, used, ours


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
