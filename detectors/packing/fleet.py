"""One cluster as arrays: nodes with what they hold, pods with what they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]

NOT_PLACED = -1
"""The node of a pod that waits for one."""

UNKNOWN = -1
"""The zone of a node of which none is known."""


class Fate(IntEnum):
    """What becomes of a pod when its node is emptied; `Blocker` has those that stand in the way."""

    MOVES = 0
    LEAVES = 1
    """It goes with the node: of a DaemonSet, or a static pod."""
    BARE = 2
    LOCAL = 3
    BUDGET = 4


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """The nodes of one cluster; rows are nodes, columns of two-dimensional arrays resources.

    Attributes:
        allocatable: float64[n, r], of each resource in its own unit.
        open: bool[n], whether new pods may come.
        candidate: bool[n], whether it may be emptied.
        zone: int64[n], number of the failure domain, `UNKNOWN` = none known.
        worth: float64[n], what is saved without it, more is better: its price, or its size.
    """

    allocatable: Float64
    open: Bool
    candidate: Bool
    zone: Int64
    worth: Float64

    def __post_init__(self) -> None:
        shape = self.allocatable.shape
        if len(shape) != 2:
            raise InvalidParameterError("allocatable", shape, "must be a row a node")
        for name in ("open", "candidate", "zone", "worth"):
            if getattr(self, name).shape != shape[:1]:
                raise InvalidParameterError(
                    name, getattr(self, name).shape, f"must be one a node, of which are {shape[0]}"
                )
        if not (np.isfinite(self.allocatable).all() and (self.allocatable >= 0.0).all()):
            raise InvalidParameterError(
                "allocatable", float(self.allocatable.min(initial=0.0)), "must be known and >= 0"
            )
        if not (self.worth > 0.0).all():
            raise InvalidParameterError("worth", float(self.worth.min()), "must be above 0")


@dataclass(frozen=True, slots=True, eq=False)
class Pods:
    """The pods of one cluster; rows are pods.

    Attributes:
        request: float64[p, r], of each resource; the number of pods is a resource, too.
        node: int64[p], where each runs, `NOT_PLACED` = it waits.
        fate: int8[p], of `Fate`.
        rules: int64[p], its row of `admits`.
        admits: bool[k, n], which nodes take pods of which rules.
        group: int64[p], the workload whose replicas it is one of, from 0 on.
        bound: bool[p], whether it must stay in its zone, as a pod with a zonal volume.
    """

    request: Float64
    node: Int64
    fate: Int8
    rules: Int64
    admits: Bool
    group: Int64
    bound: Bool

    def check(self, nodes: Nodes) -> None:
        """Whether they can be pods of these nodes.

        Raises:
            InvalidParameterError: shapes do not agree, a number is of nothing, a request is
                negative or unknown, or a pod that waits has another fate than to move.
        """
        count, resources = nodes.allocatable.shape
        n = len(self.node)
        if self.request.shape != (n, resources):
            raise InvalidParameterError("request", self.request.shape, f"must be {(n, resources)}")
        for name in ("fate", "rules", "group", "bound"):
            if getattr(self, name).shape != (n,):
                raise InvalidParameterError(name, getattr(self, name).shape, f"must be {(n,)}")
        if self.admits.shape[1:] != (count,):
            raise InvalidParameterError("admits", self.admits.shape, f"must have {count} columns")
        if not (np.isfinite(self.request).all() and (self.request >= 0.0).all()):
            raise InvalidParameterError("request", "a part of it", "must be known and >= 0")
        for name, numbers, least, most in (
            ("node", self.node, NOT_PLACED, count),
            ("rules", self.rules, 0, len(self.admits)),
            ("group", self.group, 0, np.inf),
        ):
            if n and not (numbers.min() >= least and numbers.max() < most):
                raise InvalidParameterError(
                    name, int(numbers.max()), f"must be in [{least}, {most})"
                )
        if (self.fate[self.node == NOT_PLACED] != Fate.MOVES).any():
            raise InvalidParameterError("fate", "of a pod that waits", "must be MOVES")
