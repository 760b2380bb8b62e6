"""The nodes of one cluster as a frame: size, health, taints, zone, pool, price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from orchestration.node_advice_settings import NodeAdviceSettings
from orchestration.steps.advice.nodes import metrics
from orchestration.steps.advice.nodes.metrics import Told

PODS_A_NODE = 110.0
"""Kubernetes' own bound, where a node does not say its."""

ZONES = ("topology_kubernetes_io_zone", "failure_domain_beta_kubernetes_io_zone")
POOLS = (
    "karpenter_sh_nodepool",
    "eks_amazonaws_com_nodegroup",
    "cloud_google_com_gke_nodepool",
    "kubernetes_azure_com_agentpool",
    "agentpool",
    "node_pool",
    "nodepool",
)
CONTROL_PLANES = ("control-plane", "master")
CONTROL_PLANE_LABELS = tuple(
    f"node_role_kubernetes_io_{role.replace('-', '_')}" for role in CONTROL_PLANES
)
CONTROL_PLANE = "it is of the control plane"
SEPARATOR, INNER = "\x1e", "\x1f"

RESOURCE = "resource "
"""Begins the columns of resources: these may be named as anything, as a column of ours too."""


def machines(told: Told, cluster: str, settings: NodeAdviceSettings, now: datetime) -> pl.DataFrame:
    """A row a node, by name.

    Columns: `node`; `resource cpu`, `… memory`, `… pods` and whatever else, what is allocatable;
    `why_not`, why
    it is not to be emptied, null = it may be; `open`, whether it takes pods; `taints`, texts of
    key, value and effect, joined; `zone`, `pool`, `price` an hour, null = not known.
    """
    frame = _sizes(told, cluster)
    labels = pairs(told.of(cluster, metrics.NODE_LABELS), ["node"], "label_")
    prices = labels.filter(pl.col("key") == settings.price_label).select(
        "node",
        pl.col("value")
        .replace_strict(dict(settings.prices), default=None, return_dtype=pl.Float64)
        .alias("listed"),
    )
    for other in (
        _ready(told, cluster),
        _one(told, cluster, metrics.CORDONED, "cordoned"),
        _one(told, cluster, metrics.CREATED, "created"),
        _one(told, cluster, metrics.COST, "cost"),
        _taints(told, cluster),
        _control_planes(told, cluster, labels),
        _first(labels, ZONES, "zone"),
        _first(labels, POOLS, "pool"),
        prices.unique("node", keep="first", maintain_order=True),
    ):
        frame = frame.join(other, on="node", how="left")
    # What is not told is taken to be well.
    ready = pl.col("ready").fill_null(value=True)
    cordoned = pl.col("cordoned").fill_null(0.0) > 0.0
    young = now.timestamp() - pl.col("created") < settings.youngest.total_seconds()
    why_not = (
        pl.when(pl.col("control_plane").fill_null(value=False))
        .then(pl.lit(CONTROL_PLANE))
        .when(cordoned)
        .then(pl.lit("it is cordoned already"))
        .when(~ready)
        .then(pl.lit("it is not ready"))
        .when(young.fill_null(value=False))
        .then(pl.lit("it is young"))
    )
    return frame.with_columns(
        why_not.alias("why_not"),
        (ready & ~cordoned).alias("open"),
        pl.col("taints").fill_null(""),
        pl.coalesce("listed", "cost").alias("price"),
    ).sort("node")


def pairs(rows: pl.DataFrame, by: list[str], prefix: str) -> pl.DataFrame:
    """The labels whose names begin so, a row each: `key` (without the prefix) and `value`."""
    if not rows.height:
        return pl.DataFrame(schema=dict.fromkeys([*by, "key", "value"], pl.String))
    each = rows.select(*by, pl.col("entries").alias("one")).explode("one").unnest("one")
    return (
        each.filter(pl.col("key").str.starts_with(prefix))
        .with_columns(pl.col("key").str.strip_prefix(prefix))
        .unique()
        .sort(pl.all())
    )


def _sizes(told: Told, cluster: str) -> pl.DataFrame:
    rows = told.of(cluster, metrics.ALLOCATABLE).drop_nulls(["node", "label resource"])
    frame = by_resource(rows, ["node"], ("cpu", "memory", "pods"))
    return frame.with_columns(pl.col(f"{RESOURCE}pods").fill_null(PODS_A_NODE)).with_columns(
        pl.exclude("node").fill_null(0.0)
    )


def by_resource(rows: pl.DataFrame, by: list[str], always: Sequence[str]) -> pl.DataFrame:
    """The largest `value` of each `label resource`, a column each; some are there in any case."""
    named = rows.with_columns(pl.format(f"{RESOURCE}{{}}", "label resource").alias("resource"))
    frame = named.pivot("resource", index=by, values="value", aggregate_function="max")
    missing = [name for one in always if (name := RESOURCE + one) not in frame.columns]
    return frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in missing)


def _one(told: Told, cluster: str, metric: str, name: str) -> pl.DataFrame:
    rows = told.of(cluster, metric).drop_nulls("node")
    return rows.group_by("node").agg(pl.col("value").max().alias(name))


def _ready(told: Told, cluster: str) -> pl.DataFrame:
    rows = told.of(cluster, metrics.CONDITION).filter(
        pl.col("label condition") == "Ready", pl.col("label status") == "true"
    )
    return rows.group_by("node").agg((pl.col("value").max() > 0.0).alias("ready"))


def _taints(told: Told, cluster: str) -> pl.DataFrame:
    rows = told.of(cluster, metrics.TAINT).filter(pl.col("value") > 0.0)
    return rows.group_by("node").agg(
        joined("key", "value", "effect").unique().sort().str.join(SEPARATOR).alias("taints")
    )


def joined(*labels: str) -> pl.Expr:
    """The values of labels as one text."""
    texts = [pl.col(f"label {name}").fill_null("") for name in labels]
    return pl.concat_str(texts, separator=INNER)


def _control_planes(told: Told, cluster: str, labels: pl.DataFrame) -> pl.DataFrame:
    by_role = told.of(cluster, metrics.ROLE).filter(pl.col("label role").is_in(CONTROL_PLANES))
    by_label = labels.filter(pl.col("key").is_in(CONTROL_PLANE_LABELS))
    both = pl.concat([by_role.select("node"), by_label.select("node")], how="vertical_relaxed")
    return both.unique().with_columns(pl.lit(value=True).alias("control_plane"))


def _first(labels: pl.DataFrame, names: tuple[str, ...], column: str) -> pl.DataFrame:
    """By node the value of the first of some labels that is there."""
    rank = {name: place for place, name in enumerate(names)}
    rows = labels.filter(pl.col("key").is_in(names)).with_columns(
        pl.col("key").replace_strict(rank, return_dtype=pl.Int64).alias("rank")
    )
    first = rows.sort("rank").unique("node", keep="first", maintain_order=True)
    return first.select("node", pl.col("value").alias(column))
