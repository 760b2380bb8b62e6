"""What of the pools of GPUs deserves a look: held and unused, too full, empty while others wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt

from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Advice, Evidence
from orchestration.steps.advice.placement.lines import at
from orchestration.steps.advice.placement.pools import Known, known_pools
from orchestration.steps.advice.placement.read import read_state
from orchestration.steps.advice.placement.sentence import chance, span
from orchestration.steps.advice.placement.unused import unused

Float64 = npt.NDArray[np.float64]

CROWDED, IDLE = "gpu_queue_full", "gpu_pool_idle"

WAIT, WAITING = "jobs wait", "jobs that wait, on average"
"""Facts in the evidence."""

WEEK = 168.0
LEAST_HISTORY = 48.0
"""Hours: a day is no habit."""

STEP = 1.0 / 12.0  # hours between two looks at a pool
ENOUGH = 0.9  # share of the time in which what is proposed would have been enough
# So long others have to wait, in a week, before GPUs that are free meanwhile are worth a word.
LEAST_WAITED = 4.0
# And for so much of that time there has to be room for one of those that wait.
LEAST_IDLE = 0.5


def advise_pools(snapshot: Snapshot, now: datetime, settings: AdviceSettings) -> Sequence[Advice]:
    """All advice about pools of GPUs."""
    state = read_state(snapshot, now, settings.history)
    pools = [
        one
        for one in known_pools(state, settings.placement, settings.prices.gpu_hour)
        if one.pool.known and not np.isnan(one.pool.capacity)
    ]
    found = unused(snapshot, now, settings)
    hour = state.hour
    for one in pools:
        found += _crowded(one, hour, settings)
        found += _idle(one, _beside(one, pools), hour)
    return found


def _beside(one: Known, pools: Sequence[Known]) -> list[Known]:
    """Pools of the other queues of its cluster.

    Not of other clusters: who reads a row may see its cluster alone, and whatever rests on others
    (figures, and whether there is a row) would tell of them. Nor of its own queue: who waits there
    could have had its GPUs.
    """
    cluster, queue, _ = one.pool.name
    return [
        other for other in pools if other.pool.name[0] == cluster and other.pool.name[1] != queue
    ]


def _times(since: float, hour: float) -> Float64:
    """Times of the last week, or of what is known of it."""
    return np.arange(max(since, hour - WEEK), hour, STEP)


def _crowded(one: Known, hour: float, settings: AdviceSettings) -> list[Advice]:
    times = _times(one.since, hour)
    if len(times) * STEP < LEAST_HISTORY:
        return []
    waiting, held = at(one.waiting, times), at(one.allocated, times)
    share = float((waiting > 0).mean())
    if share < settings.placement.crowded_share:
        return []
    # What those that wait would have: as large as gangs here are.
    sizes = one.pool.habits.size
    wanted = held + waiting * (float(sizes.mean()) if len(sizes) else 1.0)
    capacity = one.pool.capacity
    enough = float(np.ceil(max(np.quantile(wanted, ENOUGH), capacity + 1.0)))
    cluster, queue, node_pool = one.pool.name
    over = _over(times)
    facts = [
        Evidence(WAIT, round(share, 3), "share", over),
        Evidence(WAITING, round(float(waiting.mean()), 2), "jobs", over),
        Evidence("GPUs in use, on average", round(float(held.mean()), 2), "GPUs", over),
    ]
    if one.mean_wait is not None:
        facts.append(Evidence("mean wait", round(one.mean_wait, 2), "hours", "the last day"))
    more = enough - capacity
    return [
        Advice(
            cluster,
            CROWDED,
            entity_of(queue, node_pool),
            f"queue {queue} has jobs waiting {chance(share)} of the time: "
            f"{enough:g} GPUs in place of {capacity:g} would do",
            f"with {enough:g} GPUs, what ran and what waited would have had room "
            f"{ENOUGH:.0%} of the time; or place jobs elsewhere: `fleetlake place`",
            current={"gpus": capacity},
            proposed={"gpus": enough},
            evidence=facts,
            saving_gpus=-more,
            saving_cost=-_month(one, more, settings),
            confidence=min(len(times) * STEP / WEEK, 0.9),
        )
    ]


def _idle(one: Known, others: Sequence[Known], hour: float) -> list[Advice]:
    times = _times(one.since, hour)
    if len(times) * STEP < LEAST_HISTORY:
        return []
    free = one.pool.capacity - at(one.allocated, times)
    waited, room = np.zeros(len(times), bool), np.zeros(len(times), bool)
    smaller = False
    for other in others:
        sizes = other.pool.habits.size
        if not len(sizes):
            continue
        waits = at(other.waiting, times) > 0
        waited |= waits
        fits = waits & (free >= float(np.median(sizes)))
        room |= fits
        smaller |= bool(fits.any() and one.pool.memory < other.pool.memory)
    hours = float(waited.sum() * STEP)
    if hours < LEAST_WAITED or room.sum() < LEAST_IDLE * waited.sum():
        return []
    spare = float(free[room].mean())
    cluster, queue, node_pool = one.pool.name
    over = _over(times)
    reason = (
        f"of {span(hours)} in which jobs waited in other queues of its cluster, it had room for "
        f"one of usual size {chance(float(room.sum() / waited.sum()))} of the time; "
        "`fleetlake place` tells where, in all clusters, a job is done soonest"
    )
    if smaller:
        reason += "; its GPUs have less memory than those that were waited for"
    return [
        Advice(
            cluster,
            IDLE,
            entity_of(queue, node_pool),
            f"queue {queue} has {spare:.1f} of {one.pool.capacity:g} GPUs free while jobs wait in "
            "other queues of its cluster",
            reason,
            current={"gpus_free_while_others_wait": round(spare, 1)},
            proposed={"gpus_free_while_others_wait": 0.0},
            evidence=[
                Evidence("jobs wait in other queues of the cluster", round(hours, 1), "hours",
                         over),
                Evidence("of that, with room here", round(float(room.sum() * STEP), 1), "hours",
                         over),
                Evidence("GPUs free meanwhile, on average", round(spare, 2), "GPUs", over),
            ],
            confidence=0.5 if smaller else 0.8,
        )
    ]  # fmt: skip


def _month(one: Known, gpus: float, settings: AdviceSettings) -> float:
    price = float(np.mean(one.pool.price))
    if np.isnan(price):
        return settings.prices.month(gpus=gpus)
    return settings.prices.model_copy(update={"gpu_hour": price}).month(gpus=gpus)


def entity_of(queue: str, node_pool: str) -> str:
    """What an advice on a pool is about, unique in its cluster."""
    return f"{queue}/{node_pool}" if node_pool else queue


def _over(times: Float64) -> str:
    return f"{len(times) * STEP / 24.0:.1f} days"
