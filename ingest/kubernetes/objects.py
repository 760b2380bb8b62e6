"""An object of a cluster as we keep it: who it is, whose it is, and what of it matters."""

import re
from dataclasses import dataclass, field
from typing import Any

from ingest.kubernetes.server import Json

KEPT_LABELS = re.compile(
    r"app|version|app\.kubernetes\.io/.+|topology\.kubernetes\.io/.+|kubernetes\.io/(arch|os)"
    r"|node\.kubernetes\.io/instance-type|node-role\.kubernetes\.io/.+|karpenter\.sh/.+"
    r"|eks\.amazonaws\.com/(nodegroup|capacityType)|cloud\.google\.com/gke-.+"
    r"|kubernetes\.azure\.com/(agentpool|scalesetpriority)"
)
"""Labels that say what a thing is and where it stands. Others are many and change for no reason."""


@dataclass(frozen=True, slots=True)
class ClusterObject:
    """One object at one moment.

    Attributes:
        kind: as the API writes it, `Deployment`.
        namespace: None for what belongs to the whole cluster.
        name: its name.
        uid: its identity: one that is made again under the same name is another object.
        version: the API's `resourceVersion`; opaque, moves with every write.
        created: when, as the API writes it.
        owner: kind and name of its controller.
        workload: kind and name of the controller at the top: a pod's Deployment, not its
            ReplicaSet.
        node: where it runs.
        labels: those that are kept.
        state: the rest that matters, plain JSON; two of the same state are the same.
    """

    kind: str
    namespace: str | None
    name: str
    uid: str
    version: str = ""
    created: str | None = None
    owner: tuple[str, str] | None = None
    workload: tuple[str, str] | None = None
    node: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    state: Json = field(default_factory=dict)

    def same(self, other: "ClusterObject") -> bool:
        """Whether nothing that matters differs: versions also move for what does not."""
        return (
            (self.owner, self.workload, self.node) == (other.owner, other.workload, other.node)
            and self.labels == other.labels
            and self.state == other.state
        )

    def to_json(self) -> Json:
        """For a file; `from_json` gives the same object."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, found: Json) -> "ClusterObject":
        """What `to_json` gave, after a file."""
        pairs = {
            name: None if found[name] is None else tuple(found[name])
            for name in ("owner", "workload")
        }
        return cls(**{**found, **pairs})


def mapping(value: object) -> dict[str, Any]:
    """The value where it is an object, else an empty one: the API writes null for absent.

    >>> mapping(None), mapping({"a": 1})
    ({}, {'a': 1})
    """
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[dict[str, Any]]:
    """The objects in the value where it is an array, else none.

    >>> items(None), items([{"a": 1}, 5])
    ([], [{'a': 1}])
    """
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def kept_labels(labels: object) -> dict[str, str]:
    """Those labels that are kept.

    >>> kept_labels({"app": "cart", "pod-template-hash": "7d4"})
    {'app': 'cart'}
    """
    return {
        name: str(value)
        for name, value in sorted(mapping(labels).items())
        if KEPT_LABELS.fullmatch(name)
    }
