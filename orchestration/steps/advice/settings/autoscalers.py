"""Autoscalers that are at their maximum for long, or never above their minimum."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from detectors.configuration import judge_bounds
from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Advice, Evidence
from orchestration.steps.advice.rows import Row
from orchestration.steps.advice.settings import reads
from orchestration.steps.advice.settings.demands import BY, demands
from orchestration.steps.advice.settings.elsewhere import Compared, Elsewhere

SEEN, PARTLY_SEEN = 0.6, 0.4
"""Confidence in a lower minimum: where all that it scales by, and memory, bear it; where one is not
known."""

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
        "time", index=BY, values="value", aggregate_function="max"
    )
    rows = wide.select(BY)
    for name in ("min", "max"):
        bound = hours.filter(pl.col("metric") == f"{reads.HPA}_spec_{name}_replicas")
        bound = bound.group_by(BY).agg(pl.col("value").sort_by("time").last().alias(name))
        rows = rows.join(bound, on=BY, how="left", maintain_order="left")
    rows = demands(snapshot, now, rows, used, configured)
    least, most, needed, borne = (
        rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("min", "max", "needed", "borne")
    )
    current = wide.select(pl.exclude(BY)).cast(pl.Float64).fill_null(np.nan).to_numpy()
    told = judge_bounds(current, least, most, needed, borne)
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
                reason=f"the busiest hour needed {row['needed']:.2g} replicas at its own target"
                f"{_also(row)}; expected: {fewer:g} fewer when it is quiet, and as many as ever "
                f"when it is not{_but(row)}",
                current={"min_replicas": row["min"]},
                proposed={"min_replicas": row["minimum"]},
                evidence=[
                    Evidence("share of hours at the minimum", round(row["at_least"], 4), "share",
                             period, _CURRENT),
                    *_use(row),
                    *_use_of_others(row),
                    *others.evidence(at),
                ],
                saving_cpu_cores=cores,
                saving_memory_bytes=memory,
                saving_cost=settings.prices.month(cores, memory) if settings.prices.known else None,
                confidence=PARTLY_SEEN if row["unseen"] else SEEN,
            )
        )  # fmt: skip
    return found


def _use(row: Row) -> list[Evidence]:
    what = "replicas that the busiest hour of the last day needed at its target"
    needed = row["needed"]
    if not isinstance(needed, float):
        return [Evidence(f"{what}: use, request or target is not told", None)]
    return [Evidence(what, round(needed, 2), "replicas", metric=reads.CPU)]


def _use_of_others(row: Row) -> list[Evidence]:
    """Beside CPU: memory, and whatever else it scales by."""
    told = [
        Evidence(what, round(row[column], 2), "replicas", metric=metric)
        for what, column, metric in (
            ("replicas that the busiest hour of the last day filled with memory", "filled",
             reads.MEMORY),
            ("replicas that its other metrics needed in the busiest hour of the last day", "others",
             reads.DEMANDED),
        )
        if row[column] is not None
    ]  # fmt: skip
    return [*told, *(Evidence(f"not seen: {text}", None) for text in row["unseen"])]


def _also(row: Row) -> str:
    of = {"memory": row["filled"], "its other metrics": row["others"]}
    told = [f"{value:.2g} by {name}" for name, value in of.items() if value is not None]
    return "".join(f", {one}" for one in told)


def _but(row: Row) -> str:
    return f"; not seen: {'; '.join(row['unseen'])}" if row["unseen"] else ""


def _advice(row: Row, kind: str, **told: object) -> Advice:
    return Advice(
        cluster=str(row["cluster"]),
        kind=kind,
        entity=f"{row['namespace']}/{row['name']}",
        namespace=str(row["namespace"]),
        workload=str(row["workload"]),
        **told,  # type: ignore[arg-type]
    )
