"""What became of advice on queues with too few GPUs: whether they have more, and jobs wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Followed
from orchestration.steps.advice.placement.adviser import (
    ENOUGH,
    STEP,
    WAIT,
    WAITING,
    WEEK,
    entity_of,
)
from orchestration.steps.advice.placement.lines import at
from orchestration.steps.advice.placement.pools import DAY, Known, known_pools
from orchestration.steps.advice.placement.read import read_state
from orchestration.steps.advice.rows import APPLIED

Row = dict[str, Any]

AS_PROPOSED = 0.05
"""People round: what differs by less is what was proposed."""

WHOLE = timedelta(days=1)
"""An effect is measured anew after each whole day, so that it is not written each hour."""

LOOKS_BACK = timedelta(hours=WEEK)
"""What is said of a queue rests on so long a time, and so as long on that before it had more."""


def widened(
    snapshot: Snapshot, rows: Sequence[Row], now: datetime, settings: AdviceSettings
) -> Mapping[str, Followed]:
    """Whether queues have as many GPUs as was proposed by their own words, and how many wait since.

    What a queue borrows was not given to it. A queue of which nothing is told, as nothing is of
    others in its cluster, stays what it is for a day.

    Args:
        snapshot: what queues have.
        rows: advice that queues are too full, parsed; not empty.
        now: the time.
        settings: what else is known of pools.
    """
    state = read_state(snapshot, now, settings.history, {row["cluster"] for row in rows})
    pools = {
        (one.pool.name[0], entity_of(*one.pool.name[1:])): one
        for one in known_pools(state, settings.placement)
    }
    up = {cluster for (cluster, _), one in pools.items() if one.pool.known}
    found = {}
    for row in rows:
        one = pools.get((row["cluster"], row["entity"]))
        if one is None:
            continue
        if not one.pool.known:
            told = float(one.allocated[0][-1]) if len(one.allocated[0]) else -np.inf
            if row["cluster"] not in up and told >= state.hour - DAY:
                applied = row["state"] == APPLIED
                found[row["advice_id"]] = Followed(applied=applied, holds=True)
            continue
        given = one.quota >= row["proposed"]["gpus"] * (1.0 - AS_PROPOSED)
        given &= one.quota > row["current"]["gpus"]
        if row["state"] == APPLIED:
            found[row["advice_id"]] = _since(row, one, given, now)
        elif given:
            found[row["advice_id"]] = Followed(applied=True, effect=_begun(row, now))
    return found


def _since(row: Row, one: Known, given: bool, now: datetime) -> Followed:
    """What came of one that was followed, if it still is."""
    begun = datetime.fromisoformat(row["effect"]["applied_at"])
    holds = given and now - begun <= LOOKS_BACK
    days = (now - begun) // WHOLE
    effect = None
    if given and one.waiting_told and 1 <= days <= LOOKS_BACK // WHOLE:
        hour = begun.timestamp() / 3600.0
        steps = np.arange(round(days * DAY / STEP), dtype=np.float64)
        waiting = at(one.waiting, hour + STEP * steps)
        measured = _waiting(float((waiting > 0).mean()), float(waiting.mean()))
        came = measured | {"gpus": one.quota, "days": float(days)}
        effect = row["effect"] | {"measured": came}
    return Followed(applied=given, effect=effect, holds=holds)


def _begun(row: Row, now: datetime) -> dict[str, object]:
    facts = {fact["what"]: fact["value"] for fact in row["evidence"]}
    before = _waiting(facts[WAIT], facts[WAITING])
    return {
        "applied_at": now.isoformat(),
        "before": before | row["current"],
        "predicted": {"share_waiting": round(1.0 - ENOUGH, 3)} | row["proposed"],
        "measured": None,
    }


def _waiting(share: float, jobs: float) -> dict[str, float]:
    return {"share_waiting": round(share, 3), "jobs_waiting": round(jobs, 2)}
