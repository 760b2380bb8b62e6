"""Which nodes take which pods: taints and tolerations, node selectors, pools.

What is not told about a pod is taken from where it runs: it bears the taints of its node, and the
nodes that its siblings run on are the kind of node that it may run on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_KEEPS_AWAY = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True, slots=True, order=True)
class Taint:
    """What keeps pods from a node."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True, order=True)
class Toleration:
    """What a pod bears: with `Exists` an empty key stands for all keys, an empty effect for all."""

    key: str
    operator: str
    value: str
    effect: str

    def bears(self, taint: Taint) -> bool:
        """Whether this alone makes up for the taint."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.operator == "Exists":
            return self.key in ("", taint.key)
        return self.key == taint.key and self.value == taint.value


@dataclass(frozen=True, slots=True)
class PodRules:
    """What is known of where pods of some kind may run.

    Attributes:
        tolerations: None = not told: then only what is in `borne`.
        borne: the taints of the node that it runs on.
        selector: labels that a node must have; None = not told.
        pools: kinds of nodes that it may run on, None = any.
    """

    tolerations: frozenset[Toleration] | None = frozenset()
    borne: frozenset[Taint] = frozenset()
    selector: frozenset[tuple[str, str]] | None = frozenset()
    pools: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class NodeTraits:
    """What is known of nodes of some kind: taints, labels, and the name of their pool."""

    taints: frozenset[Taint] = frozenset()
    labels: Mapping[str, str] | None = None
    pool: str = ""


def tolerated(taints: frozenset[Taint], rules: PodRules) -> bool:
    """Whether a pod may be put on a node with these taints.

    >>> gpu = Taint("nvidia.com/gpu", "", "NoSchedule")
    >>> tolerated(frozenset({gpu}), PodRules())
    False
    >>> bears = Toleration("nvidia.com/gpu", "Exists", "", "")
    >>> tolerated(frozenset({gpu}), PodRules(tolerations=frozenset({bears})))
    True
    >>> tolerated(frozenset({gpu}), PodRules(tolerations=None, borne=frozenset({gpu})))
    True
    """
    for taint in taints:
        if taint.effect not in _KEEPS_AWAY:
            continue
        if rules.tolerations is None:
            if taint not in rules.borne:
                return False
        elif not any(one.bears(taint) for one in rules.tolerations):
            return False
    return True


def admitted(pods: Sequence[PodRules], nodes: Sequence[NodeTraits]) -> npt.NDArray[np.bool_]:
    """Which kinds of nodes take which kinds of pods, `[pods, nodes]`.

    Kinds, not single ones: a cluster has few of them, however large it is.
    """
    told = np.zeros((len(pods), len(nodes)), dtype=np.bool_)
    for row, rules in enumerate(pods):
        for column, node in enumerate(nodes):
            told[row, column] = _takes(node, rules)
    return told


def _takes(node: NodeTraits, rules: PodRules) -> bool:
    labels = node.labels or {}
    if rules.selector and any(labels.get(name) != value for name, value in rules.selector):
        return False
    if rules.pools is not None and node.pool not in rules.pools:
        return False
    return tolerated(node.taints, rules)
