"""What became of advice on settings: whether it was followed, and what that did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Followed, Numbers
from orchestration.steps.advice.rows import APPLIED
from orchestration.steps.advice.settings import reads
from orchestration.steps.advice.settings.set_now import LIMIT, MAXIMUM, MINIMUM, Untold, set_now
from orchestration.steps.advice.silence import silent_clusters

Row = dict[str, Any]
Measure = Callable[[Snapshot, datetime, timedelta], Mapping[tuple[str, str], Numbers]]

AS_PROPOSED = 0.05
"""People round: what differs by less is what was proposed."""

WHOLE = timedelta(days=1)
"""An effect is measured anew after each whole day, so that it is not written each hour."""

REQUEST, SPREAD = "setting_cpu_request", "setting_spread"
"""Kinds that are not followed, and rest on what kube-state-metrics tells now."""

_CURRENT = f"{reads.HPA}_status_current_replicas"
_AUTOSCALER = ["cluster", "namespace", "name"]


def follow(
    snapshot: Snapshot, rows: Sequence[Row], now: datetime, settings: AdviceSettings
) -> Mapping[str, Followed]:
    """Whether a limit or bound was moved as far as proposed; and a day or more after, what came.

    Of a limit that is the share throttled, of a maximum the share of hours at it, of a minimum the
    replicas. What is not told at the moment is no change: the advice stays what it is.

    Args:
        snapshot: what is set, and what happened since.
        rows: advice on settings, parsed.
        now: the time.
        settings: over how long settings are judged: as long effects are measured, and so long what
            is said of one that was followed may rest on the time before.
    """
    over = min(settings.history, settings.settings.history)
    found = _unfollowed(snapshot, rows, now)
    mine = [row for row in rows if row["kind"] in _MEASURES and not row["abstained"]]
    if not mine:
        return found
    wanted = {(row["cluster"], row["kind"], row["entity"]) for row in mine}
    told_now = set_now(snapshot, wanted, now)
    since: dict[tuple[datetime, str], list[Row]] = defaultdict(list)
    for row in mine:
        told = told_now.get((row["cluster"], row["kind"], row["entity"]))
        became = None if told is None else _became(row, told, over, now)
        if became is None:
            continue
        found[row["advice_id"]] = became
        if row["state"] == APPLIED and became.applied and told is not Untold.UNKNOWN:
            at = datetime.fromisoformat(row["effect"]["applied_at"])
            if WHOLE <= now - at <= over + WHOLE:
                since[at, row["kind"]].append(row)
    for (at, kind), group in since.items():
        days = (now - at) // WHOLE
        measured = _MEASURES[kind](snapshot, at + days * WHOLE, days * WHOLE)
        for row in group:
            came = measured.get((row["cluster"], row["entity"]))
            if came is not None:
                effect = row["effect"] | {"measured": dict(came) | {"days": float(days)}}
                holds = found[row["advice_id"]].holds
                found[row["advice_id"]] = Followed(applied=True, effect=effect, holds=holds)
    return found


def _unfollowed(snapshot: Snapshot, rows: Sequence[Row], now: datetime) -> dict[str, Followed]:
    """Of what cannot be seen to be followed, that which rests on what is not told now."""
    mine = [row for row in rows if row["kind"] in (REQUEST, SPREAD)]
    silent = silent_clusters(snapshot, reads.REQUESTS, now) if mine else frozenset()
    return {
        row["advice_id"]: Followed(applied=False, holds=True)
        for row in mine
        # What another cluster requests is known by that cluster's exporter.
        if row["cluster"] in silent or (silent and row["kind"] == REQUEST)
    }


def _became(row: Row, told: float | Untold, over: timedelta, now: datetime) -> Followed | None:
    """What became of one advice; None = it was not followed."""
    applied = row["state"] == APPLIED
    if told is Untold.UNKNOWN:
        return Followed(applied=applied, holds=True)
    done = _as_far(row, told)
    if applied:
        at = datetime.fromisoformat(row["effect"]["applied_at"])
        return Followed(applied=done, holds=done and now - at <= over)
    if done and not _as_far(row | {"proposed": row["current"]}, told, exactly=True):
        return Followed(applied=True, effect=_begun(row, now))
    return None


def _as_far(row: Row, told: float | Untold, exactly: bool = False) -> bool:
    """Whether what is set is as far as was proposed, or farther; no limit is the farthest."""
    (asked,) = row["proposed"].values()
    if isinstance(told, Untold):
        return not exactly
    if exactly:
        return bool(told == asked)
    if row["kind"] == MINIMUM:
        return bool(told <= asked * (1.0 + AS_PROPOSED))
    return bool(told >= asked * (1.0 - AS_PROPOSED))


def _begun(row: Row, now: datetime) -> dict[str, object]:
    before: Numbers
    predicted: Numbers
    if row["kind"] == LIMIT:
        before, predicted = {"throttled": row["current_risk"]}, {"throttled": 0.0}
    elif row["kind"] == MAXIMUM:
        shares = [one["value"] for one in row["evidence"] if one["metric"] == _CURRENT]
        before = {"share_at_maximum": shares[0] if shares else None}
        predicted = {"share_at_maximum": 0.0}
    else:
        before = {"replicas": row["current"]["min_replicas"]}
        predicted = {"replicas": row["proposed"]["min_replicas"]}
    return {
        "applied_at": now.isoformat(),
        "before": before,
        "predicted": predicted,
        "measured": None,
    }


def _throttled(
    snapshot: Snapshot, until: datetime, over: timedelta
) -> Mapping[tuple[str, str], Numbers]:
    rows = reads.use(snapshot, until, over)
    return {
        (row["cluster"], f"{row['namespace']}/{row['workload']}/{row['container']}"): {
            # Where nothing limits it, nothing is told.
            "throttled": round(row["throttled"] or 0.0, 6)
        }
        for row in rows.iter_rows(named=True)
    }


def _bounds(snapshot: Snapshot, until: datetime, over: timedelta) -> pl.DataFrame:
    """By autoscaler: `share`, of hours at the maximum of that hour; `replicas`, on average."""
    hours = reads.autoscaled(snapshot, until, over)
    current = hours.filter(pl.col("metric") == _CURRENT).rename({"value": "current"})
    most = hours.filter(pl.col("metric") == f"{reads.HPA}_spec_max_replicas")
    both = current.join(most, on=[*_AUTOSCALER, "time"], how="left")
    return both.group_by(_AUTOSCALER).agg(
        (pl.col("current") >= pl.col("value")).mean().alias("share"),
        pl.col("current").mean().alias("replicas"),
    )


def _of_bounds(column: str, name: str) -> Measure:
    def measure(
        snapshot: Snapshot, until: datetime, over: timedelta
    ) -> Mapping[tuple[str, str], Numbers]:
        return {
            (row["cluster"], f"{row['namespace']}/{row['name']}"): {name: round(row[column], 6)}
            for row in _bounds(snapshot, until, over).iter_rows(named=True)
            if row[column] is not None
        }

    return measure


_MEASURES: Mapping[str, Measure] = {
    LIMIT: _throttled,
    MAXIMUM: _of_bounds("share", "share_at_maximum"),
    MINIMUM: _of_bounds("replicas", "replicas"),
}
