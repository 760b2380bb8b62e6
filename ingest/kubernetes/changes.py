"""What differs between two moments of one object, as a person would write it down.

One line a change: `image of container app: v1.2.3 → v1.2.4`. Only what somebody or something
decided, and what went wrong: progress of a rollout, growth of a quota's use, pods that come and go
are in the table `objects`, and in the cluster's own Events.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ingest.kubernetes.objects import ClusterObject, mapping
from ingest.kubernetes.server import Json

SHORT = {
    "Node": "Node",
    "Deployment": "Deployment",
    "StatefulSet": "StatefulSet",
    "DaemonSet": "DaemonSet",
    "PersistentVolumeClaim": "Pvc",
    "HorizontalPodAutoscaler": "Hpa",
    "ResourceQuota": "Quota",
    "PodDisruptionBudget": "Pdb",
    "ConfigMap": "Config",
}
"""Kinds whose coming and going is a change, and how reasons name them. Pods and jobs come and go
all the time: their workload's change is the news."""

NONE = "none"
DIGEST = 12
"""Letters of a digest that people look at."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        reason: one word, as Kubernetes' own Events have it.
        message: what was and what is.
        subject: tells apart changes of one object by the same reason: the container.
        attributes: `before`, `after` and what else a query may want.
        warning: it went wrong; else somebody wanted it.
        at: when, as the API writes it, where it says so.
    """

    reason: str
    message: str
    subject: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    warning: bool = False
    at: str | None = None


def changes(before: ClusterObject | None, after: ClusterObject | None) -> list[Change]:
    """The changes from one moment of an object to the next; None = it is not there.

    >>> app = {"containers": {"app": {"image": "shop/cart:v1"}}, "revision": "3"}
    >>> old = ClusterObject("Deployment", "shop", "cart", "u", state=app)
    >>> app = {"containers": {"app": {"image": "shop/cart:v2"}}, "revision": "4"}
    >>> new = ClusterObject("Deployment", "shop", "cart", "u", state=app)
    >>> [change.message for change in changes(old, new)]
    ['image of container app: v1 → v2', 'revision 3 → 4']
    """
    if before is None or after is None:
        return list(_existence(before, after))
    find = _BY_KIND.get(after.kind)
    return [] if find is None else list(find(before.state, after.state))


def _existence(before: ClusterObject | None, after: ClusterObject | None) -> Iterator[Change]:
    one = after or before
    if one is None or one.kind not in SHORT:
        return
    what = "added" if after is not None else "removed"
    at = one.created if after is not None else None
    yield Change(SHORT[one.kind] + what.capitalize(), f"{one.kind} {one.name} {what}", at=at)


def _workload(old: Json, new: Json) -> Iterator[Change]:
    before, after = mapping(old.get("containers")), mapping(new.get("containers"))
    revision = {"revision": str(new["revision"])} if new.get("revision") is not None else {}
    for name in sorted(before.keys() | after.keys()):
        for change in _container(name, before.get(name), after.get(name)):
            change.attributes.update({"container": name} | revision)
            yield change
    if new.get("revision") != old.get("revision") and new.get("revision") is not None:
        yield _moved("RolloutStarted", "revision ", old.get("revision"), new["revision"])
    if "replicas" in new and new["replicas"] != old.get("replicas"):
        yield _moved("Scaled", "replicas: ", old.get("replicas"), new["replicas"])


def _container(name: str, old: Json | None, new: Json | None) -> Iterator[Change]:
    if old is None or new is None:
        image = str(mapping(old or new).get("image"))
        what = "removed" if new is None else "added"
        yield Change(
            f"Container{what.capitalize()}", f"container {name} {what} (image {image})", name
        )
        return
    if old.get("image") != new.get("image"):
        was, now = _images(str(old.get("image")), str(new.get("image")))
        yield Change(
            "ImageChanged",
            f"image of container {name}: {was} → {now}",
            name,
            {"before": str(old.get("image")), "after": str(new.get("image"))},
        )
    told = [
        text
        for key, word in (("requests", "request"), ("limits", "limit"))
        for text in _differences(mapping(old.get(key)), mapping(new.get(key)), word)
    ]
    if told:
        yield Change("ResourcesChanged", f"resources of container {name}: {', '.join(told)}", name)


def _pod(old: Json, new: Json) -> Iterator[Change]:
    before = mapping(old.get("containers"))
    for name, one in sorted(mapping(new.get("containers")).items()):
        was, now = mapping(before.get(name)).get("restarts") or 0, one.get("restarts") or 0
        if now <= was:
            continue
        death = mapping(one.get("last_death"))
        reason, code = death.get("reason") or "unknown reason", death.get("exit_code")
        yield Change(
            "ContainerRestarted",
            f"container {name} restarted ({reason}, exit code {code}): {was} → {now} restarts",
            name,
            {"before": str(was), "after": str(now), "container": name, "death": str(reason)},
            warning=True,
        )


def _node(old: Json, new: Json) -> Iterator[Change]:
    before, after = mapping(old.get("conditions")), mapping(new.get("conditions"))
    for name in sorted(before.keys() | after.keys()):
        was, now = mapping(before.get(name)), mapping(after.get(name))
        if was.get("status") == now.get("status"):
            continue
        # Ready should be true; every other condition of a node is a trouble.
        good = "True" if name == "Ready" else "False"
        yield Change(
            "NodeConditionChanged",
            f"condition {name}: {was.get('status') or NONE} → {now.get('status') or NONE}"
            f" ({now.get('reason') or 'no reason'})",
            name,
            {
                "condition": name,
                "before": str(was.get("status") or NONE),
                "after": str(now.get("status") or NONE),
            },
            warning=now.get("status") not in (good, None),
            at=now.get("since"),
        )
    if bool(old.get("unschedulable")) != bool(new.get("unschedulable")):
        cordoned = bool(new.get("unschedulable"))
        yield Change(
            "NodeCordoned" if cordoned else "NodeUncordoned",
            "no new pods may come here" if cordoned else "new pods may come here again",
        )
    if old.get("taints") != new.get("taints"):
        was_text, now_text = (", ".join(one.get("taints") or ()) or NONE for one in (old, new))
        yield _moved("TaintsChanged", "taints: ", was_text, now_text)
    if told := _differences(mapping(old.get("allocatable")), mapping(new.get("allocatable"))):
        yield Change("AllocatableChanged", f"allocatable: {', '.join(told)}")
    if old.get("kubelet") != new.get("kubelet"):
        yield _moved("NodeVersionChanged", "kubelet: ", old.get("kubelet"), new.get("kubelet"))


def _claim(old: Json, new: Json) -> Iterator[Change]:
    for name in ("request", "capacity"):
        if old.get(name) != new.get(name):
            yield _moved("PvcResized", f"{name}: ", old.get(name), new.get(name), subject=name)
    if old.get("phase") != new.get("phase"):
        yield _moved(
            "PvcPhaseChanged",
            "phase: ",
            old.get("phase"),
            new.get("phase"),
            warning=new.get("phase") == "Lost",
        )


def _autoscaler(old: Json, new: Json) -> Iterator[Change]:
    was, now = ({"min": one.get("min"), "max": one.get("max")} for one in (old, new))
    for found, one in ((was, old), (now, new)):
        for aim in one.get("metrics") or ():
            found |= aim
    if told := _differences(was, now):
        yield Change("HpaChanged", ", ".join(told))


def _quota(old: Json, new: Json) -> Iterator[Change]:
    if told := _differences(mapping(old.get("hard")), mapping(new.get("hard"))):
        yield Change("QuotaChanged", f"hard: {', '.join(told)}")


def _disruption_budget(old: Json, new: Json) -> Iterator[Change]:
    names = ("min_available", "max_unavailable")
    was, now = ({name: one.get(name) for name in names} for one in (old, new))
    if told := _differences(was, now):
        yield Change("PdbChanged", ", ".join(told))


def _config_map(old: Json, new: Json) -> Iterator[Change]:
    if old.get("version") != new.get("version"):
        yield Change("ConfigChanged", "contents changed")


_BY_KIND: dict[str, Callable[[Json, Json], Iterator[Change]]] = {
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Pod": _pod,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "HorizontalPodAutoscaler": _autoscaler,
    "ResourceQuota": _quota,
    "PodDisruptionBudget": _disruption_budget,
    "ConfigMap": _config_map,
}


def _moved(
    reason: str, what: str, was: object, now: object, subject: str = "", *, warning: bool = False
) -> Change:
    before, after = (NONE if one is None else str(one) for one in (was, now))
    return Change(
        reason,
        f"{what}{before} → {after}",
        subject,
        {"before": before, "after": after},
        warning=warning,
    )


def _differences(was: Json, now: Json, word: str = "") -> list[str]:
    """`cpu request 100m → 200m`, by name."""
    return [
        " ".join(
            part for part in (name, word, _text(was.get(name)), "→", _text(now.get(name))) if part
        )
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    ]


def _text(value: object) -> str:
    return NONE if value is None else str(value)


def _images(was: str, now: str) -> tuple[str, str]:
    """The parts of two images that people compare.

    >>> _images("ghcr.io:443/shop/cart:v1", "ghcr.io:443/shop/cart:v2")
    ('v1', 'v2')
    >>> _images("shop/cart:v1", "other/cart:v1")
    ('shop/cart:v1', 'other/cart:v1')
    >>> _images("cart@sha256:0123456789abcdef", "cart:v2")
    ('sha256:0123456789ab', 'v2')
    """
    (repository, old), (other, new) = _split(was), _split(now)
    return (old, new) if repository == other and old != new else (was, now)


def _split(image: str) -> tuple[str, str]:
    named, _, digest = image.partition("@")
    if digest:
        algorithm, _, value = digest.partition(":")
        repository, _ = _split(named)
        return repository, f"{algorithm}:{value[:DIGEST]}"
    repository, colon, tag = named.rpartition(":")
    if colon and "/" not in tag:
        return repository, tag
    return named, "latest"
