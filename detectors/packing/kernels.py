"""The loops of packing, compiled: which node could take a pod."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.compiled import compiled
from detectors.packing.fleet import Bool, Float64, Int8, Int64

ROUNDING = 1e-9
"""Of what a node has: sums of requests are not exact, and Kubernetes counts in thousandths."""

# Places of `State.why`: targets that were left out, and for what; from `ROOM` on a resource each.
NOT_ADMITTED, SPREAD, ROOM = 0, 1, 2


class Given(NamedTuple):
    """What does not change; see `Nodes` and `Pods` for what is named as there.

    Attributes:
        slack: float64[n, r], for errors of rounding.
        size: float64[p], by which large pods go first.
        members: int64[p], pods by group: those of group `g` are `starts[g]:starts[g + 1]`.
        most: int64[g], replicas on one node, at most.
        most_zone: int64[g], replicas in one zone, at most.
    """

    allocatable: Float64
    zone: Int64
    slack: Float64
    request: Float64
    fate: Int8
    rules: Int64
    admits: Bool
    group: Int64
    bound: Bool
    size: Float64
    starts: Int64
    members: Int64
    most: Int64
    most_zone: Int64


class State(NamedTuple):
    """What changes.

    Attributes:
        open: bool[n], whether pods may come.
        free: float64[n, r], what more may be asked for.
        used: float64[n, r], what is asked for.
        node: int64[p], where pods are, below 0 = nowhere.
        order: int64[n], the nodes in the order in which they are looked at.
        on_node: int64[n], siblings of one pod on each node; zeros in between.
        on_zone: int64[z], the same by zone.
        why: int64[2 + r], for what targets were left out.
    """

    open: Bool
    free: Float64
    used: Float64
    node: Int64
    order: Int64
    on_node: Int64
    on_zone: Int64
    why: Int64


@compiled
def _count(pod: int, step: int, given: Given, state: State) -> None:
    """Count the other replicas of a pod by node and zone; with step -1 the counts go back to 0."""
    own = given.group[pod]
    for place in range(given.starts[own], given.starts[own + 1]):
        other = given.members[place]
        at = state.node[other]
        if other == pod or at < 0:
            continue
        state.on_node[at] += step
        if given.zone[at] >= 0:
            state.on_zone[given.zone[at]] += step


@compiled
def _lacks(pod: int, at: int, given: Given, state: State) -> int:
    """The first resource of which a node has too little for a pod, or -1."""
    for r in range(given.request.shape[1]):
        if given.request[pod, r] > state.free[at, r] + given.slack[at, r]:
            return r
    return -1


ANYWHERE, NOWHERE = -1, -2
"""What a pod's volume lets it go to; of one whose node's zone is not known, nobody can tell."""


@compiled
def target(pod: int, most: int, most_zone: int, given: Given, state: State) -> int:
    """The first node of the order that can take a pod, or -1; `why` says what was in the way."""
    home = state.node[pod]
    bound = ANYWHERE
    if home >= 0 and given.bound[pod]:
        bound = given.zone[home] if given.zone[home] >= 0 else NOWHERE
    state.why[:] = 0
    for at in state.order:
        zone = given.zone[at]
        if not state.open[at] or at == home:
            continue
        if not given.admits[given.rules[pod], at] or (bound != ANYWHERE and zone != bound):
            state.why[NOT_ADMITTED] += 1
        elif state.on_node[at] >= most or (zone >= 0 and state.on_zone[zone] >= most_zone):
            state.why[SPREAD] += 1
        else:
            short = _lacks(pod, at, given, state)
            if short < 0:
                return int(at)
            state.why[ROOM + short] += 1
    return -1


@compiled
def apart(pod: int, given: Given, state: State) -> int:
    """The same, with no more replicas in one place than there are anywhere now."""
    own = given.group[pod]
    _count(pod, 1, given, state)
    to = target(pod, given.most[own], given.most_zone[own], given, state)
    _count(pod, -1, given, state)
    return to


@compiled
def sort(given: Given, state: State) -> None:
    """The fullest first, by the resource that is used most of."""
    n, resources = state.used.shape
    full = np.zeros(n)
    for at in range(n):
        for r in range(resources):
            if given.allocatable[at, r] > 0.0:
                full[at] = max(full[at], state.used[at, r] / given.allocatable[at, r])
    state.order[:] = np.argsort(-full, kind="mergesort")


@compiled
def move(pod: int, to: int, given: Given, state: State) -> None:
    """Put a pod on a node, from where it is."""
    at = state.node[pod]
    for r in range(given.request.shape[1]):
        if at >= 0:
            state.free[at, r] += given.request[pod, r]
            state.used[at, r] -= given.request[pod, r]
        state.free[to, r] -= given.request[pod, r]
        state.used[to, r] += given.request[pod, r]
    state.node[pod] = to
