"""CPU limits that throttle what is idle, and requests that another cluster does well without."""

from __future__ import annotations

import numpy as np
import polars as pl

from detectors.configuration import limit_for, throttled_though_idle
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Advice, Evidence
from orchestration.steps.advice.rightsizing.quantities import whole_millicores
from orchestration.steps.advice.settings.elsewhere import Compared, Elsewhere
from orchestration.steps.advice.settings.reads import CPU, PERIODS, THROTTLED

FAR = 2.0
"""A request is far from another's when it is so many times as much, and from its use as well."""

HEADROOM = 1.25
"""Of what 95 % of hours used at most: an hour is a mean, and minutes of it use more."""

_BY = ["namespace", "workload", "container"]


def throttled(frame: pl.DataFrame, over: str) -> list[Advice]:
    """Limits of containers that are throttled though they use little.

    Args:
        frame: `use` and `configured`, a row a container of a workload and cluster.
        over: of which time that is, for people.
    """
    rows = frame.drop_nulls("limit")
    if not rows.height:
        return []
    share, used, limit = (
        rows[name].fill_null(np.nan).to_numpy() for name in ("throttled", "used_most", "limit")
    )
    compared = Compared("limit", "throttled", "CPU limit", "share throttled")
    others = Elsewhere(rows, _BY, compared)
    found = []
    for at in np.flatnonzero(throttled_though_idle(share, used, limit)):
        row = rows.row(int(at), named=True)
        # By what was cut off here: what another cluster has is not told (`Elsewhere`).
        wanted = float(limit_for(share[at : at + 1], limit[at : at + 1])[0])
        what = "periods" if row["by_periods"] else "the time that it wanted to run"
        found.append(
            Advice(
                cluster=row["cluster"],
                kind="setting_cpu_limit",
                entity=f"{row['namespace']}/{row['workload']}/{row['container']}",
                namespace=row["namespace"],
                workload=row["workload"],
                container=row["container"],
                title=f"{row['namespace']}/{row['workload']} of {row['cluster']} is throttled "
                f"though idle: in {100.0 * share[at]:.0f} % of {what}, using "
                f"{100.0 * used[at] / limit[at]:.0f} % of its limit of {limit[at]:g} cores",
                reason="its CPU limit cuts off short bursts, which makes it slow and saves "
                f"nothing; expected: next to no throttling with {wanted:g} cores or without a "
                f"limit; {others.sentence(int(at))}",
                current={"limit_cpu_cores": float(limit[at])},
                proposed={"limit_cpu_cores": wanted},
                evidence=[
                    Evidence(f"throttled, share of {what}", round(float(share[at]), 4), "share",
                             over, PERIODS if row["by_periods"] else THROTTLED),
                    Evidence("95 % of hours used at most, a replica", round(float(used[at]), 4),
                             "cores", over, CPU),
                    *others.evidence(int(at)),
                ],
                current_risk=round(float(share[at]), 4),
                confidence=others.confidence(int(at)),
            )
        )  # fmt: skip
    return found


def requested(frame: pl.DataFrame, over: str, settings: AdviceSettings) -> list[Advice]:
    """Requests of which another cluster does well with less than half, at no less use.

    How much a container needs is what rightsizing tells; this tells where clusters disagree. What
    is proposed is by its own use: the other cluster's request is not told, nor what follows of it.

    Args:
        frame: as for `throttled`.
        over: of which time that is, for people.
        settings: prices.
    """
    rows = frame.drop_nulls(["request", "used_most"]).filter(pl.col("request") > 0.0)
    if not rows.height:
        return []
    # The outcome that matters where less is requested is throttling; none is told without limits.
    rows = rows.with_columns(pl.col("throttled").fill_null(0.0) + 1e-9)
    compared = Compared("request", "throttled", "CPU request", "share throttled", more=False)
    others = Elsewhere(rows, _BY, compared)
    found = []
    for at in _does_with_less(rows):
        row = rows.row(at, named=True)
        wanted = float(whole_millicores(HEADROOM * row["used_most"]))
        wanted = max(wanted, settings.rightsizing.least_cpu)
        if wanted >= row["request"]:
            continue
        saved = (row["request"] - wanted) * row["replicas"]
        known = settings.prices.cpu_core_hour is not None
        found.append(
            Advice(
                cluster=row["cluster"],
                kind="setting_cpu_request",
                entity=f"{row['namespace']}/{row['workload']}/{row['container']}",
                namespace=row["namespace"],
                workload=row["workload"],
                container=row["container"],
                title=f"{row['namespace']}/{row['workload']} of {row['cluster']} requests "
                f"{row['request']:g} cores a replica and uses {row['used_most']:.2g}; "
                "another cluster does well with far less",
                reason="in another cluster it uses no less with less than half the request, and "
                f"is throttled no more; by its own use {wanted:g} cores would do here; expected: "
                f"{saved:g} cores free for others",
                current={"request_cpu_cores": row["request"]},
                proposed={"request_cpu_cores": wanted},
                evidence=[
                    Evidence("95 % of hours used at most, a replica", round(row["used_most"], 4),
                             "cores", over, CPU),
                    *others.evidence(at),
                ],
                saving_cpu_cores=saved,
                saving_cost=settings.prices.month(cores=saved) if known else None,
                confidence=0.8,
            )
        )  # fmt: skip
    return found


def _does_with_less(rows: pl.DataFrame) -> list[int]:
    """Rows of which any other cluster shows that far less is enough, in order."""
    placed = rows.with_row_index("at")
    told = ("request", "used_most", "throttled")
    # Of the same thing in other clusters alone: all pairs would be far too many.
    pairs = placed.select("at", *_BY, *told).join(
        placed.select(*_BY, *told), on=_BY, suffix=" there"
    )
    there = {name: pl.col(f"{name} there") for name in told}
    enough = pairs.filter(
        there["request"] * FAR <= pl.col("request"),
        there["used_most"] >= 0.8 * pl.col("used_most"),
        there["request"] >= pl.col("used_most"),
        there["throttled"] <= pl.max_horizontal("throttled", pl.lit(0.01)),
    )
    return enough["at"].unique().sort().to_list()
