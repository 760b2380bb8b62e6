"""All objects of a cluster as they are now."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ingest.errors import ApiServerError
from ingest.kubernetes.kinds import CONFIG_MAP, KINDS, Kind, is_lock
from ingest.kubernetes.listing import pages
from ingest.kubernetes.objects import ClusterObject, kept_labels, mapping
from ingest.kubernetes.owners import Owner, Owners, owner_of
from ingest.kubernetes.server import ApiServer, Json
from ingest.kubernetes.settings import KubernetesSource

NOT_FOUND, FORBIDDEN = 404, 403

TOPMOST = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"})
"""Kinds that are a workload themselves, where nobody owns them."""


@dataclass
class Collection:
    """What was found.

    Attributes:
        objects: by uid.
        read: parts that were listed, whole: a kind, of all namespaces or of one (see `part`).
        unread: parts that could not be listed: nothing is known of them, also not that they went.
        refusals: those of them that we may not list, with what the server said.
    """

    objects: dict[str, ClusterObject] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    refusals: dict[str, ApiServerError] = field(default_factory=dict)


def part(kind: str, namespace: str | None = None) -> str:
    """Name of what one list holds.

    >>> part("Node"), part("Pod", "shop")
    ('Node', 'Pod/shop')
    """
    return kind if namespace is None else f"{kind}/{namespace}"


Draft = tuple[ClusterObject, Owner | None, Mapping[str, str]]
"""An object whose workload is not known yet; its controller; its labels, all of them."""


def collect(server: ApiServer, source: KubernetesSource) -> Collection:
    """List every kind, one after the other: kinds are seconds apart, each by itself is of a moment.

    Raises:
        SourceError: the server does not answer, or not rightly; a refusal (403) or a kind that it
            does not have (404) leaves only that kind out, in that namespace.
    """
    found, owners, drafts = Collection(), Owners(), []
    for kind in KINDS:
        if kind is CONFIG_MAP and not source.config_maps:
            continue
        if source.namespaces and not kind.namespaced:
            continue
        for namespace in source.namespaces or (None,):
            name = part(kind.name, namespace)
            try:
                drafts += _drafts(server, source, kind, namespace, owners)
            except ApiServerError as error:
                if error.status not in (NOT_FOUND, FORBIDDEN):
                    raise
                found.unread.add(name)
                if error.status == FORBIDDEN:
                    found.refusals[name] = error
            else:
                found.read.add(name)
    for draft in drafts:
        one = _settled(draft, owners)
        found.objects[one.uid] = one
    return found


def _drafts(
    server: ApiServer, source: KubernetesSource, kind: Kind, namespace: str | None, owners: Owners
) -> list[Draft]:
    ignored = re.compile(source.ignore_config_maps)
    found: list[Draft] = []
    for page in pages(server, kind.path(namespace), source.page_size, accept=kind.accept):
        if page.first:
            found = []
        for raw in page.items:
            owners.note(raw)
            if kind.state is None or (kind is CONFIG_MAP and _is_noise(raw, ignored)):
                continue
            draft = _draft(kind, raw)
            if draft is not None:
                found.append(draft)
    return found


def _is_noise(raw: Json, ignored: re.Pattern[str]) -> bool:
    name = str(mapping(raw.get("metadata")).get("name"))
    return is_lock(raw) or ignored.fullmatch(name) is not None


def _draft(kind: Kind, raw: Json) -> Draft | None:
    metadata, spec = mapping(raw.get("metadata")), mapping(raw.get("spec"))
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if kind.state is None or not name:
        return None
    owner = owner_of(raw)
    node = name if kind.name == "Node" else spec.get("nodeName")
    one = ClusterObject(
        kind=kind.name,
        namespace=str(namespace) if namespace else None,
        name=str(name),
        uid=str(metadata.get("uid") or f"{kind.name}/{namespace}/{name}"),
        version=str(metadata.get("resourceVersion") or ""),
        created=metadata.get("creationTimestamp"),
        owner=None if owner is None else (owner.kind, owner.name),
        node=str(node) if node else None,
        labels=kept_labels(metadata.get("labels")),
        state=kind.state(raw),
    )
    return one, owner, mapping(metadata.get("labels"))


def _settled(draft: Draft, owners: Owners) -> ClusterObject:
    """The object with its workload: at the top of its owners, itself, or what it scales."""
    one, owner, labels = draft
    workload: tuple[str, str] | None = None
    target = mapping(one.state.get("target")) if one.kind == "HorizontalPodAutoscaler" else {}
    if owner is not None:
        top = owners.top(owner, labels)
        workload = (top.kind, top.name)
    elif one.kind in TOPMOST:
        workload = (one.kind, one.name)
    elif target.get("name"):
        workload = (str(target.get("kind")), str(target["name"]))
    return replace(one, workload=workload)
