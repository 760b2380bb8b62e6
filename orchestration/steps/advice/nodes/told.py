"""A plan of emptied nodes as advice: the proof pod by pod, what it leaves, what it does not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from detectors.packing import Blocker, Fate, Plan
from orchestration.advice_settings import GIB, HOURS_A_MONTH, AdviceSettings
from orchestration.steps.advice.advice import Advice, Evidence
from orchestration.steps.advice.nodes.cluster import World

KIND = "node_empty"

MOST_MOVES = 250
"""Placements that an advice lists; a node of a hundred pods and more is rare."""


@dataclass(frozen=True, slots=True)
class Shared:
    """How the pods of nodes used them together, in slots of five minutes.

    Attributes:
        over: share of slots in which some node had not enough, before and after; None = unknown.
        most: the largest share used of any node afterwards, of CPU and of memory; None = unknown.
    """

    over: tuple[float | None, float | None]
    most: tuple[float, float]


def advice_of(
    world: World, plan: Plan, shared: Sequence[Shared | None], settings: AdviceSettings
) -> list[Advice]:
    """An advice a node to be emptied, in the plan's order.

    Args:
        world: the cluster.
        plan: of it.
        shared: of each node to be emptied, what the nodes that take its pods would have used;
            None = that is not known.
        settings: prices, and over which time use was looked at.
    """
    # The same for each of them; a cluster may have thousands.
    levels, others = _levels(world, plan), [*_kept(world, plan), *_unseen(world)]
    return [
        _one(world, plan, step, seen, levels, others, settings) for step, seen in enumerate(shared)
    ]


def _one(
    world: World,
    plan: Plan,
    step: int,
    seen: Shared | None,
    levels: Sequence[Evidence],
    others: Sequence[Evidence],
    settings: AdviceSettings,
) -> Advice:
    at = int(plan.drained[step])
    own = plan.step == step
    targets = np.unique(plan.target[own])
    node = str(world.machines["node"][at])
    size = world.nodes.allocatable[at]
    cores, memory = float(size[0]), float(size[1])
    there = world.pods.node == at
    leave = int((there & (world.pods.fate == Fate.LEAVES)).sum())
    moves = int(own.sum())
    used = plan.used_before[at] / np.where(size > 0.0, size, 1.0)
    # What goes with the node is no longer requested either, but it is no saving.
    gpus = sum(
        float(size[place]) for place, name in enumerate(world.resources) if name.endswith("_gpu")
    )
    places = (
        "nothing has to move"
        if not moves
        else (
            f"its {_count(moves, 'pod')} {'fits' if moves == 1 else 'fit'} on "
            f"{_count(len(targets), 'other node')}"
        )
    )
    return Advice(
        cluster=world.name,
        kind=KIND,
        entity=node,
        node=node,
        title=f"node {node} of {world.name} could be emptied: {places}, which saves "
        f"{cores:g} cores and {memory / GIB:.3g} GiB",
        reason=_reason(world, used, seen, settings),
        current={
            "allocatable_cpu_cores": cores,
            "allocatable_memory_bytes": memory,
            "pods_to_move": moves,
            "cluster_nodes": len(world.nodes.open),
        },
        proposed={"allocatable_cpu_cores": 0.0, "allocatable_memory_bytes": 0.0},
        evidence=[
            Evidence("place in the order in which nodes are emptied", step + 1, "node"),
            Evidence("nodes to be emptied", len(plan.drained), "nodes"),
            *_moves(world, plan, own),
            Evidence("pods that go with the node (of DaemonSets, static)", leave, "pods"),
            *levels,
            *_used(world, plan, targets, seen, settings),
            *others,
        ],
        saving_cpu_cores=cores,
        saving_memory_bytes=memory,
        saving_gpus=gpus or None,
        saving_cost=_cost(world, at, cores, memory, gpus, settings),
        risk=None if seen is None else seen.over[1],
        current_risk=None if seen is None else seen.over[0],
        confidence=round(world.certain, 2),
    )  # fmt: skip


def _reason(world: World, used: np.ndarray, seen: Shared | None, settings: AdviceSettings) -> str:
    share = f"{100.0 * settings.nodes.headroom:.0f} %"
    told = (
        f"{100.0 * used[0]:.0f} % of its CPU and {100.0 * used[1]:.0f} % of its memory are "
        f"requested; placed by what pods request, every node that takes one keeps {share} free"
    )
    if not world.tenants.height or not world.pods.request[:, :2].any():
        told = (
            "what pods request is not told; placed by what they really used, every node that takes "
            f"one keeps {share} free"
        )
    if settings.nodes.spare:
        told += ", and any one other node may still fail"
    if seen is None:
        return f"{told}; what the pods really use is not known"
    return (
        f"{told}; what they really used fits as well: in the last {_time(settings.nodes.usage)} "
        f"the fullest of those nodes would have used {100.0 * seen.most[0]:.0f} % of its CPU and "
        f"{100.0 * seen.most[1]:.0f} % of its memory at most"
    )


def _moves(world: World, plan: Plan, own: np.ndarray) -> list[Evidence]:
    names = world.machines["node"]
    pods = world.tenants[plan.pod[own]]
    rows = zip(pods["namespace"], pods["pod"], pods["owner"], plan.target[own], strict=True)
    told = [
        Evidence(f"{namespace}/{pod} moves to" + (", and starts anew" if owner == "Job" else ""),
                 names[int(to)], "node")
        for namespace, pod, owner, to in rows
    ]  # fmt: skip
    left = len(told) - MOST_MOVES
    return told[:MOST_MOVES] + ([Evidence("more pods move", left, "pods")] if left > 0 else [])


def _levels(world: World, plan: Plan) -> list[Evidence]:
    """What is requested of what there is, before and after all nodes are emptied."""
    left = np.ones(len(world.nodes.open), dtype=np.bool_)
    left[plan.drained] = False
    sizes = world.nodes.allocatable
    told = [
        Evidence("nodes before", len(left), "nodes", metric="kube_node_status_allocatable"),
        Evidence("nodes after", int(left.sum()), "nodes"),
    ]
    for place, name in enumerate(world.resources):
        if name in ("cpu", "memory"):
            before = plan.used_before[:, place].sum() / sizes[:, place].sum()
            after = plan.used_after[left, place].sum() / sizes[left, place].sum()
            told += [
                Evidence(f"{name} requested of what is allocatable, {when}", round(share, 4),
                         "share", metric="kube_pod_container_resource_requests")
                for when, share in (("before", before), ("after", after))
            ]  # fmt: skip
    return told


def _used(
    world: World, plan: Plan, targets: np.ndarray, seen: Shared | None, settings: AdviceSettings
) -> list[Evidence]:
    sizes = world.nodes.allocatable[targets]
    told = []
    if len(targets):
        for place, name in enumerate(world.resources):
            if name in ("cpu", "memory"):
                share = (plan.used_after[targets, place] / sizes[:, place]).max()
                told.append(
                    Evidence(f"{name} requested of the fullest node that takes its pods, after",
                             round(float(share), 4), "share")
                )  # fmt: skip
    over = _time(settings.nodes.usage)
    if seen is not None:
        told += [
            Evidence("CPU used of the fullest of those nodes at most, after",
                     round(seen.most[0], 4), "share", over, "container_cpu_usage_seconds_total"),
            Evidence("memory used of the fullest of those nodes at most, after",
                     round(seen.most[1], 4), "share", over, "container_memory_working_set_bytes"),
        ]  # fmt: skip
    return told


def _kept(world: World, plan: Plan) -> list[Evidence]:
    """How many nodes are kept for what reason, with an example of each."""
    told = []
    for code in np.unique(plan.blocker[plan.blocker != Blocker.NONE]):
        same = np.flatnonzero(plan.blocker == code)
        node, why = world.machines["node"][int(same[0])], why_kept(world, plan, int(same[0]))
        told.append(Evidence(f"kept, as {node}: {why}", len(same), "nodes"))
    return told


def _unseen(world: World) -> list[Evidence]:
    """What metrics do not tell, and what was assumed instead."""
    guessed = [
        Evidence(
            f"disruption budget {one.namespace}/{one.name}: metrics do not say which pods it is "
            "about; it is taken to be about any of its namespace",
            one.allowed,
            "evictions",
        )
        for one in world.covered.guessed
    ]
    return [*guessed, *(Evidence(f"not seen: {text}", None) for text in world.unseen)]


def why_kept(world: World, plan: Plan, at: int) -> str:
    """What is in the way of emptying a node, for people; empty for one that is emptied."""
    blocker = Blocker(int(plan.blocker[at]))
    pod, owner = "a pod", ""
    if plan.blocking[at] >= 0:
        row = world.tenants.row(int(plan.blocking[at]), named=True)
        pod = f"{row['namespace']}/{row['pod']}"
        owner = str(row["budget"])
    short = world.resources[int(plan.short[at])].replace("_used", " (really used)")
    return {
        Blocker.NONE: "",
        Blocker.NOT_ASKED: str(world.machines["why_not"][at]),
        Blocker.BARE: f"{pod} has no controller that would start it again",
        Blocker.LOCAL: f"the data of {pod} lie on it",
        Blocker.BUDGET: f"the disruption budget {owner} allows no eviction of {pod}",
        Blocker.RECEIVES: "it takes pods of nodes that are emptied",
        Blocker.NOWHERE: f"no other node takes {pod}: its tolerations, selectors, pool or zone",
        Blocker.SPREAD: f"{pod} would be together with more replicas than any is now",
        Blocker.ROOM: f"{pod} finds no room elsewhere: short of {short}",
        Blocker.SPARE: "without it, the pods of another node that fails would find no room",
        Blocker.LEAST: "so few nodes are to be left",
    }[blocker]


def _cost(
    world: World, at: int, cores: float, memory: float, gpus: float, settings: AdviceSettings
) -> float | None:
    """A month."""
    price = world.machines["price"][at]
    if price is not None:
        return round(float(price) * HOURS_A_MONTH, 6)
    if not settings.prices.known:
        return None
    return settings.prices.month(cores=cores, memory_bytes=memory, gpus=gpus)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _time(over: timedelta) -> str:
    hours = over / timedelta(hours=1)
    return f"{hours / 24:g} d" if hours >= 48 else f"{hours:g} h"
