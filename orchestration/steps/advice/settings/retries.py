"""Retries of a mesh that multiply load when a callee fails."""

from __future__ import annotations

import numpy as np
import polars as pl

from detectors.configuration import amplified
from detectors.configuration.retries import FAILING
from orchestration.steps.advice.advice import Advice, Evidence
from orchestration.steps.advice.rows import Row
from orchestration.steps.advice.settings.reads import ISTIO

_EDGE = ["cluster", "source_namespace", "source", "namespace", "workload"]


def retried(edges: pl.DataFrame, over: str) -> list[Advice]:
    """Callers whose requests arrive several times where the callee fails.

    Args:
        edges: `reads.edges`.
        over: of which time that is, for people.
    """
    if not edges.height:
        return []
    made, arrived, failed = (
        edges.pivot("time", index=_EDGE, values=name, aggregate_function="sum").sort(_EDGE)
        for name in ("made", "arrived", "failed")
    )
    told = amplified(*(_values(one) for one in (made, arrived, failed)))
    rows = made.select(_EDGE).with_columns(
        pl.Series("calm", told.calm, nan_to_null=True),
        pl.Series("failing", told.failing, nan_to_null=True),
        pl.Series("errors", told.errors, nan_to_null=True),
        pl.Series("multiplied", told.multiplied),
    )
    found = []
    for at in np.flatnonzero(told.multiplied).tolist():
        row = rows.row(at, named=True)
        others = rows.filter(
            *(pl.col(name) == row[name] for name in _EDGE[1:]),
            pl.col("cluster") != row["cluster"],
            pl.col("failing").is_not_null(),
        )
        found.append(_advice(row, others, over))
    return found


def _values(frame: pl.DataFrame) -> np.ndarray:
    return frame.select(pl.exclude(_EDGE)).cast(pl.Float64).fill_null(np.nan).to_numpy()


def _advice(row: Row, others: pl.DataFrame, over: str) -> Advice:
    caller = f"{row['source_namespace']}/{row['source']}"
    callee = f"{row['namespace']}/{row['workload']}"
    failing, calm, errors = (float(row[name]) for name in ("failing", "calm", "errors"))
    fewer = others.filter(~pl.col("multiplied"))["cluster"].to_list()
    if fewer:
        beside = "in another cluster it failed as well, and requests were not multiplied"
    elif others.height:
        beside = "in the other clusters in which it failed it was the same"
    else:
        beside = "in no other cluster it failed, so nothing backs it"
    return Advice(
        cluster=str(row["cluster"]),
        kind="setting_retries",
        entity=f"{caller} -> {callee}",
        namespace=str(row["namespace"]),
        workload=str(row["workload"]),
        title=f"retries of {caller} multiply the requests to {callee} of {row['cluster']} by "
        f"{failing / calm:.1f} while it fails",
        reason=f"when {100.0 * errors:.0f} % of them fail, {failing:.2g} requests arrive for each "
        f"that is made, beside {calm:.2g} otherwise: load grows when it is least borne. Expected "
        "of a retry budget, or fewer attempts: the load of a calm time. How many attempts are set "
        f"is not in the metrics; {beside}",
        current={"arriving_per_request_while_failing": round(failing, 3)},
        proposed={"arriving_per_request_while_failing": round(calm, 3)},
        evidence=[
            Evidence(f"arriving for each that is made, where {100.0 * FAILING:.0f} % fail and more",
                     round(failing, 3), "times", over, ISTIO),
            Evidence("arriving for each that is made, otherwise", round(calm, 3), "times", over,
                     ISTIO),
            Evidence("of those that arrive, fail then", round(errors, 4), "share", over, ISTIO),
            Evidence("other clusters in which it failed", others.height, "clusters"),
        ],
        confidence=0.8 if fewer else 0.6,
    )  # fmt: skip
