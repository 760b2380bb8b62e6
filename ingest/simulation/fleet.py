"""The fleet with names: nodes as each cloud calls them, pods placed on nodes, volumes of pods."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from ingest.simulation.catalogue import CLUSTERS, CPU_LIMITS, WORKLOADS, ClusterSpec, WorkloadSpec
from ingest.simulation.errors import UnknownNameError
from ingest.simulation.signals import stream

# Kubernetes' own alphabet for generated names: no vowels, no look-alikes.
_LETTERS = np.array(list("bcdfghjklmnpqrstvwxz2456789"))
_PRIVATE_NETWORK = {"aws": "10.42", "gcp": "10.128", "azure": "10.224"}


@dataclass(frozen=True)
class Node:
    """One machine; `address` is its private IP."""

    name: str
    address: str


@dataclass(frozen=True)
class Pod:
    """One pod of a workload.

    Attributes:
        name: Name of the pod.
        spec: The workload it belongs to.
        node: The node it runs on, from birth to death.
        template: The pod-template hash of its ReplicaSet; empty for a StatefulSet.
        born: When it started; None if before the history.
        died: When it was deleted; None if after the history.
    """

    name: str
    spec: WorkloadSpec
    node: Node
    template: str = ""
    born: datetime | None = None
    died: datetime | None = None


@dataclass(frozen=True)
class Cluster:
    """One cluster with everything placed; rollouts give a new one with more pods."""

    spec: ClusterSpec
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    workloads: tuple[WorkloadSpec, ...] = field(default=())

    @property
    def name(self) -> str:
        """Value of the `cluster` label."""
        return self.spec.name

    def workload(self, name: str) -> WorkloadSpec:
        """The workload of that name.

        Raises:
            UnknownNameError: This cluster does not run it.
        """
        for spec in self.workloads:
            if spec.name == name:
                return spec
        raise UnknownNameError("workload", f"{self.name}/{name}")

    def pods_of(self, workload: str) -> tuple[Pod, ...]:
        """All pods that a workload has over the history, in order of appearance."""
        return tuple(pod for pod in self.pods if pod.spec.name == workload)

    @property
    def meshed(self) -> tuple[WorkloadSpec, ...]:
        """The workloads whose requests the mesh counts."""
        return tuple(spec for spec in self.workloads if spec.requests)

    @property
    def volumes(self) -> tuple[Pod, ...]:
        """The pods with a volume; the claim is `data-<pod>`."""
        return tuple(pod for pod in self.pods if pod.spec.disk)


@dataclass(frozen=True)
class Fleet:
    """All clusters."""

    clusters: tuple[Cluster, ...]

    def cluster(self, name: str) -> Cluster:
        """The cluster of that name.

        Raises:
            UnknownNameError: There is none.
        """
        for cluster in self.clusters:
            if cluster.name == name:
                return cluster
        raise UnknownNameError("cluster", name)

    def with_cluster(self, changed: Cluster) -> Fleet:
        """The same fleet with one cluster replaced by its namesake."""
        return replace(
            self,
            clusters=tuple(changed if c.name == changed.name else c for c in self.clusters),
        )


def place(seed: int) -> Fleet:
    """Name every node and pod and spread the pods over the nodes, the same for the same seed."""
    return Fleet(tuple(_place_cluster(spec, stream(seed, "names", spec.name)) for spec in CLUSTERS))


def object_uid(cluster: str, kind: str, namespace: str, name: str) -> str:
    """The uid that a Kubernetes object of this identity has in every event about it."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{cluster}/{kind}/{namespace}/{name}"))


def letters(rng: np.random.Generator, count: int) -> str:
    """A random suffix as Kubernetes makes them."""
    return "".join(rng.choice(_LETTERS, count))


def _place_cluster(spec: ClusterSpec, rng: np.random.Generator) -> Cluster:
    nodes = name_nodes(spec, spec.nodes, rng)
    workloads = tuple(
        replace(w, cpu_limit=CPU_LIMITS.get((spec.name, w.name), w.cpu_limit))
        for w in WORKLOADS
        if spec.name in w.clusters
    )
    pods: list[Pod] = []
    for workload in workloads:
        template = letters(rng, 10) if workload.kind == "Deployment" else ""
        for ordinal in range(workload.replicas):
            suffix = f"{template}-{letters(rng, 5)}" if template else str(ordinal)
            # One after the other over the nodes: twins of a pod never share its node for long.
            node = nodes[len(pods) % len(nodes)]
            pods.append(Pod(f"{workload.name}-{suffix}", workload, node, template))
    return Cluster(spec, nodes, tuple(pods), workloads)


def name_nodes(spec: ClusterSpec, count: int, rng: np.random.Generator) -> tuple[Node, ...]:
    """Machines with names as the cluster's cloud gives them."""
    network = _PRIVATE_NETWORK[spec.cloud]
    hosts = rng.choice(np.arange(4, 250), size=(count, 2), replace=False)
    pool = "".join(rng.choice(list("0123456789abcdef"), 8))
    number = int(rng.integers(10_000_000, 99_999_999))
    made = []
    for i, (subnet, host) in enumerate(hosts.tolist()):
        address = f"{network}.{subnet}.{host}"
        name = {
            "aws": f"ip-{address.replace('.', '-')}.{spec.region}.compute.internal",
            "gcp": f"gke-{spec.name}-pool-1-{pool}-{letters(rng, 4)}",
            "azure": f"aks-nodepool1-{number}-vmss{i:06d}",
        }[spec.cloud]
        made.append(Node(name, address))
    return tuple(made)
