"""Autoscalers that are at their maximum for long, or never above their minimum."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from detectors.configuration import judge_bounds
from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Advice, Evidence
from orchestration.steps.advice.newest import newest
from orchestration.steps.advice.rows import Row
from orchestration.steps.advice.settings import reads
from orchestration.steps.advice.settings.elsewhere import Compared, Elsewhere

_BY = ["cluster", "namespace", "name"]
_CURRENT = f"{reads.HPA}_status_current_replicas"


def autoscalers(
    snapshot: Snapshot,
    now: datetime,
    over: timedelta,
    used: pl.DataFrame,
    configured: pl.DataFrame,
    settings: AdviceSettings,
) -> list[Advice]:
    """Maxima and minima that deserve a look.

    Args:
        snapshot: where they are.
        now: what is later is not looked at.
        over: how far back.
        used: `replicas`, of the last day.
        configured: as `reads.configured` has it.
        settings: prices.
    """
    hours = reads.autoscaled(snapshot, now, over)
    if not hours.height:
        return []
    wide = hours.filter(pl.col("metric") == _CURRENT).pivot(
        "time", index=_BY, values="value", aggregate_function="max"
    )
    rows = wide.select(_BY)
    for name in ("min", "max"):
        bound = hours.filter(pl.col("metric") == f"{reads.HPA}_spec_{name}_replicas")
        bound = bound.group_by(_BY).agg(pl.col("value").sort_by("time").last().alias(name))
        rows = rows.join(bound, on=_BY, how="left", maintain_order="left")
    rows = rows.join(_targets(snapshot, now), on=_BY, how="left", maintain_order="left")
    rows = rows.with_columns(pl.coalesce("workload", "name").alias("workload"))
    rows = _needed(rows, used, configured)
    least, most, needed = (
        rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("min", "max", "needed")
    )
    current = wide.select(pl.exclude(_BY)).cast(pl.Float64).fill_null(np.nan).to_numpy()
    told = judge_bounds(current, least, most, needed)
    rows = rows.with_columns(
        pl.Series("at_most", told.at_most),
        pl.Series("at_least", told.at_least),
        pl.Series("maximum", told.maximum),
        pl.Series("minimum", told.minimum),
        # For fewer replicas what matters is how full they are.
        (pl.col("busiest") / pl.col("request")).alias("full"),
    )
    period = f"{over / timedelta(days=1):g} d"
    return [*_maxima(rows, told.too_low, period), *_minima(rows, told.too_high, period, settings)]


def _targets(snapshot: Snapshot, now: datetime) -> pl.DataFrame:
    """By autoscaler: `workload`, and `target`, the share of what is requested that it aims at."""
    labels = ["horizontalpodautoscaler", "scaletargetref_name", "metric_name", "metric_target_type"]
    metrics = [f"{reads.HPA}_info", f"{reads.HPA}_spec_target_metric"]
    rows = newest(snapshot, metrics, labels, now).with_columns(
        pl.col("label horizontalpodautoscaler").alias("name")
    )
    cpu = (pl.col("label metric_name") == "cpu") & (
        pl.col("label metric_target_type") == "utilization"
    )
    return (
        rows.drop_nulls("name")
        .group_by(_BY)
        .agg(
            pl.col("label scaletargetref_name").drop_nulls().first().alias("workload"),
            (pl.col("value").filter(cpu).max() / 100.0).alias("target"),
        )
    )


def _needed(rows: pl.DataFrame, used: pl.DataFrame, configured: pl.DataFrame) -> pl.DataFrame:
    """With `needed`, replicas in the busiest hour; `busiest`, cores of all replicas together."""
    by = reads.WORKLOAD
    together = used.group_by([*by, "time"]).agg(pl.col("used").sum())
    busiest = together.group_by(by).agg(pl.col("used").max().alias("busiest"))
    requests = configured.group_by(by).agg(
        pl.col("request").sum(), pl.col("memory_request").sum(), pl.col("replicas").max()
    )
    for other in (busiest, requests):
        rows = rows.join(other, on=by, how="left", maintain_order="left")
    request = pl.when(pl.col("request") > 0.0).then("request")
    return rows.with_columns(
        request.alias("request"),
        (pl.col("busiest") / (pl.col("target") * request)).alias("needed"),
    )


def _maxima(rows: pl.DataFrame, chosen: np.ndarray, period: str) -> list[Advice]:
    compared = Compared("max", "at_most", "maximum", "share of hours at the maximum")
    others = Elsewhere(rows, ["namespace", "name"], compared)
    found = []
    for at in np.flatnonzero(chosen).tolist():
        row = rows.row(at, named=True)
        found.append(
            _advice(
                row,
                "setting_hpa_maximum",
                title=f"the autoscaler of {row['namespace']}/{row['workload']} of {row['cluster']} "
                f"is at its maximum of {row['max']:g} in {100.0 * row['at_most']:.0f} % of hours",
                reason="it may want more replicas than it is allowed, and says so nowhere else; "
                f"expected: room up to {row['maximum']:g}, of which only what is needed is used; "
                f"{others.sentence(at)}",
                current={"max_replicas": row["max"]},
                proposed={"max_replicas": row["maximum"]},
                evidence=[
                    Evidence("share of hours at the maximum", round(row["at_most"], 4), "share",
                             period, _CURRENT),
                    *_use(row),
                    *others.evidence(at),
                ],
                confidence=others.confidence(at),
            )
        )  # fmt: skip
    return found


def _minima(
    rows: pl.DataFrame, chosen: np.ndarray, period: str, settings: AdviceSettings
) -> list[Advice]:
    compared = Compared(
        "min", "full", "minimum", "use of the busiest hour by what one requests", more=False
    )
    others = Elsewhere(rows, ["namespace", "name"], compared)
    found = []
    for at in np.flatnonzero(chosen).tolist():
        row = rows.row(at, named=True)
        fewer = row["min"] - row["minimum"]
        cores, memory = fewer * row["request"], fewer * (row["memory_request"] or 0.0)
        found.append(
            _advice(
                row,
                "setting_hpa_minimum",
                title=f"the autoscaler of {row['namespace']}/{row['workload']} of {row['cluster']} "
                f"never left its minimum of {row['min']:g}; {row['minimum']:g} would have borne it",
                reason=f"the busiest hour needed {row['needed']:.2g} replicas at its own target; "
                f"expected: {fewer:g} fewer when it is quiet, and as many as ever when it is not",
                current={"min_replicas": row["min"]},
                proposed={"min_replicas": row["minimum"]},
                evidence=[
                    Evidence("share of hours at the minimum", round(row["at_least"], 4), "share",
                             period, _CURRENT),
                    *_use(row),
                    *others.evidence(at),
                ],
                saving_cpu_cores=cores,
                saving_memory_bytes=memory,
                saving_cost=settings.prices.month(cores, memory) if settings.prices.known else None,
                confidence=0.6,
            )
        )  # fmt: skip
    return found


def _use(row: Row) -> list[Evidence]:
    what = "replicas that the busiest hour of the last day needed at its target"
    needed = row["needed"]
    if not isinstance(needed, float):
        return [Evidence(f"{what}: use, request or target is not told", None)]
    return [Evidence(what, round(needed, 2), "replicas", metric=reads.CPU)]


def _advice(row: Row, kind: str, **told: object) -> Advice:
    return Advice(
        cluster=str(row["cluster"]),
        kind=kind,
        entity=f"{row['namespace']}/{row['name']}",
        namespace=str(row["namespace"]),
        workload=str(row["workload"]),
        **told,  # type: ignore[arg-type]
    )
