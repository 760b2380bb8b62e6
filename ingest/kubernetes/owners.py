"""Who owns whom: from a pod up to the workload that people know."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.kubernetes.objects import items, mapping
from ingest.kubernetes.server import Json

MAX_DEPTH = 8
"""CronJob, Job, Pod are three; operators add a few. Beyond it owners own each other."""

HASH_LABEL = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Owner:
    """A controller, as its dependents name it."""

    kind: str
    name: str
    uid: str


def owner_of(raw: Json) -> Owner | None:
    """The controller of an object; of several owners the one that says it controls.

    >>> refs = [{"kind": "ReplicaSet", "name": "cart-7d4", "uid": "r", "controller": True}]
    >>> owner_of({"metadata": {"ownerReferences": refs}})
    Owner(kind='ReplicaSet', name='cart-7d4', uid='r')
    """
    references = items(mapping(raw.get("metadata")).get("ownerReferences"))
    one = next((one for one in references if one.get("controller")), None)
    if one is None:
        return None
    return Owner(str(one.get("kind")), str(one.get("name")), str(one.get("uid")))


class Owners:
    """The owners of all objects of a snapshot, by uid."""

    def __init__(self) -> None:
        self._above: dict[str, Owner] = {}

    def note(self, raw: Json) -> None:
        """Remember whose an object is."""
        owner = owner_of(raw)
        if owner is not None:
            self._above[str(mapping(raw.get("metadata")).get("uid"))] = owner

    def top(self, owner: Owner, labels: Mapping[str, str] | None = None) -> Owner:
        """The controller at the top, above `owner` or itself.

        Args:
            owner: where to begin.
            labels: the pod's. A Deployment names its ReplicaSets after itself and the hash in
                them, which tells it where ReplicaSets may not be listed.
        """
        for _ in range(MAX_DEPTH):
            above = self._above.get(owner.uid)
            if above is None:
                break
            owner = above
        suffix = f"-{(labels or {}).get(HASH_LABEL)}"
        if owner.kind == "ReplicaSet" and owner.name.endswith(suffix):
            return Owner("Deployment", owner.name.removesuffix(suffix), "")
        return owner
