"""Ways in which a pool may go on: how long those that run take, who waits, who comes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.placement.habits import LEAST_ENDED, Habits
from detectors.placement.model import Pool
from detectors.season.hours import WEEK

Float64 = npt.NDArray[np.float64]

# Busy days differ: standard deviation of a day's arrivals, as a share of what is expected.
DAY_SPREAD = 0.3
# Lengths are drawn from those that were seen, and no two are quite the same.
BLUR = 0.1
# Sizes of those that wait are drawn so often, to come near the GPUs that they wait for.
TRIES = 16

MOST_COMING = 1_000.0
"""Gangs that are expected to come, at most: after them nobody comes. Where so many come in three
days, a gang that has waited for them has waited for longer than can be told."""


@dataclass(frozen=True, slots=True, eq=False)
class Futures:
    """`m` ways to go on, hours from now, ascending where they are times.

    Attributes:
        running: GPUs of those that run, `[running]`.
        left: hours that each still runs, `[m, running]`.
        wait_size: GPUs of those that wait, in their order, `[m, waiting]`.
        wait_length: hours that they will run.
        come_at: when others come, `[m, most]`, infinite = nobody.
        come_size: their GPUs.
        come_length: hours that they will run.
    """

    running: Float64
    left: Float64
    wait_size: Float64
    wait_length: Float64
    come_at: Float64
    come_size: Float64
    come_length: Float64


def draw(pool: Pool, hour: float, horizon: float, m: int, rng: np.random.Generator) -> Futures:
    """Draw ways to go on.

    Args:
        pool: as it is now.
        hour: now, hours since 1970.
        horizon: hours.
        m: how many.
        rng: where chance comes from.
    """
    habits = pool.habits
    left = _left(pool, m, rng)
    if habits.ended < LEAST_ENDED:
        # Only a pool in which the job starts at once is asked of; nothing is known of others.
        none = np.zeros((m, 0))
        return Futures(pool.running, left, none, none, none, none, none)
    wait_size = _waiting_sizes(pool, m, rng)
    come_at, come_size = _coming(habits, hour, horizon, m, rng)
    limit = max(pool.capacity, 1.0)
    wait_size, come_size = np.minimum(wait_size, limit), np.minimum(come_size, limit)
    wait_length = _lengths(habits, wait_size, rng)
    come_length = _lengths(habits, come_size, rng)
    return Futures(pool.running, left, wait_size, wait_length, come_at, come_size, come_length)


def _left(pool: Pool, m: int, rng: np.random.Generator) -> Float64:
    """Of lengths that are longer than what has passed, as likely as they are among those."""
    left = np.empty((m, len(pool.running)))
    for one, (size, passed) in enumerate(zip(pool.running, pool.elapsed, strict=True)):
        length, weight = (
            pool.habits.lengths_of(float(size)) if pool.habits.length else (np.zeros(0),) * 2
        )
        longer = length > passed
        share = float(weight[longer].sum())
        if share > 0.0:
            chosen = rng.choice(length[longer], m, p=weight[longer] / share)
            left[:, one] = (chosen - passed) * np.exp(rng.normal(0.0, BLUR, m))
        else:
            # What outlived all others goes on about as long as it has gone on already.
            left[:, one] = max(passed, 0.25) * rng.exponential(1.0, m)
    return left


def _waiting_sizes(pool: Pool, m: int, rng: np.random.Generator) -> Float64:
    if not pool.waiting:
        return np.zeros((m, 0))
    sizes = pool.habits.size
    if np.isnan(pool.waiting_gpus):
        # Large gangs wait where small ones slip through: those that wait are larger than usual.
        larger: Float64 = rng.choice(sizes, (m, pool.waiting), p=sizes / sizes.sum())
        return larger
    if pool.waiting == 1:
        return np.full((m, 1), max(pool.waiting_gpus, 1.0))
    tried = rng.choice(sizes, (m, TRIES, pool.waiting))
    off = np.abs(tried.sum(axis=2) - pool.waiting_gpus)
    nearest: Float64 = tried[np.arange(m), off.argmin(axis=1)]
    return nearest


def _coming(
    habits: Habits, hour: float, horizon: float, m: int, rng: np.random.Generator
) -> tuple[Float64, Float64]:
    whole = int(np.floor(hour))
    hours = whole + np.arange(int(np.ceil(horizon)) + 1)
    expected = habits.rate[hours % WEEK]
    expected = np.where(np.cumsum(expected) <= MOST_COMING, expected, 0.0)
    days = (hours - whole) // 24
    # What the rate is from is few gangs, and days differ.
    sure = 1.0 / max(habits.came, 1.0)
    busy = rng.gamma(1.0 / sure, sure, (m, 1))
    shape = 1.0 / DAY_SPREAD**2
    daily = rng.gamma(shape, 1.0 / shape, (m, int(days[-1]) + 1))[:, days]
    counts = rng.poisson(expected * busy * daily)
    total = counts.sum(axis=1)
    most = int(total.max(initial=0))
    row = np.repeat(np.arange(m), total)
    begin = np.repeat(np.tile(hours, m) - hour, counts.ravel())
    at = begin + rng.random(len(begin))
    order = np.lexsort((at, row))
    row, at = row[order], at[order]
    place = np.arange(len(row)) - (np.cumsum(total) - total)[row]
    come_at = np.full((m, most), np.inf)
    come_at[row, place] = at
    # Of the hour that has begun, what is past does not come any more.
    come_at.sort(axis=1)
    gone = come_at < 0.0
    come_at[gone] = np.inf
    come_at.sort(axis=1)
    return come_at, rng.choice(habits.size, (m, most))


def _lengths(habits: Habits, sizes: Float64, rng: np.random.Generator) -> Float64:
    out = np.empty_like(sizes)
    for size in np.unique(sizes):
        mine = sizes == size
        length, weight = habits.lengths_of(float(size))
        out[mine] = rng.choice(length, int(mine.sum()), p=weight)
    blurred: Float64 = out * np.exp(rng.normal(0.0, BLUR, sizes.shape))
    return blurred
