"""One cluster while it is packed: arrays laid out for the compiled loops, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.errors import InvalidParameterError
from detectors.packing.emptying import Answer, pack, survives
from detectors.packing.fleet import NOT_PLACED, UNKNOWN, Bool, Float64, Int8, Int64, Nodes, Pods
from detectors.packing.kernels import ROOM, ROUNDING, Given, State


@dataclass(frozen=True, slots=True)
class Rules:
    """How much is to be left.

    Attributes:
        headroom: a share of each resource of each node that takes pods, in their order.
        spare: whether any one node may fail afterwards whose pods would have found room before.
        least: nodes that take pods, at least so many.
    """

    headroom: tuple[float, ...]
    spare: bool = True
    least: int = 1

    def __post_init__(self) -> None:
        if not all(0.0 <= share < 1.0 for share in self.headroom):
            raise InvalidParameterError("headroom", self.headroom, "shares must be in [0, 1)")
        if self.least < 1:
            raise InvalidParameterError("least", self.least, "must be at least 1")


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """What one packing gave; see `Plan` for what is named as there.

    Attributes:
        drained, pod, target, step: in the order in which nodes are emptied.
        blocker, blocking, short: one a node.
        node: int64[p], where pods are before any node is emptied, those that waited placed.
    """

    drained: Int64
    pod: Int64
    target: Int64
    step: Int64
    blocker: Int8
    blocking: Int64
    short: Int64
    node: Int64


class Packing:
    """One cluster and its rules."""

    def __init__(self, nodes: Nodes, pods: Pods, rules: Rules) -> None:
        groups = int(pods.group.max(initial=-1)) + 1
        members = np.argsort(pods.group, kind="stable")
        self._nodes, self._pods, self._rules = nodes, pods, rules
        self._given = Given(
            allocatable=_plain(nodes.allocatable, np.float64),
            zone=_plain(nodes.zone, np.int64),
            slack=ROUNDING * _plain(nodes.allocatable, np.float64),
            request=_plain(pods.request, np.float64),
            fate=_plain(pods.fate, np.int8),
            rules=_plain(pods.rules, np.int64),
            admits=_plain(pods.admits, np.bool_),
            group=_plain(pods.group, np.int64),
            bound=_plain(pods.bound, np.bool_),
            size=_size(nodes, pods),
            starts=np.searchsorted(pods.group[members], np.arange(groups + 1)),
            members=members,
            most=_most(pods.group, pods.node, groups),
            most_zone=_most(pods.group, np.append(nodes.zone, UNKNOWN)[pods.node], groups),
        )
        self._asked: Bool | None = None

    def pack(self, candidate: Bool) -> Packed:
        """Empty of the candidates what can be."""
        n, p = len(self._nodes.open), len(self._pods.node)
        drained, pod, target, step = (np.zeros(size, np.int64) for size in (n, p, p, p))
        answer = Answer(
            drained, pod, target, step, np.zeros(n, np.int8), np.full(n, -1), np.full(n, -1)
        )
        state = self._state(self._nodes.open, self._pods.node, 1.0 - np.array(self._rules.headroom))
        count, moves = pack(
            _plain(candidate, np.bool_),
            _plain(self._nodes.worth, np.float64),
            self._rules.least,
            self._given,
            state,
            answer,
        )
        # Nothing is moved twice: where those that waited were put, they are.
        node = np.where(self._pods.node == NOT_PLACED, state.node, self._pods.node)
        return Packed(
            drained[:count],
            pod[:moves],
            target[:moves],
            step[:moves],
            answer.blocker,
            answer.blocking,
            answer.short,
            node,
        )

    def bearable(self, packed: Packed) -> int:
        """How many of the nodes can be emptied, in their order, so that another may fail.

        Found by halving: the fewer are emptied, the more room is left.
        """
        low, high = 0, len(packed.drained)
        if not self._rules.spare:
            return high
        every = np.ones(len(self._nodes.open), dtype=np.bool_)
        if self._asked is None:
            self._asked = self._survive(every, every, packed.node)
        while low < high:
            # What is asked last if all is well is asked first.
            middle = high if low == 0 and high == len(packed.drained) else (low + high + 1) // 2
            there = every.copy()
            there[packed.drained[:middle]] = False
            node = packed.node.copy()
            taken = packed.step < middle
            node[packed.pod[taken]] = packed.target[taken]
            if self._survive(self._asked & there, there, node).all():
                low = middle
            else:
                high = middle - 1
        return low

    def _survive(self, asked: Bool, there: Bool, node: Int64) -> Bool:
        everything = np.ones(self._nodes.allocatable.shape[1])
        state = self._state(self._nodes.open & there, node, everything)
        told: Bool = survives(asked, self._given, state)
        return told

    def _state(self, open_: Bool, node: Int64, share: Float64) -> State:
        nodes = self._nodes
        used = held(nodes, self._pods, node)
        n, resources = used.shape
        return State(
            open=open_.copy(),
            free=nodes.allocatable * share - used,
            used=used,
            node=node.copy(),
            order=np.arange(n),
            on_node=np.zeros(n, np.int64),
            on_zone=np.zeros(max(int(nodes.zone.max(initial=0)) + 1, 1), np.int64),
            why=np.zeros(ROOM + resources, np.int64),
        )


def held(nodes: Nodes, pods: Pods, node: Int64) -> Float64:
    """What the pods on each node ask for together, `[n, r]`."""
    used = np.zeros_like(nodes.allocatable)
    there = node >= 0
    np.add.at(used, node[there], pods.request[there])
    return used


def _plain(values: Any, kind: type[np.generic]) -> Any:
    """As compiled code has it: for arrays of other layouts it would be compiled again."""
    return np.require(values, kind, ["C", "W"])


def _size(nodes: Nodes, pods: Pods) -> Float64:
    """How large a pod is: its largest share of what a node has on average."""
    mean = nodes.allocatable.mean(axis=0) if len(nodes.open) else np.ones(pods.request.shape[1])
    share: Float64 = pods.request / np.where(mean > 0.0, mean, 1.0)
    size: Float64 = share.max(axis=1, initial=0.0)
    return size


def _most(group: Int64, place: Int64, groups: int) -> Int64:
    """The most replicas of each group in one place now, at least one."""
    most = np.ones(groups, np.int64)
    there = place >= 0
    pairs, counts = np.unique(np.stack([group[there], place[there]]), axis=1, return_counts=True)
    np.maximum.at(most, pairs[0], counts)
    return most
