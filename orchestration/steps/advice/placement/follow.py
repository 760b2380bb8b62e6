"""What became of advice on GPUs: whether what nobody used was given back, and queues have more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Followed
from orchestration.steps.advice.newest import newest
from orchestration.steps.advice.placement.adviser import CROWDED
from orchestration.steps.advice.placement.gaps import Gaps, gaps
from orchestration.steps.advice.placement.unused import HELD_MIB, MEMORY, UNUSED, UTILISATION
from orchestration.steps.advice.placement.widened import widened
from orchestration.steps.advice.rows import APPLIED

Row = dict[str, Any]

_LABELS = ("Hostname", "instance", "gpu", "device", "UUID")


def follow(
    snapshot: Snapshot, rows: Sequence[Row], now: datetime, settings: AdviceSettings
) -> Mapping[str, Followed]:
    """What became of each kind that can be followed; see `_given_back` and `widened`.

    Args:
        snapshot: who has GPUs.
        rows: advice on pools of GPUs, parsed.
        now: the time.
        settings: what else is known of pools.
    """
    unused = [row for row in rows if row["kind"] == UNUSED and row["state"] != APPLIED]
    full = [row for row in rows if row["kind"] == CROWDED]
    found: dict[str, Followed] = {}
    if unused:
        found |= _given_back(snapshot, unused, now, gaps(snapshot, now, settings))
    if full:
        found |= widened(snapshot, full, now, settings)
    return found


def _given_back(
    snapshot: Snapshot, mine: Sequence[Row], now: datetime, missed: Gaps
) -> Mapping[str, Followed]:
    """Whether the pod that held GPUs has none, or a GPU that no pod is told of is empty.

    Nothing is told of machines of which nothing is told now: their exporter may be down. While it
    is, and until enough is told again, what was advised stays advised.
    """
    told = newest(snapshot, [UTILISATION, MEMORY], _LABELS, now).with_columns(
        pl.coalesce("label Hostname", "node", "label instance").alias("machine"),
        pl.coalesce("label gpu", "label device", "label UUID").alias("gpu"),
    )
    machines = set(told.select("cluster", "machine").iter_rows())
    held = set(_holders(told).iter_rows())
    # Where something is in a GPU's memory and no pod is told of, the exporter may have lost which.
    full = told.filter(pl.col("metric") == MEMORY, pl.col("value") >= HELD_MIB)
    unknown = set(full.filter(pl.col("pod").is_null()).select("cluster", "machine").iter_rows())
    heard = {cluster for cluster, _ in machines}
    found = {}
    for row in mine:
        machine, entity = (row["cluster"], row["node"]), (row["cluster"], row["entity"])
        doubtful = row["namespace"] is not None and machine in unknown
        if machine in machines and entity not in held and not doubtful:
            found[row["advice_id"]] = Followed(applied=True, effect=_effect(row, now))
        elif missed.hide(*entity) and (entity in held or row["cluster"] not in heard):
            found[row["advice_id"]] = Followed(applied=False, holds=True)
    return found


def _holders(told: pl.DataFrame) -> pl.DataFrame:
    """`cluster` and `entity`: pods that have GPUs, and GPUs in whose memory there is something."""
    pods = told.drop_nulls("pod").select(
        "cluster", pl.concat_str("namespace", "pod", separator="/", ignore_nulls=True)
    )
    full = (pl.col("metric") == MEMORY) & (pl.col("value") >= HELD_MIB)
    devices = told.filter(full).select("cluster", pl.format("{} GPU {}", "machine", "gpu"))
    columns = ["cluster", "entity"]
    return pl.concat([one.rename(dict(zip(one.columns, columns, strict=True)))
                      for one in (pods, devices)]).unique()  # fmt: skip


def _effect(row: Row, now: datetime) -> dict[str, object]:
    return {
        "applied_at": now.isoformat(),
        "before": {"gpus": row["current"]["gpus"]},
        "predicted": {"gpus": row["proposed"]["gpus"]},
        "measured": {"gpus": 0},
    }
