"""Run it at night: an hour at which a job may be submitted as well, and that is cheaper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.placement.model import Job, Pool
from detectors.placement.trial import Trial, price

SURE = 0.9
"""Chance to be done by the deadline that a later hour needs at least."""

# And no less likely than now, but for so much.
NO_WORSE = 0.02
# So much cheaper, or so much more likely to find its GPUs free, is worth a night.
CHEAPER = 0.95
QUIETER = 0.3
# So close together costs, or chances, are the same.
SAME = 0.01
SAME_CHANCE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Later:
    """A later time to submit a job.

    Attributes:
        pool: where.
        hours: from now.
        in_time: chance that it is done by the deadline all the same.
        at_once: chance that it starts at once then.
        cost: of its GPUs then, NaN = unknown.
        saving: what that is less than now in the best place, NaN = unknown.
    """

    pool: Pool
    hours: float
    in_time: float
    at_once: float
    cost: float
    saving: float


def later(trials: Sequence[Trial], job: Job, hour: float) -> Later | None:
    """The cheapest later hour at which waiting costs nothing; without prices, the quietest.

    Args:
        trials: of all places, the best first; each for the same hours.
        job: what is placed; without a deadline nobody can say that waiting costs nothing.
        hour: now, hours since 1970 (UTC).

    Returns:
        None = submit it now.
    """
    if job.deadline is None or not trials:
        return None
    in_time = np.stack([one.in_time(job.deadline) for one in trials])
    at_once = np.stack([one.at_once for one in trials])
    cost = np.stack([price(one, job.gpus, hour) for one in trials])
    enough = (in_time >= SURE) & (in_time >= in_time[0, 0] - NO_WORSE)
    enough[:, 0] = False
    now = cost[0, 0]
    with np.errstate(invalid="ignore"):
        better = cost <= CHEAPER * now
        same = np.isnan(cost) | np.isnan(now) | (cost <= now)
    better |= same & (at_once >= at_once[0, 0] + QUIETER)
    fit = enough & better
    if not fit.any():
        return None
    # The cheapest; of those, the ones that most surely find room; of those, the soonest.
    fit &= ~(cost > (1.0 + SAME) * np.nanmin(np.where(fit, cost, np.nan), initial=np.inf))
    fit &= at_once >= at_once[fit].max() - SAME_CHANCE
    soonest = int(np.where(fit, trials[0].submit, np.inf).argmin())
    place, each = divmod(soonest, fit.shape[1])
    chosen = trials[place]
    return Later(
        pool=chosen.pool,
        hours=float(chosen.submit[each]),
        in_time=float(in_time[place, each]),
        at_once=float(at_once[place, each]),
        cost=float(cost[place, each]),
        saving=float(now - cost[place, each]),
    )
