"""Pools ranked by when a job would be done there, and whether a later hour would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.placement.later import Later, later
from detectors.placement.model import Job, Pool
from detectors.placement.refusal import Refusal, refusal
from detectors.placement.trial import HORIZON, Chances, Trial, attempt, price

Float64 = npt.NDArray[np.float64]

INTERVAL = (0.1, 0.5, 0.9)
"""Lower end, middle and upper end of what is told: 8 of 10 should be within."""

# Done so few hours apart is done at the same time: then the cheaper place is first.
SAME = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """What would become of a job in one pool, submitted now; hours from now.

    Attributes:
        pool: where.
        wait: lower end, middle and upper end of the waiting time; infinite = beyond the horizon.
        mean_wait: its mean, with the horizon for what is beyond it.
        at_once: chance that it starts at once.
        transfer: hours that the data set takes, NaN = it is not known here.
        done: lower end, middle and upper end of when it is done.
        mean_done: its mean, by which places are ranked.
        in_time: chance that it is done by the deadline, NaN = there is none.
        cost: of its GPUs, NaN = prices are unknown.
        free: GPUs that will be free without it in each hour ahead, the same three, `[3, AHEAD]`.
    """

    pool: Pool
    wait: tuple[float, float, float]
    mean_wait: float
    at_once: float
    transfer: float
    done: tuple[float, float, float]
    mean_done: float
    in_time: float
    cost: float
    free: Float64


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer for one job.

    Attributes:
        places: the best first.
        refused: pools that are not considered, and why.
        later: a later hour that does as well and is cheaper or quieter, None = submit it now.
    """

    places: Sequence[Place]
    refused: Sequence[tuple[Pool, Refusal]]
    later: Later | None


def advise(pools: Sequence[Pool], job: Job, hour: float, chances: Chances | None = None) -> Answer:
    """Rank pools for a job.

    Idea: nobody knows how long the jobs before ours take, but how long such jobs took is known. So
    each pool's queue is played on many times, with lengths and arrivals drawn from what was usual
    there, given how long each of those that run has run already, and our job at its end.

    Args:
        pools: as they are now, those that may be used.
        job: what is to be placed.
        hour: now, hours since 1970 (UTC).
        chances: how much is drawn.
    """
    chances = chances or Chances()
    tried, refused = [], []
    for pool in pools:
        why = refusal(pool, job)
        if why is None:
            trial = attempt(pool, job, hour, chances)
            tried.append((_place(trial, job, hour), trial))
        else:
            refused.append((pool, why))
    tried.sort(key=lambda each: _rank(each[0]))
    waits = later([trial for _, trial in tried], job, hour)
    return Answer([place for place, _ in tried], refused, waits)


def _rank(place: Place) -> tuple[float, float, tuple[str, str, str]]:
    cost = np.inf if np.isnan(place.cost) else place.cost
    return round(place.mean_done / SAME), cost, place.pool.name


def _place(trial: Trial, job: Job, hour: float) -> Place:
    wait = trial.begun[:, 0]
    until = np.minimum(wait, HORIZON)
    return Place(
        pool=trial.pool,
        wait=_interval(wait),
        mean_wait=float(until.mean()),
        at_once=float(trial.at_once[0]),
        transfer=trial.transfer,
        done=_interval(wait + trial.run),
        mean_done=float((until + trial.run).mean()),
        in_time=float(trial.in_time(job.deadline)[0]),
        cost=float(price(trial, job.gpus, hour)[0]),
        free=np.quantile(trial.free, INTERVAL, axis=0),
    )


def _interval(hours: Float64) -> tuple[float, float, float]:
    # Of times of which some are infinite nothing is to be interpolated.
    low, middle, high = np.quantile(hours, INTERVAL, method="inverted_cdf").tolist()
    return low, middle, high
