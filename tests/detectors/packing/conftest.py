"""Clusters by hand and by chance, and a judge of plans that shares nothing with the planner."""

import numpy as np
import pytest

from detectors.packing import NOT_PLACED, Fate, Nodes, Pods

CPU, MEMORY, COUNT, GPU = range(4)
ALMOST = 1e-6


def _nodes(allocatable, open_=None, candidate=None, zone=None, worth=None):
    """Nodes, all open and candidates of one zone, if nothing else is said."""
    allocatable = np.asarray(allocatable, float)
    n = len(allocatable)
    return Nodes(
        allocatable,
        np.ones(n, bool) if open_ is None else np.asarray(open_, bool),
        np.ones(n, bool) if candidate is None else np.asarray(candidate, bool),
        np.zeros(n, int) if zone is None else np.asarray(zone, int),
        np.ones(n) if worth is None else np.asarray(worth, float),
    )


def _pods(request, node, nodes, fate=None, rules=None, admits=None, group=None, bound=None):
    """Pods that may go anywhere, each the only one of its workload, if nothing else is said."""
    request = np.asarray(request, float)
    p, n = len(request), len(nodes.open)
    return Pods(
        request.reshape(p, nodes.allocatable.shape[1]),
        np.asarray(node, int),
        np.zeros(p, np.int8) if fate is None else np.asarray(fate, np.int8),
        np.zeros(p, int) if rules is None else np.asarray(rules, int),
        np.ones((1, n), bool) if admits is None else np.asarray(admits, bool),
        np.arange(p) if group is None else np.asarray(group, int),
        np.zeros(p, bool) if bound is None else np.asarray(bound, bool),
    )


@pytest.fixture(scope="session")
def cluster():
    """Nodes and pods by hand."""

    def make(allocatable, request, node, of_nodes=None, **of_pods):
        nodes = _nodes(allocatable, **(of_nodes or {}))
        return nodes, _pods(request, node, nodes, **of_pods)

    return make


def _by_chance(seed):
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(1, 14)), int(rng.integers(0, 90))
    allocatable = rng.choice([[4.0, 16.0, 12.0, 0.0], [8.0, 32.0, 25.0, 0.0]], n)
    allocatable[rng.random(n) < 0.2, GPU] = 4.0
    nodes = Nodes(
        allocatable,
        rng.random(n) < 0.9,
        rng.random(n) < 0.9,
        rng.integers(-1, 3, n),
        rng.uniform(0.5, 2.0, n),
    )
    group = rng.integers(0, max(p // 3, 1), p)
    fate = rng.choice([0] * 90 + [Fate.LEAVES] * 10 + [Fate.BARE, Fate.LOCAL, Fate.BUDGET], p)
    node = rng.integers(0, n, p)
    fate = fate.astype(np.int8)
    node[(fate == Fate.MOVES) & (rng.random(p) < 0.05)] = NOT_PLACED
    request = np.stack(
        [rng.gamma(1.0, 0.4, p), rng.gamma(1.0, 1.5, p), np.ones(p), rng.random(p) < 0.03], 1
    )
    admits = rng.random((3, n)) < 0.8
    admits[0] = True
    pods = Pods(
        request, node, fate, rng.choice([0, 0, 0, 1, 2], p), admits, group, rng.random(p) < 0.1
    )
    return nodes, pods


@pytest.fixture(scope="session")
def by_chance():
    """Clusters with everything that may be in the way, a seed each."""
    return _by_chance


def _count(pods, node, group, place_of, place):
    return sum(
        1
        for pod in range(len(node))
        if pods.group[pod] == group and node[pod] >= 0 and place_of(node[pod]) == place
    )


class Judge:
    """Carries a plan out, node by node and pod by pod, and says of each step what is wrong."""

    def __init__(self, nodes, pods, rules):
        self._nodes, self._pods, self._rules = nodes, pods, rules
        self.wrong = []

    def __call__(self, plan):
        node = [int(one) for one in self._pods.node]
        waiting = [pod for pod in range(len(node)) if node[pod] == NOT_PLACED]
        for pod, to in zip(waiting, plan.waiting.tolist(), strict=True):
            if to != NOT_PLACED:
                self._arrives(pod, to, node, "placed")
        for step, gone in enumerate(plan.drained.tolist()):
            self._empties(gone, step, plan, node)
        self._ends(plan, node)
        return self.wrong

    def _empties(self, gone, step, plan, node):
        fate = self._pods.fate
        moves = {
            int(pod): int(to)
            for pod, to, when in zip(plan.pod, plan.target, plan.step, strict=True)
            if when == step
        }
        if not self._nodes.candidate[gone]:
            self.wrong.append(f"node {gone} is no candidate")
        there = [pod for pod, at in enumerate(node) if at == gone]
        stay = [pod for pod in there if fate[pod] not in (Fate.LEAVES, Fate.MOVES)]
        self.wrong += [f"pod {pod} stands in the way of emptying {gone}" for pod in stay]
        for pod, to in moves.items():
            if node[pod] != gone:
                self.wrong.append(f"pod {pod} is not on {gone}")
            if to in plan.drained:
                self.wrong.append(f"pod {pod} goes to {to}, which is emptied")
            self._arrives(pod, to, node, "moved")
        for pod in there:
            if fate[pod] == Fate.LEAVES:
                node[pod] = NOT_PLACED
        self.wrong += [f"pod {pod} is left on {gone}" for pod in there if node[pod] == gone]

    def _ends(self, plan, node):
        drained, n = plan.drained.tolist(), len(self._nodes.open)
        for at in range(n):
            there = [pod for pod in range(len(node)) if node[pod] == at]
            if np.abs(self._pods.request[there].sum(0) - plan.used_after[at]).max() > ALMOST:
                self.wrong.append(f"node {at} holds something else than said")
            if (plan.blocker[at] == 0) != (at in drained):
                self.wrong.append(f"node {at}: blocker {plan.blocker[at]}")
        left = [at for at in range(n) if at not in drained and self._nodes.open[at]]
        if drained and not left:
            self.wrong.append("no node is left")

    def _arrives(self, pod, to, node, how):
        nodes, pods = self._nodes, self._pods
        home = node[pod]
        group = pods.group[pod]
        node[pod] = to
        there = [one for one in range(len(node)) if node[one] == to]
        room = nodes.allocatable[to] * (1.0 - np.array(self._rules.headroom))
        if (pods.request[there].sum(0) > room + ALMOST).any():
            self.wrong.append(f"pod {pod} {how}: no room on {to}")
        if not nodes.open[to] or not pods.admits[pods.rules[pod], to]:
            self.wrong.append(f"pod {pod} {how}: {to} does not take it")
        zone = nodes.zone
        if home >= 0 and pods.bound[pod] and zone[home] >= 0 and zone[to] != zone[home]:
            self.wrong.append(f"pod {pod} {how}: leaves its zone")
        was = [int(one) for one in pods.node]
        ats = {at for at in was if at >= 0}
        most = max([_count(pods, was, group, lambda at: at, at) for at in ats] + [1])
        if _count(pods, node, group, lambda at: at, to) > most:
            self.wrong.append(f"pod {pod} {how}: too many siblings on {to}")
        zones = {zone[at] for at in ats if zone[at] >= 0}
        most = max([_count(pods, was, group, lambda at: zone[at], one) for one in zones] + [1])
        if zone[to] >= 0 and _count(pods, node, group, lambda at: zone[at], zone[to]) > most:
            self.wrong.append(f"pod {pod} {how}: too many siblings in the zone of {to}")


@pytest.fixture(scope="session")
def judge():
    """What is wrong with a plan; nothing, if all is well."""
    return Judge
