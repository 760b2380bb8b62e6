"""Emptying one node after the other, compiled, and what happens if one fails."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.compiled import compiled
from detectors.packing.fleet import Bool, Float64, Int8, Int64
from detectors.packing.kernels import ROOM, SPREAD, Given, State, apart, move, sort, target

FREE = 2**62
"""As a bound on replicas in one place: none."""

# Of `Fate` and `Blocker`: compiled code knows no enumerations.
_MOVES, _LEAVES, _BARE, _LOCAL = 0, 1, 2, 3
_NOT_ASKED, _RECEIVES, _NOWHERE, _NO_SPREAD, _NO_ROOM, _LEAST = 1, 5, 6, 7, 8, 10


class Answer(NamedTuple):
    """What `pack` found out: see `Plan`.

    Attributes:
        drained, pod, target, step: of which the first so many count.
        blocker, blocking, short: one a node.
    """

    drained: Int64
    pod: Int64
    target: Int64
    step: Int64
    blocker: Int8
    blocking: Int64
    short: Int64


@compiled
def _of_nodes(node: Int64, order: Int64, n: int) -> tuple[Int64, Int64]:
    """The pods of each node in an order: `own[start[i]:start[i + 1]]` are those of node `i`."""
    start = np.zeros(n + 1, np.int64)
    for pod in order:
        if node[pod] >= 0:
            start[node[pod] + 1] += 1
    for at in range(n):
        start[at + 1] += start[at]
    fill = start[:-1].copy()
    own = np.empty(start[-1], np.int64)
    for pod in order:
        if node[pod] >= 0:
            own[fill[node[pod]]] = pod
            fill[node[pod]] += 1
    return start, own


@compiled
def _standing(own: Int64, given: Given) -> int:
    """Of a node's pods the one that stands in the way, the gravest; -1 = none."""
    worst = -1
    for pod in own:
        code = given.fate[pod]
        if code >= _BARE and (worst < 0 or code < given.fate[worst]):
            worst = pod
    return worst


@compiled
def _reason(why: Int64) -> tuple[int, int]:
    """From what was in the way of all targets: the blocker, and the resource that is short."""
    if why[ROOM:].sum() > 0:
        return _NO_ROOM, int(np.argmax(why[ROOM:]))
    if why[SPREAD] > 0:
        return _NO_SPREAD, -1
    return _NOWHERE, -1


@compiled
def _leave(
    at: int, own: Int64, count: int, moves: int, given: Given, state: State, answer: Answer
) -> int:
    """Move a node's pods away; gives how many moves there are then, as before if one cannot."""
    before = moves
    for pod in own:
        if given.fate[pod] != _MOVES:
            continue
        to = apart(pod, given, state)
        if to < 0:
            answer.blocker[at], answer.short[at] = _reason(state.why)
            answer.blocking[at] = pod
            while moves > before:
                moves -= 1
                move(answer.pod[moves], at, given, state)
            return before
        answer.pod[moves], answer.target[moves], answer.step[moves] = pod, to, count
        moves += 1
        move(pod, to, given, state)
    return moves


@compiled
def _stays(at: int, own: Int64, receives: Bool, last: bool, given: Given, answer: Answer) -> bool:
    """Whether a node is kept, whatever room there is elsewhere."""
    worst = _standing(own, given)
    if worst >= 0:
        answer.blocker[at], answer.blocking[at] = given.fate[worst], worst
    elif receives[at]:
        answer.blocker[at] = _RECEIVES
    elif last:
        answer.blocker[at] = _LEAST
    return bool(answer.blocker[at] != 0)


@compiled
def _place(by_size: Int64, receives: Bool, given: Given, state: State) -> None:
    """Put the pods that wait where there is room: that is nobody's to give away."""
    for pod in by_size:
        if state.node[pod] < 0:
            to = apart(pod, given, state)
            if to >= 0:
                move(pod, to, given, state)
                receives[to] = True


@compiled
def _next(tried: Bool, load: Float64) -> int:
    """The node with the least to move that was not tried yet, or -1."""
    best = -1
    for at in range(len(load)):
        if not tried[at] and (best < 0 or load[at] < load[best]):
            best = at
    return best


@compiled
def pack(
    candidate: Bool, worth: Float64, least: int, given: Given, state: State, answer: Answer
) -> tuple[int, int]:
    """Empty nodes while one can be; gives how many, and how many pods were moved."""
    n = len(worth)
    receives = np.zeros(n, np.bool_)
    tried = ~candidate
    answer.blocker[tried] = _NOT_ASKED
    by_size = np.argsort(-given.size, kind="mergesort")
    start, own = _of_nodes(state.node, by_size, n)
    load = np.zeros(n)
    for pod in own:
        if given.fate[pod] != _LEAVES:
            load[state.node[pod]] += given.size[pod] / worth[state.node[pod]]
    sort(given, state)
    _place(by_size, receives, given, state)
    sort(given, state)
    count, moves = 0, 0
    left = int(state.open.sum())
    at = _next(tried, load)
    while at >= 0:
        tried[at] = True
        mine = own[start[at] : start[at + 1]]
        last = state.open[at] and left <= least
        if not _stays(at, mine, receives, last, given, answer):
            before = moves
            moves = _leave(at, mine, count, moves, given, state, answer)
            if answer.blocker[at] == 0:
                receives[answer.target[before:moves]] = True
                left -= int(state.open[at])
                state.open[at] = False
                answer.drained[count] = at
                count += 1
                sort(given, state)
        at = _next(tried, load)
    return count, moves


@compiled
def survives(asked: Bool, given: Given, state: State) -> Bool:
    """Of which nodes the pods find room on the others that are open, if one fails alone.

    Pods without a controller, and those whose data lie on the node, do not come back anyhow; and
    replicas may be together then.
    """
    n = len(asked)
    told = np.ones(n, np.bool_)
    start, own = _of_nodes(state.node, np.argsort(-given.size, kind="mergesort"), n)
    sort(given, state)
    # The emptiest first: what matters here is to find a place soon.
    state.order[:] = state.order[::-1].copy()
    for at in range(n):
        if not asked[at]:
            continue
        begin = start[at]
        for place in range(begin, start[at + 1]):
            pod = own[place]
            if given.fate[pod] == _LEAVES or given.fate[pod] == _BARE or given.fate[pod] == _LOCAL:
                continue
            to = target(pod, FREE, FREE, given, state)
            if to < 0:
                told[at] = False
                break
            move(pod, to, given, state)
        for place in range(begin, start[at + 1]):
            if state.node[own[place]] != at:
                move(own[place], at, given, state)
    return told
