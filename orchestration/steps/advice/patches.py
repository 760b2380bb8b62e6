"""Advice on sizes as strategic-merge patches, one a workload, as `kubectl patch` takes them.

Of a custom resource kubectl has no strategic merge, and a plain one would replace the whole list of
containers: beside the document stands a command that changes single places, or nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

import yaml

from orchestration.steps.advice.rightsizing.adviser import HPA, HPA_TARGET, SIDECAR
from orchestration.steps.advice.rightsizing.quantities import cpu_quantity, memory_quantity

Row = Mapping[str, Any]

API_VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "ReplicationController": "v1",
    "CronJob": "batch/v1",
    "Rollout": "argoproj.io/v1alpha1",
}
"""Kinds whose pods are made of a template that may be changed (of a Job it may not)."""

CUSTOM = {"Rollout": "rollouts.argoproj.io"}
"""Kinds that are custom resources, to their full names."""

REPLACES_NO_POD = ("ReplicaSet", "ReplicationController")
"""Kinds that make new pods only where one is missing."""

UNKNOWN = (
    "its kind is unknown: collect `kube_pod_owner`, `kube_replicaset_owner` and `kube_job_owner`"
)

QUANTITIES = {
    "cpu_request_cores": ("requests", "cpu", cpu_quantity),
    "cpu_limit_cores": ("limits", "cpu", cpu_quantity),
    "memory_request_bytes": ("requests", "memory", memory_quantity),
    "memory_limit_bytes": ("limits", "memory", memory_quantity),
}
"""Figures of an advice that go into a patch: where, and how they are written."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One workload's patch.

    Attributes:
        cluster: of which.
        why: titles of the advice in it.
        body: the patch.
    """

    cluster: str
    why: Sequence[str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Patches:
    """Patches, and the advice that cannot be written as one.

    Attributes:
        patches: by cluster, namespace and workload; an autoscaler's after its workload's.
        left_out: title and why, of advice on sizes that is in none.
    """

    patches: Sequence[Patch]
    left_out: Sequence[tuple[str, str]]


def patches(rows: Iterable[Row]) -> Patches:
    """A patch for each workload of which sizes are advised; other advice is passed over.

    Args:
        rows: advice, parsed.
    """
    found: dict[tuple[str, str, str, str], list[Row]] = {}
    left_out = []
    for row in rows:
        if row["abstained"] or not row["proposed"].keys() & QUANTITIES.keys():
            continue
        kind = row["workload_kind"]
        if kind not in API_VERSIONS:
            left_out.append((row["title"], _not_known(kind)))
            continue
        key = (row["cluster"], row["namespace"], kind, row["workload"])
        found.setdefault(key, []).append(row)
    written = []
    for key, own in sorted(found.items()):
        written.append(_patch(*key, own))
        scaled = [row for row in own if row["proposed"].get(HPA_TARGET) is not None]
        # Each has the target for all containers of the pod: that which was worked out last holds.
        for row in sorted(scaled, key=lambda row: row["made_at"])[-1:]:
            if HPA in row["proposed"]:
                written.append(_autoscaler(row))
            else:
                left_out.append((row["title"], _by_hand(row)))
    return Patches(written, left_out)


def _not_known(kind: str | None) -> str:
    if kind is None:
        return UNKNOWN
    if kind == "Job":
        return "the template of a Job cannot be changed"
    return f"how the template of a {kind} is changed is not known"


def _patch(cluster: str, namespace: str, kind: str, workload: str, rows: Sequence[Row]) -> Patch:
    # Advice that was accepted says how things were then: in two lists, a container is a new one.
    newest = {row["container"]: row for row in sorted(rows, key=lambda row: row["made_at"])}
    lists: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    for row in rows:
        is_sidecar = newest[row["container"]]["current"].get(SIDECAR)
        among = "initContainers" if is_sidecar else "containers"
        own = lists.setdefault(among, {}).setdefault(row["container"], {})
        for name, (part, resource, written) in QUANTITIES.items():
            value = row["proposed"].get(name)
            if value is not None:
                own.setdefault(part, {})[resource] = written(value)
    template = {
        "spec": {
            among: [
                {"name": name, "resources": dict(sorted(own.items(), reverse=True))}
                for name, own in sorted(containers.items())
            ]
            for among, containers in sorted(lists.items())
        }
    }
    spec: dict[str, Any] = {"template": template}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    body = {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": workload, "namespace": namespace},
        "spec": spec,
    }
    return Patch(cluster, [row["title"] for row in rows], body)


def _hints(body: Mapping[str, Any]) -> list[str]:
    """How it is applied, and what has to be known for that."""
    kind, of = body["kind"], body["metadata"]
    where = f"kubectl patch -n {quote(of['namespace'])}"
    if kind in CUSTOM:
        places = json.dumps(_single_places(body["spec"]["template"]["spec"]))
        return [
            f"a {kind} is a custom resource: kubectl merges no containers of it by name, and "
            "--type merge would replace all of them",
            "where its containers stand in another order than here, or have no resources yet, this "
            "is refused; where it has a workloadRef, the template is that workload's",
            f"{where} {CUSTOM[kind]} {quote(of['name'])} --type json -p {quote(places)}",
        ]
    hints = [f"{where} {kind.lower()} {quote(of['name'])} --patch-file FILE"]
    if kind in REPLACES_NO_POD:
        hints.insert(0, f"a {kind} leaves its pods as they are: new ones are made so")
    return hints


def _single_places(pod: Mapping[str, Any]) -> list[dict[str, str]]:
    """The same as JSON patch: of each container first a test that it is the one."""
    steps = []
    placed = [(among, *one) for among, containers in pod.items() for one in enumerate(containers)]
    for among, place, one in placed:
        path = f"/spec/template/spec/{among}/{place}"
        steps.append({"op": "test", "path": f"{path}/name", "value": one["name"]})
        steps += [
            {"op": "add", "path": f"{path}/resources/{part}/{resource}", "value": value}
            for part, amounts in one["resources"].items()
            for resource, value in amounts.items()
        ]
    return steps


def _autoscaler(row: Row) -> Patch:
    """The target that keeps what a pod uses, with the requests that are proposed."""
    target = {"type": "Utilization", "averageUtilization": round(row["proposed"][HPA_TARGET])}
    body = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": row["proposed"][HPA], "namespace": row["namespace"]},
        # A list that is replaced as a whole: it scales by this alone.
        "spec": {
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
    why = f"together with the patch of {row['workload']}, whose requests its target is of"
    kind = "not where its metric is of type ContainerResource, which nothing tells"
    return Patch(row["cluster"], [why, kind], body)


def _by_hand(row: Row) -> str:
    return (
        f"its autoscaler scales by more than this: set its target of CPU to "
        f"{row['proposed'][HPA_TARGET]:g} % by hand, together with the requests"
    )


def as_yaml(found: Patches) -> str:
    """All of them as YAML documents, with a comment each: its cluster, why, and how to apply it."""
    parts = []
    for patch in found.patches:
        lines = [f"cluster {patch.cluster}", *patch.why, *_hints(patch.body)]
        comments = "".join(f"# {_one_line(line)}\n" for line in lines)
        parts.append(comments + yaml.safe_dump(dict(patch.body), sort_keys=False))
    parts += [f"# left out: {_one_line(f'{title} ({why})')}\n" for title, why in found.left_out]
    return "---\n".join(parts)


def _one_line(text: str) -> str:
    """Names are a stranger's: none may end the comment that it is in."""
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))
