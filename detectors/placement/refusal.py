"""Why a pool is not considered."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from detectors.placement.habits import LEAST_ENDED
from detectors.placement.model import Job, Pool

MOST_WAITING = 1_000
"""Gangs before ours: the queue is walked through at each event."""

MOST_RUNNING = 1_000
"""Gangs: the end of each is drawn again and again, and looked for among the others."""


class Refusal(StrEnum):
    """Why a job has no place in a pool, or nothing can be said of it."""

    UNKNOWN_STATE = "what it has allocated is not told of late"
    UNKNOWN_CAPACITY = "its capacity is not known"
    TOO_FEW_GPUS = "it has too few GPUs, even when none is in use"
    TOO_LITTLE_MEMORY = "its GPUs have too little memory"
    UNKNOWN_MEMORY = "the memory of its GPUs is not known"
    LONG_QUEUE = "more jobs wait than can be reckoned with"
    MANY_RUNNING = "more jobs run than can be reckoned with"
    SHORT_HISTORY = "too few jobs were seen to end to tell how long those before it take"


def refusal(pool: Pool, job: Job) -> Refusal | None:
    """Why a job is not placed in a pool; None = it can be tried."""
    if not pool.known:
        return Refusal.UNKNOWN_STATE
    if np.isnan(pool.capacity):
        return Refusal.UNKNOWN_CAPACITY
    if job.gpus > pool.capacity:
        return Refusal.TOO_FEW_GPUS
    if job.memory > 0.0:
        if np.isnan(pool.memory):
            return Refusal.UNKNOWN_MEMORY
        if job.memory > pool.memory:
            return Refusal.TOO_LITTLE_MEMORY
    if pool.waiting > MOST_WAITING:
        return Refusal.LONG_QUEUE
    if len(pool.running) > MOST_RUNNING:
        return Refusal.MANY_RUNNING
    # Where nobody waits and enough is free, nobody has to end first.
    at_once = pool.waiting == 0 and job.gpus <= pool.free
    if pool.habits.ended < LEAST_ENDED and not at_once:
        return Refusal.SHORT_HISTORY
    return None
