"""One cluster as arrays for packing, with the names of what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from detectors.packing import NOT_PLACED, Nodes, PodRules, Pods, Rules, Taint, Toleration, admitted
from detectors.packing.admission import NodeTraits
from detectors.packing.fleet import UNKNOWN, Bool, Float64, Int64
from orchestration.node_advice_settings import NodeAdviceSettings
from orchestration.steps.advice.nodes import metrics
from orchestration.steps.advice.nodes.budgets import Covered
from orchestration.steps.advice.nodes.machines import INNER, RESOURCE, SEPARATOR, machines, pairs
from orchestration.steps.advice.nodes.metrics import Told
from orchestration.steps.advice.nodes.tenants import tenants

USED = ("cpu_used", "memory_used")
"""Resources beside those that are requested: the same room, for what is really used."""

_ALWAYS = ("cpu", "memory", "pods")
CPU, MEMORY = (f"{RESOURCE}{one}" for one in ("cpu", "memory"))
_WITH_HEADROOM = ("cpu", "memory", *USED)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One cluster.

    Attributes:
        name: the cluster's.
        resources: columns of the arrays.
        machines, tenants: frames whose rows are those of `nodes` and `pods`.
        nodes, pods: the arrays.
        rules: how much is to be left.
        covered: what disruption budgets are about.
        unseen: what is not told, as texts for people.
        certain: 0 to 1, how much of what matters is told.
    """

    name: str
    resources: tuple[str, ...]
    machines: pl.DataFrame
    tenants: pl.DataFrame
    nodes: Nodes
    pods: Pods
    rules: Rules
    covered: Covered
    unseen: tuple[str, ...]
    certain: float


def world(
    told: Told, name: str, use: pl.DataFrame, settings: NodeAdviceSettings, now: datetime
) -> World | None:
    """A cluster at a time; None where its nodes or its pods are not told.

    Args:
        told: of all clusters.
        name: which.
        use: `namespace`, `pod`, `cpu_used`, `memory_used`, `sound`, of its pods.
        settings: how much is to be left.
        now: the time.
    """
    nodes = machines(told, name, settings, now).filter(pl.col(CPU) > 0.0, pl.col(MEMORY) > 0.0)
    if not nodes.height or not told.has(name, metrics.INFO):
        return None
    pods, covered = tenants(told, name, settings, use.drop("sound"))
    # What runs on a node whose size is not told is none of this.
    pods = pods.filter(pl.col("node").is_null() | pl.col("node").is_in(nodes["node"].implode()))
    asked = {one.removeprefix(RESOURCE) for one in pods.columns if one.startswith(RESOURCE)}
    # One that is named as what is used would be taken for it.
    resources = (*_ALWAYS, *sorted(asked - {*_ALWAYS, *USED}), *USED)
    node = _numbers(pods["node"], nodes["node"])
    zone = _codes(nodes["zone"])
    rules, admits = _admission(told, name, nodes, pods)
    share = dict.fromkeys(_WITH_HEADROOM, settings.headroom)
    unseen = _unseen(told, name, nodes, use)
    return World(
        name,
        resources,
        nodes,
        pods,
        Nodes(
            allocatable=_sizes(nodes, resources),
            open=nodes["open"].to_numpy(),
            candidate=nodes["why_not"].is_null().to_numpy(),
            zone=zone,
            worth=_worth(nodes),
        ),
        Pods(
            request=_asked(pods, resources),
            node=node,
            fate=pods["fate"].cast(pl.Int8).to_numpy(),
            rules=rules,
            admits=admits,
            group=_groups(pods),
            bound=pods["claims"].to_numpy() & (len(np.unique(zone[zone != UNKNOWN])) > 1),
        ),
        Rules(
            headroom=tuple(share.get(one, 0.0) for one in resources),
            spare=settings.spare,
            least=settings.least,
        ),
        covered,
        tuple(unseen),
        max(0.3, 0.9 - 0.1 * sum(unseen.values())),
    )


def _sizes(nodes: pl.DataFrame, resources: tuple[str, ...]) -> Float64:
    columns = []
    for one in resources:
        name = RESOURCE + (one.removesuffix("_used") if one in USED else one)
        known = name in nodes.columns
        columns.append(nodes[name].to_numpy() if known else np.zeros(nodes.height))
    return np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.float64)


def _asked(pods: pl.DataFrame, resources: tuple[str, ...]) -> Float64:
    """What is used by a pod of which that is not known: what it requests."""
    columns = {one: pl.col(RESOURCE + one) for one in resources if one not in USED}
    columns["pods"] = pl.lit(1.0)
    columns |= {one: pl.coalesce(one, RESOURCE + one.removesuffix("_used")) for one in USED}
    values = pods.select(
        columns[one].cast(pl.Float64).fill_null(0.0).alias(one) for one in resources
    )
    return np.ascontiguousarray(values.to_numpy(), dtype=np.float64)


def _numbers(names: pl.Series, known: pl.Series) -> Int64:
    place = {name: number for number, name in enumerate(known.to_list())}
    numbers = names.replace_strict(place, default=NOT_PLACED, return_dtype=pl.Int64)
    return numbers.fill_null(NOT_PLACED).to_numpy().copy()


def _codes(texts: pl.Series) -> Int64:
    codes = texts.rank("dense").cast(pl.Int64) - 1
    return codes.fill_null(UNKNOWN).to_numpy().copy()


def _groups(pods: pl.DataFrame) -> Int64:
    """Replicas of one workload; a pod of none is its own."""
    own = pl.coalesce("workload", pl.concat_str(pl.lit("\x1d"), "pod"))
    key = pods.select(pl.concat_str("namespace", own, separator=INNER).alias("key"))["key"]
    return _codes(key)


def _worth(nodes: pl.DataFrame) -> Float64:
    """What each costs, where that is known of all; else how large it is beside the others."""
    price = nodes["price"]
    if not price.null_count() and bool((price > 0.0).all()):
        return price.to_numpy().copy()
    sizes = nodes.select(pl.col(CPU, MEMORY) / pl.col(CPU, MEMORY).mean())
    worth: Float64 = sizes.to_numpy().mean(axis=1)
    return worth


def _admission(
    told: Told, cluster: str, nodes: pl.DataFrame, pods: pl.DataFrame
) -> tuple[Int64, Bool]:
    """The rules of each pod, and which nodes take pods of which rules: `[p]`, `[k, n]`."""
    labels = pairs(told.of(cluster, metrics.NODE_LABELS), ["node"], "label_")
    wanted = _keys(pods["selector"])
    of_node = labels.filter(pl.col("key").is_in(sorted(wanted)))
    text = pl.concat_str("key", "value", separator=INNER).sort().str.join(SEPARATOR)
    kinds = nodes.join(of_node.group_by("node").agg(text.alias("labels")), on="node", how="left")
    kinds = kinds.select(pl.col("taints", "labels", "pool").fill_null(""))
    node_kind = kinds.select(pl.struct(pl.all()).rank("dense").cast(pl.Int64) - 1).to_series()
    traits = kinds.with_columns(node_kind.alias("kind")).unique("kind").sort("kind")

    where = nodes.select(
        "node", pl.col("taints").alias("borne"), pl.col("pool").fill_null("").alias("at")
    )
    placed = pods.join(where, on="node", how="left", maintain_order="left")
    siblings = placed.group_by("namespace", "workload").agg(
        # Of a workload of which none runs, it is not known.
        pl.when(pl.col("at").is_not_null().any())
        .then(pl.col("at").drop_nulls().unique().sort().str.join(SEPARATOR))
        .alias("pools")
    )
    siblings = siblings.drop_nulls("workload")
    placed = placed.join(siblings, on=["namespace", "workload"], how="left", maintain_order="left")
    placed = placed.with_columns(
        pl.coalesce("pools", "at").alias("pools"),
        pl.when(pl.col("tolerations").is_null()).then(pl.col("borne").fill_null("")).alias("borne"),
    )
    by = ["tolerations", "borne", "selector", "pools"]
    distinct = placed.select(by).unique(maintain_order=True).with_row_index("rules")
    numbered = placed.join(distinct, on=by, how="left", nulls_equal=True, maintain_order="left")
    rules = [_rules(*row) for row in distinct.select(by).iter_rows()]
    takes = admitted(rules, [_traits(*row) for row in traits.select(kinds.columns).iter_rows()])
    admits = takes[:, node_kind.to_numpy()] if rules else np.ones((1, nodes.height), dtype=np.bool_)
    return numbered["rules"].cast(pl.Int64).to_numpy().copy(), np.ascontiguousarray(admits)


def _keys(selectors: pl.Series) -> set[str]:
    return {
        one.partition(INNER)[0]
        for text in selectors.drop_nulls().unique()
        for one in text.split(SEPARATOR)
        if one
    }


def _rules(
    tolerations: str | None, borne: str | None, selector: str | None, pools: str | None
) -> PodRules:
    return PodRules(
        None if tolerations is None else frozenset(Toleration(*one) for one in _parts(tolerations)),
        frozenset(Taint(*one) for one in _parts(borne or "")),
        None if selector is None else frozenset((one[0], one[1]) for one in _parts(selector)),
        # Which nodes a pod's affinity names is not told; those of its siblings it does not forbid.
        None if pools is None else frozenset(pools.split(SEPARATOR)),
    )


def _traits(taints: str, labels: str, pool: str) -> NodeTraits:
    named = {one[0]: one[1] for one in _parts(labels)}
    return NodeTraits(frozenset(Taint(*one) for one in _parts(taints)), named, pool)


def _parts(text: str) -> list[list[str]]:
    return [one.split(INNER) for one in text.split(SEPARATOR)] if text else []


def _unseen(told: Told, cluster: str, nodes: pl.DataFrame, use: pl.DataFrame) -> dict[str, int]:
    """What is not told, and whether that makes the advice less sure than it always is."""
    found = {
        "affinity between pods and spread constraints: replicas that are apart stay apart": 0,
        "host ports, and data in emptyDir or hostPath, which are lost": 0,
    }
    if nodes["pool"].null_count():
        found["affinity to nodes, and which pool each node is of"] = 1
    else:
        found["affinity to nodes: pods stay in pools that replicas of theirs run in"] = 0
    for metric, text in (
        (metrics.SELECTORS, "node selectors"),
        (metrics.TOLERATIONS, "tolerations: a pod bears the taints of the node that it is on"),
        (metrics.OWNER, "owners of pods"),
        (metrics.ALLOWED, "disruption budgets, if there are any"),
        (metrics.POD_CLAIMS, "volumes of pods"),
        (metrics.REQUESTS, "requests"),
    ):
        if not told.has(cluster, metric):
            found[f"{text} (no {metric})"] = 1
    if nodes["zone"].null_count():
        found["zones"] = 0
    if not use.height:
        found["what pods really use"] = 1
    return found | _first_containers(told, cluster) | _left_out(told.unsound.get(cluster, ()), use)


def _first_containers(told: Told, cluster: str) -> dict[str, int]:
    """What a pod may take beside its containers' requests, where that is not told."""
    found = {}
    policies = told.of(cluster, metrics.INIT_INFO)["label restart_policy"]
    if told.has(cluster, metrics.INIT_REQUESTS) and policies.null_count() == len(policies):
        text = "which first containers go on running beside the others"
        found[f"{text} (no restart_policy in {metrics.INIT_INFO})"] = 1
    missing = [one for one in metrics.OVERHEAD if not told.has(cluster, one)]
    if missing:
        # Where no pod has a runtime class that takes something, there is none either.
        found[f"what runtime classes take (no {' and no '.join(missing)})"] = 0
    return found


def _left_out(unsound: Sequence[str], use: pl.DataFrame) -> dict[str, int]:
    found = {}
    if unsound:
        of = ", ".join(sorted(set(unsound)))
        found[f"{len(unsound)} series whose values or labels cannot be (of {of})"] = 1
    odd = int((~use["sound"]).sum())
    if odd:
        pods = "1 pod" if odd == 1 else f"{odd} pods"
        found[f"use of {pods} for some of the time: its values cannot be"] = 0
    return found
