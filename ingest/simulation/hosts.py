"""The nodes: their load is that of their pods, plus what the system itself needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.simulation.catalogue import GIB
from ingest.simulation.fleet import Cluster
from ingest.simulation.pods import PodLoad
from ingest.simulation.signals import drift, noise, sawtooth, stream
from ingest.simulation.timeline import FloatArray, Timeline

DISK = 120 * GIB  # root filesystem of every node
_SYSTEM_CORES = 0.35  # kubelet, container runtime, daemon sets
_SYSTEM_MEMORY = 3.2 * GIB
_SYSTEM_SHARE = 0.22  # of the used time that the kernel counts as other than `user`
_LOG_HOURS = 6.0  # logs grow for so long before they are rotated away
_LOG_BYTES = 2.4 * GIB


@dataclass
class HostLoad:
    """Resources of the nodes of one cluster; rows are `cluster.nodes`, arrays `[nodes, n]`.

    Attributes:
        cluster: The cluster.
        timeline: The grid.
        user: Cores in mode `user`.
        idle: Cores in mode `idle`.
        load1: One-minute load average.
        available: Memory available, bytes.
        disk_free: Bytes available on `/`.
        scraped: Whether the node exporter answers.
    """

    cluster: Cluster
    timeline: Timeline
    user: FloatArray
    idle: FloatArray
    load1: FloatArray
    available: FloatArray
    disk_free: FloatArray
    scraped: NDArray[np.bool_]

    def row(self, node: str) -> int:
        """Row of a node."""
        return [n.name for n in self.cluster.nodes].index(node)


def simulate_hosts(pods: PodLoad, seed: int) -> HostLoad:
    """Nodes under the pods as they are, faults in them included."""
    cluster, timeline = pods.cluster, pods.timeline
    rng = stream(seed, "hosts", cluster.name)
    rows = len(cluster.nodes)
    on = np.array([[p.node.name == n.name for p in cluster.pods] for n in cluster.nodes])
    pod_cores = on.astype(np.float64) @ (pods.cpu * pods.alive)
    pod_memory = on.astype(np.float64) @ (pods.memory * pods.alive)

    system = _SYSTEM_CORES * np.exp(noise(rng, rows, timeline, minutes=3, size=0.12))
    used = np.minimum(pod_cores + system, cluster.spec.cores * 0.985)
    idle = cluster.spec.cores - used
    user = used * (1.0 - _SYSTEM_SHARE) * np.exp(noise(rng, rows, timeline, minutes=2, size=0.01))

    # Runnable threads queue when few cores are left; that is what sets load apart from use.
    waiting = used * (1.05 + 1.2 * np.maximum(used / cluster.spec.cores - 0.6, 0.0))
    load1 = waiting * np.exp(noise(rng, rows, timeline, minutes=1, size=0.14))

    cache = noise(rng, rows, timeline, minutes=90, size=0.12 * GIB)
    available = cluster.spec.memory - _SYSTEM_MEMORY - pod_memory + cache

    pace = np.full((rows, timeline.n), timeline.step_seconds / (3600.0 * _LOG_HOURS))
    logs = _LOG_BYTES * sawtooth(pace, rng.uniform(0.0, 1.0, rows))
    images = rng.uniform(0.30, 0.48, (rows, 1)) * DISK * drift(rng, rows, timeline, size=0.01)
    disk_free = DISK - images - logs + noise(rng, rows, timeline, minutes=30, size=0.02 * GIB)

    scraped = np.ones((rows, timeline.n), dtype=np.bool_)
    return HostLoad(cluster, timeline, user, idle, load1, available, disk_free, scraped)
