"""Where should a job be submitted: the question, its answer, and what is wrong with questions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite

from detectors.errors import InvalidParameterError
from detectors.placement import HORIZON, Chances, Job, Later, Place, advise
from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.errors import PlacementError
from orchestration.steps.advice.placement import sentence
from orchestration.steps.advice.placement.datasets import Datasets
from orchestration.steps.advice.placement.pools import Known, known_pools
from orchestration.steps.advice.placement.read import read_state
from orchestration.steps.advice.rows import Row, finite

HOUR = timedelta(hours=1)

MOST_NAMED = 10
"""Data sets that an answer lists where the one that was asked for is unknown."""

LONGEST = 24.0 * 365.0
"""Hours that a job may take, or be due in."""

FARTHEST = 10.0 * LONGEST
"""Hours from now to a time that is told."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A job as somebody says it.

    Attributes:
        gpus: that it gets all at once.
        hours: that it runs.
        memory_bytes: that it needs on each GPU, 0 = any.
        dataset: that it reads.
        deadline: by when it has to be done.
    """

    gpus: int
    hours: float
    memory_bytes: float = 0.0
    dataset: str | None = None
    deadline: datetime | None = None


def place(
    snapshot: Snapshot,
    asked: Asked,
    now: datetime,
    settings: AdviceSettings,
    visible: Collection[str] | None = None,
) -> Row:
    """Rank the pools of GPUs for a job.

    Args:
        snapshot: what the lake holds of them.
        asked: the job.
        now: when it is ready.
        settings: of history, prices and pools.
        visible: clusters that may be used, None = all.

    Returns:
        `made_at`, `text` (the answer as a sentence), `places` (the best first), `later` (or None),
        `refused`, `dataset` (its full name, None = unknown or none), `notes`.

    Raises:
        PlacementError: a number outside its range, or a deadline that is over.
    """
    job = _job(asked, now)
    state = read_state(snapshot, now, settings.history, visible)
    known = known_pools(state, settings.placement, settings.prices.gpu_hour)
    datasets = Datasets(state)
    name = None if asked.dataset is None else datasets.find(asked.dataset)
    job = Job(job.gpus, job.hours, job.memory, name, job.deadline)
    chances = Chances(spread=settings.placement.estimate_spread)
    answer = advise([one.pool for one in known], job, state.hour, chances)
    of = {one.pool.name: one for one in known}
    places = [_place(one, of[one.pool.name], now) for one in answer.places]
    refused = [{**_where(pool.name), "reason": why.value} for pool, why in answer.refused]
    notes = _notes(asked, name, datasets.names)
    later = None if answer.later is None else _later(answer.later, answer.places[0], now)
    return {
        "made_at": now,
        "text": sentence.answer(places, refused, later, now),
        "places": places,
        "later": later,
        "refused": refused,
        "dataset": name,
        "notes": notes,
        "versions": dict(snapshot.versions),
    }


def _job(asked: Asked, now: datetime) -> Job:
    for what, value in (("hours", asked.hours), ("memory_bytes", asked.memory_bytes)):
        if not isfinite(value):
            raise PlacementError(f"{what} is {value}: say a number")
    if asked.hours > LONGEST:
        raise PlacementError(f"hours is {asked.hours:g}: a job of at most a year can be placed")
    left = None
    if asked.deadline is not None:
        deadline = asked.deadline
        deadline = deadline if deadline.tzinfo else deadline.replace(tzinfo=UTC)
        left = (deadline - now) / HOUR
        if left <= 0.0:
            raise PlacementError(
                f"deadline {deadline.isoformat()} is over: it is {now.isoformat()}; "
                "leave it out, or say a later one"
            )
        left = min(left, LONGEST)
    try:
        return Job(asked.gpus, asked.hours, asked.memory_bytes, None, left)
    except InvalidParameterError as error:
        raise PlacementError(f"a job cannot be like that: {error}") from error


def _notes(asked: Asked, name: str | None, names: Sequence[str]) -> list[str]:
    if asked.dataset is None or name is not None:
        return []
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    known = f"known are {', '.join(names[:MOST_NAMED])}{more}" if names else "none is known"
    return [
        f"data set {asked.dataset[:100]!r} is unknown ({known}): "
        "no time to fetch it is counted, and no cache"
    ]


def _where(name: tuple[str, str, str]) -> Row:
    cluster, queue, node_pool = name
    return {"cluster": cluster, "queue": queue, "node_pool": node_pool or None}


def _after(now: datetime, hours: float) -> datetime | None:
    """A time, where it can be told: a data set may be of any size."""
    return now + hours * HOUR if hours <= FARTHEST else None


def _place(one: Place, known: Known, now: datetime) -> Row:
    wait = dict(zip(("lower", "median", "upper"), map(finite, one.wait), strict=True))
    done = [_after(now, hours) for hours in one.done]
    row = _where(one.pool.name) | {
        "wait_hours": wait["median"],
        "wait_hours_lower": wait["lower"],
        "wait_hours_upper": wait["upper"],
        "mean_wait_hours": one.mean_wait,
        "starts_at_once": one.at_once,
        "start": _after(now, one.wait[1]),
        "done": done[1],
        "done_lower": done[0],
        "done_upper": done[2],
        "transfer_hours": finite(one.transfer),
        "in_time": finite(one.in_time),
        "cost": finite(one.cost),
        "gpus": one.pool.capacity,
        "gpus_free": one.pool.free,
        "gpus_free_ahead": [
            {"time": now + (hour + 0.5) * HOUR, "lower": low, "median": middle, "upper": high}
            for hour, (low, middle, high) in enumerate(one.free.T.tolist())
        ],
        "jobs_running": len(one.pool.running),
        "jobs_waiting": one.pool.waiting if known.waiting_told else None,
        "mean_wait_hours_last_day": known.mean_wait,
        "horizon_hours": HORIZON,
    }
    return row | {"reason": sentence.reason(row)}


def _later(one: Later, best: Place, now: datetime) -> Row:
    row = _where(one.pool.name) | {
        "submit": now + one.hours * HOUR,
        "in_time": one.in_time,
        "starts_at_once": one.at_once,
        "cost": finite(one.cost),
        "saving": finite(one.saving),
        "starts_at_once_now": best.at_once,
    }
    return row | {"reason": sentence.later(row, now)}
