"""The adviser on settings: each sort of setting is judged on its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Advice
from orchestration.steps.advice.newest import newest
from orchestration.steps.advice.settings import reads
from orchestration.steps.advice.settings.autoscalers import autoscalers
from orchestration.steps.advice.settings.limits import requested, throttled
from orchestration.steps.advice.settings.replicas import INFO, PHASE, together, unbalanced
from orchestration.steps.advice.settings.retries import retried

DAY = timedelta(days=1)

REPLICATED = ("ReplicaSet", "StatefulSet", "ReplicationController")
"""Owners whose pods stand in for one another; those of a Job are one run."""


def advise(snapshot: Snapshot, now: datetime, settings: AdviceSettings) -> Sequence[Advice]:
    """What deserves a look, of all clusters; what is not told of is not judged."""
    over = min(settings.history, settings.settings.history)
    period = f"{over / DAY:g} d"
    configured = reads.configured(snapshot, now)
    used = reads.use(snapshot, now, over)
    by_replica = reads.replicas(snapshot, now, DAY)
    containers = configured.join(used, on=reads.CONTAINER, how="inner").sort(reads.CONTAINER)
    pods = _living(newest(snapshot, [INFO, PHASE], ["created_by_kind", "phase"], now))
    found = [
        *throttled(containers, period),
        *requested(containers, period, settings),
        *autoscalers(snapshot, now, over, by_replica, configured, settings),
        *unbalanced(by_replica, "1 d"),
        *retried(reads.edges(snapshot, now, DAY), "1 d"),
        *together(pods.filter(pl.col("label created_by_kind").is_in(REPLICATED))),
    ]
    return [one for one in found if one.kind not in settings.settings.leave_out]


def _living(told: pl.DataFrame) -> pl.DataFrame:
    """Of pods, those that are not over: one that was evicted is no replica."""
    over = told.filter(
        (pl.col("metric") == PHASE)
        & (pl.col("value") > 0.0)
        & pl.col("label phase").is_in(["Failed", "Succeeded"])
    )
    return told.filter(pl.col("metric") == INFO).join(
        over, on=["cluster", "namespace", "pod"], how="anti", maintain_order="left"
    )
