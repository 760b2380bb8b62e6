"""How many replicas each metric asks for by which an autoscaler scales, in its busiest hour."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from lake.snapshot import Snapshot
from orchestration.steps.advice.newest import newest
from orchestration.steps.advice.settings import reads

BY = ["cluster", "namespace", "name"]
_METRIC = ["metric_name", "metric_target_type"]

_DAY = timedelta(days=1)
_CPU, _MEMORY = "cpu", "memory"

MEMORY_UNSEEN = "memory: use or request is not told"


def demands(
    snapshot: Snapshot,
    now: datetime,
    rows: pl.DataFrame,
    used: pl.DataFrame,
    configured: pl.DataFrame,
) -> pl.DataFrame:
    """Autoscalers with what they scale, and how many replicas of it the last day needed.

    Memory counts at its target, or where there is none at what is requested: fewer replicas would
    share what all hold now. Of what is neither, the autoscaler's own view of it is taken.

    Args:
        snapshot: where they are.
        now: what is later is not looked at.
        rows: autoscalers by `BY`, with `min`.
        used: `replicas`, of the last day.
        configured: as `reads.configured` has it.

    Returns:
        The rows with `workload`; `request`, `memory_request` of one replica, `replicas`; `busiest`,
        cores of all replicas together; `needed`, replicas by CPU, null = not known; `filled`, by
        memory; `others`, by all other metrics; `borne`, the most of these; `unseen`, texts.
    """
    told = _told(snapshot, now)
    names = told.group_by(BY).agg(
        pl.col("label scaletargetref_name").drop_nulls().first().alias("workload"),
        _target(_CPU),
        _target(_MEMORY),
    )
    rows = rows.join(names, on=BY, how="left", maintain_order="left")
    rows = rows.with_columns(pl.coalesce("workload", "name").alias("workload"))
    for other in (
        _busiest(used, "busiest"),
        _busiest(reads.memory(snapshot, now, _DAY), "memory_busiest"),
        _replica(configured),
    ):
        rows = rows.join(other, on=reads.WORKLOAD, how="left", maintain_order="left")
    rows = rows.join(_others(snapshot, now, told), on=BY, how="left", maintain_order="left")
    positive = (
        pl.when(pl.col(name) > 0.0).then(name).alias(name) for name in ("request", "memory_request")
    )
    rows = rows.with_columns(positive).with_columns(
        (pl.col("busiest") / (pl.col("target cpu") * pl.col("request"))).alias("needed"),
        (
            pl.col("memory_busiest")
            / (pl.col("target memory").fill_null(1.0) * pl.col("memory_request"))
        ).alias("filled"),
        (pl.col("ratio") * pl.col("min")).alias("others"),
    )
    unseen = pl.concat_list(
        pl.when(pl.col("filled").is_null())
        .then(pl.lit([MEMORY_UNSEEN]))
        .otherwise(pl.lit([], _TEXTS)),
        pl.col("untold").fill_null(pl.lit([], _TEXTS)),
    )
    borne = pl.max_horizontal("needed", "filled", "others")
    return rows.with_columns(borne.alias("borne"), unseen.alias("unseen"))


_TEXTS = pl.List(pl.String)


def _told(snapshot: Snapshot, now: datetime) -> pl.DataFrame:
    """What the autoscalers scale, and each metric by which they do with its target in `value`."""
    labels = ["horizontalpodautoscaler", "scaletargetref_name", *_METRIC]
    metrics = [f"{reads.HPA}_info", f"{reads.HPA}_spec_target_metric"]
    rows = newest(snapshot, metrics, labels, now)
    return rows.with_columns(pl.col("label horizontalpodautoscaler").alias("name")).drop_nulls(
        "name"
    )


def _is(resource: str) -> pl.Expr:
    kind = pl.col("label metric_target_type") == "utilization"
    return (pl.col("label metric_name") == resource) & kind


def _target(resource: str) -> pl.Expr:
    """The share of what is requested that is aimed at."""
    return (pl.col("value").filter(_is(resource)).max() / 100.0).alias(f"target {resource}")


def _busiest(used: pl.DataFrame, name: str) -> pl.DataFrame:
    together = used.group_by([*reads.WORKLOAD, "time"]).agg(pl.col("used").sum())
    return together.group_by(reads.WORKLOAD).agg(pl.col("used").max().alias(name))


def _replica(configured: pl.DataFrame) -> pl.DataFrame:
    return configured.group_by(reads.WORKLOAD).agg(
        pl.col("request").sum(), pl.col("memory_request").sum(), pl.col("replicas").max()
    )


def _others(snapshot: Snapshot, now: datetime, told: pl.DataFrame) -> pl.DataFrame:
    """Of metrics that are neither: `ratio`, to its target in the busiest hour; `untold`, texts."""
    key = [f"label {name}" for name in _METRIC]
    aims = told.drop_nulls(key).filter(~_is(_CPU), ~_is(_MEMORY)).unique([*BY, *key], keep="last")
    seen = reads.demanded(snapshot, now, _DAY).rename(dict(zip(_METRIC, key, strict=True)))
    most = seen.group_by([*BY, *key]).agg(pl.col("value").max().alias("most"))
    both = aims.join(most, on=[*BY, *key], how="left")
    missing = pl.format(
        "{}, by which it scales as well: its value is not told", "label metric_name"
    )
    ratio = pl.when(pl.col("value") > 0.0).then(pl.col("most") / pl.col("value"))
    return both.group_by(BY).agg(
        ratio.max().alias("ratio"), missing.filter(ratio.is_null()).sort().alias("untold")
    )
