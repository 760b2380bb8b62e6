"""What became of advice on sizes: whether it was followed, and what that did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Followed, Numbers
from orchestration.steps.advice.revision import distance
from orchestration.steps.advice.rightsizing.adviser import (
    CPU_KIND,
    CPU_RESOURCE,
    MEMORY_RESOURCE,
    entity_of,
)
from orchestration.steps.advice.rightsizing.configured import Configured, configured
from orchestration.steps.advice.rightsizing.inventory import (
    CPU,
    MEMORY,
    Inventory,
    take_inventory,
)
from orchestration.steps.advice.rightsizing.remembered import kept
from orchestration.steps.advice.rightsizing.running import live
from orchestration.steps.advice.rightsizing.trouble import trouble
from orchestration.steps.advice.rightsizing.usage import used, window
from orchestration.steps.advice.rows import APPLIED

Row = dict[str, Any]

AS_PROPOSED = 0.05
"""People round: what differs by less is what was proposed."""

WHOLE = timedelta(days=1)
"""An effect is measured anew after each whole day, so that it is not written each hour."""


def follow(
    snapshot: Snapshot, rows: Sequence[Row], now: datetime, settings: AdviceSettings
) -> Mapping[str, Followed]:
    """Whether what is set now is what was proposed; and, a day or more after, what came of it.

    Args:
        snapshot: what is set, and what was used since.
        rows: advice on sizes, parsed.
        now: the time.
        settings: how long effects are measured for: as long as the history.
    """
    told = [row for row in rows if not row["abstained"]]
    if not told:
        return {}
    between = window(now, settings.history)
    inventory = take_inventory(snapshot, between.end, settings.history)
    if not inventory.containers.height:
        return {}
    running = live(snapshot, inventory, between)
    set_now = configured(snapshot, inventory, running, between)
    place = {
        (name["cluster"], entity_of(name)): int(name["index"])
        for name in inventory.containers.iter_rows(named=True)
    }
    found: dict[str, Followed] = {}
    since: dict[tuple[datetime, str], list[Row]] = {}
    for row in told:
        one = place.get((row["cluster"], row["entity"]))
        if one is None:
            continue
        if row["state"] == APPLIED:
            at = datetime.fromisoformat(row["effect"]["applied_at"])
            if WHOLE <= now - at <= settings.history + WHOLE:
                since.setdefault((at, row["kind"]), []).append(row)
            continue
        current = _figures(set_now, one, row["kind"])
        done = {name: row["proposed"][name] for name in current}
        # Where nothing but rounding was proposed, nothing was followed.
        moved = distance(current, {name: row["current"][name] for name in current}) > 0.0
        if moved and distance(current, done) <= AS_PROPOSED:
            effect = {
                "applied_at": now.isoformat(),
                "predicted": _predicted(row),
                "measured": None,
                **kept(row),
            }
            found[row["advice_id"]] = Followed(applied=True, effect=effect)
    for (at, kind), group in since.items():
        indices = {row["advice_id"]: place[row["cluster"], row["entity"]] for row in group}
        span = TimeRange(window(at, WHOLE).end, window(at, WHOLE).end + (now - at) // WHOLE * WHOLE)
        measured = _measured(snapshot, inventory, set_now, kind, indices, span, settings)
        for row in group:
            came = measured[row["advice_id"]] | _saved(row, set_now, indices)
            effect = row["effect"] | {"measured": came}
            found[row["advice_id"]] = Followed(applied=True, effect=effect)
    return found


def _figures(set_now: Configured, one: int, kind: str) -> Numbers:
    what = CPU_RESOURCE if kind == CPU_KIND else MEMORY_RESOURCE
    values = (
        (set_now.cpu_request, set_now.cpu_limit)
        if kind == CPU_KIND
        else (set_now.memory_request, set_now.memory_limit)
    )
    return {
        name: None if np.isnan(own[one]) else float(own[one])
        for name, own in zip((what.request, what.limit), values, strict=True)
    }


def _saving_name(kind: str) -> str:
    return "saving_cpu_cores" if kind == CPU_KIND else "saving_memory_bytes"


def _predicted(row: Row) -> dict[str, object]:
    name = _saving_name(row["kind"])
    return {name: row[name], "risk": row["risk"]}


def _saved(row: Row, set_now: Configured, indices: Mapping[str, int]) -> dict[str, object]:
    """What is requested less than before, by all pods that run now."""
    one = indices[row["advice_id"]]
    what = CPU_RESOURCE if row["kind"] == CPU_KIND else MEMORY_RESOURCE
    before = row["current"][what.request] or 0.0
    after = set_now.cpu_request if row["kind"] == CPU_KIND else set_now.memory_request
    saved = (before - float(np.nan_to_num(after[one]))) * float(set_now.pods[one])
    return {_saving_name(row["kind"]): round(saved, 6)}


def _measured(
    snapshot: Snapshot,
    inventory: Inventory,
    set_now: Configured,
    kind: str,
    indices: Mapping[str, int],
    span: TimeRange,
    settings: AdviceSettings,
) -> Mapping[str, dict[str, object]]:
    """Risk as it came, of some containers in the time since."""
    own = pl.Series("index", sorted(set(indices.values())), dtype=pl.Int64)
    part = replace(
        inventory, of_pods=inventory.of_pods.filter(pl.col("index").is_in(own.implode()))
    )
    metric = CPU if kind == CPU_KIND else MEMORY
    since = used(snapshot, part, metric, span, settings.rightsizing.startup)
    went_wrong = trouble(snapshot, part, span)
    # What pods before did under another limit is not what came of this one.
    kills = went_wrong.kills.under(set_now.memory_limit)
    throttled = went_wrong.throttled_under(set_now.cpu_limit)
    if kind == CPU_KIND:
        risk = np.fmax(since.whole.above(set_now.cpu_request, since.top), throttled)
    else:
        limit = set_now.memory_limit
        risk = since.whole.above(
            np.where(np.isnan(limit), set_now.memory_request, limit), since.top
        )
        risk = np.fmax(risk, np.minimum(kills / np.maximum(since.whole.slots, 1), 1.0))

    def told(one: int) -> dict[str, object]:
        out: dict[str, object] = {
            "risk": None if np.isnan(risk[one]) else round(float(risk[one]), 6),
            "days": (span.end - span.start) / WHOLE,
        }
        if kind != CPU_KIND:
            return out | {"kills": float(kills[one])}
        if not np.isnan(throttled[one]):
            out["throttled"] = round(float(throttled[one]), 6)
        return out

    return {advice_id: told(one) for advice_id, one in indices.items()}
