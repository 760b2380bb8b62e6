"""What spans say: where time is lost, and which calls are no longer made."""

from collections import defaultdict
from datetime import datetime, timedelta
from math import log1p
from typing import Any

import polars as pl

from detectors.causes import at_ends
from orchestration.steps.causes.evidence import Evidence, said
from orchestration.steps.causes.minutes import MINUTE, by_minute, changes

LEAST_SPANS = 3
"""Of an operation in the baseline."""

NOISE = 3.0
"""Quartile distances of a median that it is off by chance."""

SHARE_WEIGHT = 3.0
"""A share of the lost time counts so many times the logarithm of how much is lost in all."""

NOTICED = 0.1
"""Share of all time that is noticed when it is lost."""


def of_latency(spans: pl.DataFrame, at: datetime, window: timedelta) -> list[Evidence]:
    """Evidence of entities in which requests lose time that they did not lose before.

    A span's own time is without that of the spans in it, so no entity is blamed for what it waits
    for; what a call takes beyond its handling is between its ends (`detectors.causes.ends`).
    """
    parts = ("entity", "operation", "callee")
    time, own = pl.col("timestamp"), pl.col("own")
    before = (
        spans.filter(time < at)
        .group_by(parts)
        .agg(
            own.median().alias("expected"),
            (own.quantile(0.75) - own.quantile(0.25)).alias("spread"),
            pl.len().alias("spans"),
        )
    )
    now = (
        spans.filter((time >= at) & (time <= at + window))
        .group_by(parts)
        .agg(own.median().alias("actual"), pl.len().alias("count"))
    )
    both = now.join(before.filter(pl.col("spans") >= LEAST_SPANS), on=parts, nulls_equal=True)
    chance = NOISE * pl.col("spread") / pl.col("count").sqrt()
    both = both.with_columns(
        (pl.col("actual") - pl.col("expected") - chance).clip(0.0).alias("lost")
    ).sort(*parts)
    lost: dict[str, float] = defaultdict(float)
    calls = []
    worst: dict[str, tuple[float, dict[str, Any]]] = {}
    for row in both.iter_rows(named=True):
        seconds = row["lost"] * row["count"]
        if row["callee"] is None:
            lost[row["entity"]] += seconds
        else:
            calls.append((row["entity"], row["callee"], float(row["count"]), row["lost"]))
        for entity in (row["entity"], row["callee"]):
            if entity is not None and (entity not in worst or seconds > worst[entity][0]):
                worst[entity] = (seconds, row)
    for entity, seconds in at_ends(calls).items():
        lost[entity] += seconds
    total = sum(lost.values())
    usual = float((both["expected"] * both["count"]).sum())
    if total <= 0.0:
        return []
    # Where next to nothing took any time before, what is lost is not infinitely much of it.
    weight = SHARE_WEIGHT * log1p(total / (NOTICED * max(usual, total * NOTICED)))
    return [
        Evidence(
            entity,
            weight * seconds / total,
            worst[entity][1]["operation"],
            _slower(worst[entity][1], seconds),
            actual=worst[entity][1]["actual"],
            expected=worst[entity][1]["expected"],
        )
        for entity, seconds in lost.items()
    ]


def _slower(row: dict[str, Any], seconds: float) -> str:
    operation = f"{row['operation']}"
    if row["callee"] is not None:
        operation = f"calls {row['entity']} → {row['callee']} ({operation})"
    return (
        f"{operation} {said(1e3 * row['actual'])} ms of its own "
        f"instead of {said(1e3 * row['expected'])} ms; "
        f"{said(seconds)} s lost in all"
    )


def of_calls(spans: pl.DataFrame, at: datetime, window: timedelta) -> list[Evidence]:
    """Evidence of entities whose operations no longer do what they did, or do something else."""
    keys = ("caller", "caller_operation", "entity", "operation")
    within = by_minute(spans, at, window)
    counts = (
        within.filter(pl.col("caller").is_not_null())
        .group_by(*keys, MINUTE)
        .agg(pl.col("parent").n_unique().alias("count"))
    )
    chances = within.group_by(
        pl.col("entity").alias("caller"), pl.col("operation").alias("caller_operation"), MINUTE
    ).agg(pl.len().alias("chance"))
    found = changes(counts, chances, keys, keys[:2], at_most_once=True)
    rows = found.sort(pl.col("change").abs(), *keys, descending=[True] + [False] * 4)
    return [
        Evidence(
            row["caller"],
            abs(row["change"]),
            row["caller_operation"],
            f"{row['caller_operation']} led to {row['operation']} "
            f"{_of(row['count'], row['chance'])} instead of {_of(row['expected'], row['chance'])}",
            actual=row["count"] / row["chance"],
            expected=row["expected"] / row["chance"],
        )
        for row in rows.iter_rows(named=True)
    ]


def _of(count: float, chance: float) -> str:
    return f"{count / chance:.0%}"
