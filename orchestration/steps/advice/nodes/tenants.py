"""The pods of one cluster as a frame: where, what they ask for and use, what becomes of them."""

from __future__ import annotations

import polars as pl

from detectors.packing import Fate
from orchestration.node_advice_settings import NodeAdviceSettings
from orchestration.steps.advice.nodes import metrics
from orchestration.steps.advice.nodes.budgets import Budget, Covered, cover
from orchestration.steps.advice.nodes.machines import INNER, SEPARATOR, by_resource, joined, pairs
from orchestration.steps.advice.nodes.metrics import Told

POD = ["namespace", "pod"]
_GONE = ("Succeeded", "Failed")
_NOTHING = ("", "<none>")
_OF_NODES = ("DaemonSet", "Node")


def tenants(
    told: Told, cluster: str, settings: NodeAdviceSettings, use: pl.DataFrame
) -> tuple[pl.DataFrame, Covered]:
    """A row a pod that takes room or waits for some, and what disruption budgets are about.

    Columns: `namespace`, `pod`, `workload`, `node` (null = it waits); `owner`, the kind of it;
    `fate`, of `Fate`; `budget`, the name of one that allows no eviction; `claims`, whether it has
    a volume that is in a zone; `tolerations`, `selector`, texts joined, null = not told;
    `resource cpu`, `resource memory` and whatever else is requested; `cpu_used`, `memory_used`,
    null = not known.

    Args:
        told: of all clusters.
        cluster: which.
        settings: what is local storage.
        use: `namespace`, `pod`, `cpu_used`, `memory_used`, a row a pod.
    """
    frame = told.of(cluster, metrics.INFO).filter(pl.col("value") > 0.0).drop_nulls(POD)
    frame = frame.select(*POD, "workload", "node", "label created_by_kind")
    frame = frame.unique(POD, keep="last", maintain_order=True)
    for other in (
        _phases(told, cluster),
        _owners(told, cluster),
        _requests(told, cluster),
        _tolerations(told, cluster),
        _selectors(told, cluster),
        _volumes(told, cluster, settings),
        use,
    ):
        frame = frame.join(other, on=POD, how="left")
    frame = frame.filter(~pl.col("phase").is_in(_GONE).fill_null(value=False))
    by_name = ~pl.col("label created_by_kind").is_in(_NOTHING)
    frame = frame.with_columns(
        pl.coalesce("owner", pl.when(by_name).then("label created_by_kind")).alias("owner"),
        pl.coalesce("owned_by", "workload").alias("workload"),
        pl.col("local", "claims").fill_null(value=False),
        (pl.lit("") if told.has(cluster, metrics.TOLERATIONS) else pl.lit(None, pl.String)).alias(
            "no tolerations"
        ),
    ).with_columns(pl.coalesce("tolerations", "no tolerations").alias("tolerations"))
    covered = cover(_budgets(told, cluster), _counts(frame))
    # One of each node that waits, waits for its own.
    of_node = pl.col("node").is_null() & pl.col("owner").is_in(_OF_NODES).fill_null(value=False)
    frame = frame.filter(~of_node).join(
        _forbidding(covered), on=["namespace", "workload"], how="left"
    )
    return frame.with_columns(_fate().alias("fate")).sort(POD), covered


def _fate() -> pl.Expr:
    waits = pl.col("node").is_null()
    return (
        pl.when(waits)
        .then(int(Fate.MOVES))
        .when(pl.col("owner").is_in(_OF_NODES))
        .then(int(Fate.LEAVES))
        .when(pl.col("owner").is_null())
        .then(int(Fate.BARE))
        .when("local")
        .then(int(Fate.LOCAL))
        .when(pl.col("budget").is_not_null())
        .then(int(Fate.BUDGET))
        .otherwise(int(Fate.MOVES))
        .cast(pl.Int8)
    )


def _phases(told: Told, cluster: str) -> pl.DataFrame:
    rows = told.of(cluster, metrics.PHASE).filter(pl.col("value") > 0.0)
    return rows.select(*POD, pl.col("label phase").alias("phase")).unique(POD, keep="last")


def _owners(told: Told, cluster: str) -> pl.DataFrame:
    rows = told.of(cluster, metrics.OWNER).filter(~pl.col("label owner_kind").is_in(_NOTHING))
    rows = rows.select(
        *POD, pl.col("label owner_kind").alias("owner"), pl.col("workload").alias("owned_by")
    )
    return rows.unique(POD, keep="last", maintain_order=True)


def _requests(told: Told, cluster: str) -> pl.DataFrame:
    """What a pod takes of a node, as Kubernetes reckons it.

    Its containers together, or the largest of its first ones if that is more; the first ones that
    go on running (sidecars) beside either; and what its runtime class takes. In which order first
    ones start is in no metric: each is taken to start after all sidecars.
    """
    of_container = [*POD, "container", "label resource"]
    # Two exporters tell of one container, and so does one whose pod was told of on two nodes.
    running, first = (
        told.of(cluster, metric).group_by(of_container).agg(pl.col("value").max())
        for metric in (metrics.REQUESTS, metrics.INIT_REQUESTS)
    )
    by = [*POD, "label resource"]
    going_on = told.of(cluster, metrics.INIT_INFO).filter(
        pl.col("value") > 0.0, pl.col("label restart_policy") == "Always"
    )
    is_sidecar = pl.struct(*POD, "container").is_in(
        going_on.select(pl.struct(*POD, "container")).to_series().implode()
    )
    value = pl.col("value")
    parts = [
        running.group_by(by).agg(value.sum().alias("running")),
        first.filter(~is_sidecar).group_by(by).agg(value.max().alias("first")),
        first.filter(is_sidecar).group_by(by).agg(value.sum().alias("sidecars")),
        _overhead(told, cluster).group_by(by).agg(value.max().alias("overhead")),
    ]
    columns = ("running", "first", "sidecars", "overhead")
    whole = pl.concat(parts, how="diagonal").group_by(by).agg(pl.col(columns).max().fill_null(0.0))
    together = pl.max_horizontal("running", "first") + pl.col("sidecars") + pl.col("overhead")
    rows = whole.drop_nulls(by).select(*by, together.alias("value")).sort(by)
    return by_resource(rows, POD, ("cpu", "memory"))


def _overhead(told: Told, cluster: str) -> pl.DataFrame:
    each = [
        told.of(cluster, metric).with_columns(pl.lit(resource).alias("label resource"))
        for metric, resource in metrics.OVERHEAD.items()
    ]
    return pl.concat(each, how="vertical_relaxed")


def _tolerations(told: Told, cluster: str) -> pl.DataFrame:
    rows = told.of(cluster, metrics.TOLERATIONS).group_by(POD)
    text = joined("key", "operator", "value", "effect")
    return rows.agg(text.unique().sort().str.join(SEPARATOR).alias("tolerations"))


def _selectors(told: Told, cluster: str) -> pl.DataFrame:
    """Null where it is not told, or names no label that is told of a node."""
    rows = told.of(cluster, metrics.SELECTORS)
    each = pairs(rows, POD, "nodeselector_")
    labels = pairs(told.of(cluster, metrics.NODE_LABELS), ["node"], "label_")
    known = pl.col("key").is_in(labels["key"].unique().implode())
    text = pl.concat_str("key", "value", separator=INNER).filter(known).sort().str.join(SEPARATOR)
    # What is known of one binds, though a part of it is not.
    selectors = each.group_by(POD).agg(
        pl.when(known.any()).then(text).alias("selector"), pl.lit(value=True).alias("has")
    )
    none = pl.when(pl.col("has").is_null()).then(pl.lit(""))
    return (
        rows.select(POD)
        .unique(maintain_order=True)
        .join(selectors, on=POD, how="left")
        .select(*POD, pl.coalesce("selector", none).alias("selector"))
    )


def _volumes(told: Told, cluster: str, settings: NodeAdviceSettings) -> pl.DataFrame:
    """By pod: `local`, whether a volume lies on the node; `claims`, whether one is in a zone."""
    claim = "label persistentvolumeclaim"
    uses = told.of(cluster, metrics.POD_CLAIMS).select(*POD, claim)
    claims = told.of(cluster, metrics.CLAIM).select(
        "namespace",
        claim,
        pl.col("label storageclass").alias("class"),
        pl.col("label volumename").alias("volume"),
    )
    volumes = told.of(cluster, metrics.VOLUME).select(
        pl.col("label persistentvolume").alias("volume"),
        (_said("local_path") | _said("host_path")).alias("on_node"),
        _said("nfs_server").alias("shared"),
    )
    by_class = pl.col("class").str.contains(f"^(?:{settings.local_storage})$")
    found = uses.join(claims, on=["namespace", claim], how="left").join(
        volumes.unique("volume", keep="first"), on="volume", how="left"
    )
    local = pl.col("on_node").fill_null(value=False) | by_class.fill_null(value=False)
    return found.group_by(POD).agg(
        local.any().alias("local"), (~pl.col("shared").fill_null(value=False)).any().alias("claims")
    )


def _said(label: str) -> pl.Expr:
    return pl.col(f"label {label}").fill_null("") != ""


def _budgets(told: Told, cluster: str) -> list[Budget]:
    by = ["namespace", "label poddisruptionbudget"]
    expected = told.of(cluster, metrics.EXPECTED).select(*by, pl.col("value").alias("expected"))
    allowed = told.of(cluster, metrics.ALLOWED).unique(by, keep="last", maintain_order=True)
    rows = allowed.join(expected.unique(by, keep="last"), on=by, how="left")
    return [
        Budget(namespace, name, int(allowed), None if pods is None else int(pods))
        for namespace, name, allowed, pods in rows.select(*by, "value", "expected").iter_rows()
        if namespace is not None and name is not None
    ]


def _counts(frame: pl.DataFrame) -> dict[tuple[str, str], int]:
    """How many pods each workload has that a budget may be about."""
    rows = frame.drop_nulls("workload").filter(
        ~pl.col("owner").is_in(_OF_NODES).fill_null(value=False)
    )
    counted = rows.group_by("namespace", "workload").len().sort("namespace", "workload")
    return {(namespace, workload): count for namespace, workload, count in counted.iter_rows()}


def _forbidding(covered: Covered) -> pl.DataFrame:
    rows = [(*of, budget.name) for of, budget in covered.of.items() if budget.allowed <= 0]
    schema = dict.fromkeys(("namespace", "workload", "budget"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")
