"""A job put at the end of one pool's queue, in many ways to go on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError
from detectors.placement.futures import draw
from detectors.placement.model import HOURS_OF_DAY, Job, Pool
from detectors.placement.queue import free_at, starts

Float64 = npt.NDArray[np.float64]

HORIZON = 72.0
"""Hours that queues are played on. What does not start by then is told as that."""

AHEAD = 24
"""Hours at which a job might be submitted later, and of which free GPUs are foretold."""

# Who submits a job errs: standard deviation of the logarithm of how long it runs.
ESTIMATE_SPREAD = 0.3


@dataclass(frozen=True, slots=True)
class Chances:
    """How much is drawn, and how far off those who submit jobs are.

    Attributes:
        ways: ways to go on that are drawn for each pool, at least 20.
        spread: standard deviation of the logarithm of how long a job runs, against what was said.
        seed: of what is drawn: the same question about the same state has the same answer.
    """

    ways: int = 200
    spread: float = ESTIMATE_SPREAD
    seed: int = 7

    def __post_init__(self) -> None:
        if self.ways < 20:
            raise InvalidParameterError("ways", self.ways, "at least 20")
        if not 0.0 <= self.spread <= 2.0:
            raise InvalidParameterError("spread", self.spread, "between 0 and 2")


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What became of a job in a pool; hours from now.

    Attributes:
        pool: where.
        submit: when it was submitted, the first of them now, `[k]`.
        begun: when it began, infinite = not within the horizon, `[ways, k]`.
        transfer: how long its data took, NaN = unknown.
        run: how long it had its GPUs, with the transfer, `[ways]`.
        free: GPUs that are free without it at the middle of each hour ahead, `[ways, AHEAD]`.
    """

    pool: Pool
    submit: Float64
    begun: Float64
    transfer: float
    run: Float64
    free: Float64

    @property
    def at_once(self) -> Float64:
        """Chance to start as it is submitted, `[k]`."""
        out: Float64 = (self.begun <= self.submit + 1e-9).mean(axis=0)
        return out

    def in_time(self, deadline: float | None) -> Float64:
        """Chance to be done by then, NaN = whenever, `[k]`."""
        if deadline is None:
            return np.full(len(self.submit), np.nan)
        out: Float64 = (self.begun + self.run[:, None] <= deadline).mean(axis=0)
        return out


def attempt(pool: Pool, job: Job, hour: float, chances: Chances) -> Trial:
    """Try a job in a pool, now and, where it has a deadline, at each full hour from now.

    Args:
        pool: in which it has a place.
        job: what is placed.
        hour: now, hours since 1970 (UTC).
        chances: how much is drawn.
    """
    # A stream for each pool and one for the job: pools differ by their queues, not by luck with it.
    rng = np.random.default_rng([chances.seed, *"/".join(pool.name).encode()])
    futures = draw(pool, hour, HORIZON, chances.ways, rng)
    submit = np.arange(AHEAD + 1.0) if job.deadline is not None else np.zeros(1)
    begun = starts(futures, pool.capacity, job.gpus, submit, HORIZON, strict=pool.strict)
    known = pool.datasets.get(job.dataset) if job.dataset is not None else None
    transfer = np.nan if known is None else known.transfer_hours
    blur = np.random.default_rng(chances.seed).normal(0.0, chances.spread, chances.ways)
    run = np.nan_to_num(transfer) + job.hours * np.exp(blur)
    free = free_at(futures, pool.capacity, np.arange(0.5, AHEAD), strict=pool.strict)
    return Trial(pool, submit, begun, float(transfer), run, free)


def price(trial: Trial, gpus: int, hour: float) -> Float64:
    """What the job's GPUs cost on average, NaN = unknown, or it does not start; `[k]`.

    Args:
        trial: what became of it.
        gpus: how many it has.
        hour: now, hours since 1970 (UTC).
    """
    # Hours of the day are steps: the sum up to any time is linear between whole hours.
    upto = np.concatenate([[0.0], np.cumsum(trial.pool.price)])

    def paid(at: Float64) -> Float64:
        days, rest = np.divmod(at, HOURS_OF_DAY)
        out: Float64 = days * upto[-1] + np.interp(rest, np.arange(HOURS_OF_DAY + 1), upto)
        return out

    starts_at_all = np.isfinite(trial.begun)
    begin = hour + np.where(starts_at_all, trial.begun, 0.0)
    cost = np.where(starts_at_all, paid(begin + trial.run[:, None]) - paid(begin), 0.0)
    count = starts_at_all.sum(axis=0)
    return np.where(count > 0, cost.sum(axis=0) / np.maximum(count, 1), np.nan) * gpus
