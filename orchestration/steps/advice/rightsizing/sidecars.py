"""Init containers that go on running (sidecars): told of in metrics of init containers.

They take what they take beside the pod's other containers, so that they are sized like these. Other
init containers end before these begin.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

INFO = "kube_pod_init_container_info"

OF_INIT = {
    "kube_pod_init_container_resource_requests": "kube_pod_container_resource_requests",
    "kube_pod_init_container_resource_limits": "kube_pod_container_resource_limits",
    "kube_pod_init_container_status_restarts_total": "kube_pod_container_status_restarts_total",
    "kube_pod_init_container_status_last_terminated_reason": (
        "kube_pod_container_status_last_terminated_reason"
    ),
}
"""Metrics of init containers, to those that tell the same of others."""

METRICS = (INFO, *OF_INIT)

_LATER = "status_last_terminated_reason"
"""End of the names of metrics that begin when something happens to a pod, however old it is."""

LABELS = ("restart_policy",)


def also_of_sidecars(metrics: Sequence[str]) -> list[str]:
    """Metrics, and those that tell the same of init containers.

    >>> also_of_sidecars(["kube_pod_container_resource_limits", "up"])
    ['kube_pod_container_resource_limits', 'up', 'kube_pod_init_container_resource_limits']
    """
    return [*metrics, *(init for init, metric in OF_INIT.items() if metric in metrics)]


def init_containers(series: pl.DataFrame, container: list[str]) -> pl.DataFrame:
    """A row an init container of a workload: `sidecar`, whether it goes on running.

    One that became another sort of container is what it is told to be on the last day, of the
    youngest pod.

    Args:
        series: of `METRICS` and what they tell the same as, with `LABELS` as columns.
        container: columns that name one.
    """
    metric = pl.col("metric")
    told = series.filter(metric.is_in([*METRICS, *OF_INIT.values()]), ~metric.str.ends_with(_LATER))
    youngest = (pl.col("last_seen").dt.truncate("1d"), pl.col("first_seen"))
    told = told.sort(*youngest, maintain_order=True)
    policy = pl.col("restart_policy").filter(metric == INFO).last()
    return (
        told.group_by(container)
        .agg(
            metric.last().is_in(METRICS).alias("init"),
            (policy == "Always").fill_null(value=False).alias("sidecar"),
        )
        .filter("init")
        .select(*container, "sidecar")
    )


def named_alike(series: pl.DataFrame, init: pl.DataFrame, container: list[str]) -> pl.DataFrame:
    """Series whose `metric` is, where it is of a sidecar, as if it were of any other container.

    Args:
        series: as for `init_containers`.
        init: what that gives.
        container: columns that name one.
    """
    rows = series.join(init, on=container, how="left", maintain_order="left")
    metric = pl.col("metric")
    alike = pl.when("sidecar").then(metric.replace(OF_INIT)).otherwise(metric)
    return rows.with_columns(alike.alias("metric")).drop("sidecar")
