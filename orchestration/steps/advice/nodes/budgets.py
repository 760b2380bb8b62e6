"""Which pods a disruption budget is about. Metrics do not say it, so it is inferred.

A budget is named after its workload, as a rule; else it may expect as many pods as one workload
has; else it may be about any pod of its namespace that no other budget is about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_AFFIXES = re.compile(r"^(pdb|poddisruptionbudget|budget)-|-(pdb|poddisruptionbudget|budget)$")

Workload = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget.

    Attributes:
        namespace, name: of it.
        allowed: evictions that it allows now.
        expected: pods that it is about; None = not told.
    """

    namespace: str
    name: str
    allowed: int
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Covered:
    """Which budgets are about what.

    Attributes:
        of: the strictest budget of each workload that one is about, or may be about.
        guessed: budgets that may be about any pod of their namespace.
    """

    of: Mapping[Workload, Budget]
    guessed: tuple[Budget, ...]


def cover(budgets: list[Budget], pods: Mapping[Workload, int]) -> Covered:
    """Which workloads the budgets are about.

    >>> pods = {("shop", "cart"): 3, ("shop", "web"): 2, ("shop", "db"): 5}
    >>> told = cover([Budget("shop", "cart-pdb", 0), Budget("shop", "x", 0, expected=5)], pods)
    >>> sorted(name for _, name in told.of), told.guessed
    (['cart', 'db'], ())

    Args:
        budgets: of one cluster.
        pods: how many pods each workload has.
    """
    found: dict[Workload, Budget] = {}
    left = []
    for budget in budgets:
        own = (budget.namespace, _AFFIXES.sub("", budget.name))
        if own in pods and budget.expected in (None, pods[own]):
            _add(found, own, budget)
        else:
            left.append(budget)
    guessed = []
    for budget in left:
        same = [
            one
            for one, count in pods.items()
            if one[0] == budget.namespace and one not in found and count == budget.expected
        ]
        if len(same) == 1:
            _add(found, same[0], budget)
        else:
            guessed.append(budget)
    certain = set(found)
    for budget in guessed:
        for one in pods:
            if one[0] == budget.namespace and one not in certain:
                _add(found, one, budget)
    return Covered(found, tuple(guessed))


def _add(found: dict[Workload, Budget], workload: Workload, budget: Budget) -> None:
    known = found.get(workload)
    if known is None or budget.allowed < known.allowed:
        found[workload] = budget
