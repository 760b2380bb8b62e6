"""The persistent volumes: a database that grows a little, a log store that deletes its oldest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.simulation.catalogue import GIB
from ingest.simulation.fleet import Cluster
from ingest.simulation.signals import noise, sawtooth, stream
from ingest.simulation.timeline import FloatArray, Timeline

_SEGMENT_HOURS = 2.0  # a write-ahead log is recycled, or a log segment deleted, every so often
_GROWTH_PER_DAY = 0.004  # share of the capacity


@dataclass
class VolumeLoad:
    """Volumes of one cluster; rows are `cluster.volumes`.

    Attributes:
        cluster: The cluster.
        timeline: The grid.
        used: Bytes used, `[volumes, n]`.
        capacity: Bytes, `[volumes]`.
    """

    cluster: Cluster
    timeline: Timeline
    used: FloatArray
    capacity: FloatArray

    def row(self, pod: str) -> int:
        """Row of the volume of a pod."""
        return [p.name for p in self.cluster.volumes].index(pod)


def simulate_volumes(cluster: Cluster, timeline: Timeline, seed: int) -> VolumeLoad:
    """Undisturbed volumes of one cluster."""
    rng = stream(seed, "volumes", cluster.name)
    rows = len(cluster.volumes)
    # A filesystem keeps some 2 % of the disk for itself.
    capacity = np.array([0.98 * pod.spec.disk for pod in cluster.volumes])
    share = rng.uniform(0.42, 0.55, (rows, 1)) + _GROWTH_PER_DAY * timeline.seconds / 86_400.0
    pace = np.full((rows, timeline.n), timeline.step_seconds / (3600.0 * _SEGMENT_HOURS))
    pace *= 1.0 + noise(rng, rows, timeline, minutes=60, size=0.15)
    segments = 1.5 * GIB * sawtooth(np.maximum(pace, 0.0), rng.uniform(0.0, 1.0, rows))
    wobble = noise(rng, rows, timeline, minutes=20, size=0.05 * GIB)
    return VolumeLoad(cluster, timeline, share * capacity[:, None] + segments + wobble, capacity)
