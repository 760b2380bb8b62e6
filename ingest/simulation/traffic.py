"""The requests of the shop: how many, how many fail, how long they take.

One latent signal per workload and cluster; faults bend them before any counter is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.simulation.fleet import Cluster
from ingest.simulation.signals import drift, noise, rhythm, stream
from ingest.simulation.timeline import FloatArray, Timeline

_ERRORS = 0.001  # one request in a thousand fails on a good day
_QUEUEING = 0.35  # how much slower a workload answers at its peak than at night


@dataclass
class Traffic:
    """Requests of one cluster; rows are `cluster.meshed`, all arrays `[workloads, n]`.

    Attributes:
        cluster: The cluster.
        timeline: The grid.
        activity: How busy the cluster's customers are, about 1 at the daily peak, `[n]`.
        rate: Requests per second.
        errors: Share of requests answered with 500.
        latency: Mean duration, milliseconds.
    """

    cluster: Cluster
    timeline: Timeline
    activity: FloatArray
    rate: FloatArray
    errors: FloatArray
    latency: FloatArray

    def row(self, workload: str) -> int:
        """Row of a meshed workload."""
        return [spec.name for spec in self.cluster.meshed].index(workload)

    def utilisation(self, workload: str) -> FloatArray:
        """Load relative to the daily peak, `[n]`; that of the cluster if outside the mesh."""
        spec = self.cluster.workload(workload)
        if not spec.requests:
            return self.activity
        relative: FloatArray = self.rate[self.row(workload)] / spec.requests
        return relative


def simulate_traffic(cluster: Cluster, timeline: Timeline, seed: int) -> Traffic:
    """Undisturbed traffic of one cluster."""
    rng = stream(seed, "traffic", cluster.name)
    specs = cluster.meshed
    rows = len(specs)
    common = noise(rng, 1, timeline, minutes=50, size=0.035)
    common += noise(rng, 1, timeline, minutes=4, size=0.02)
    activity = rhythm(timeline, cluster.spec.utc_offset) * cluster.spec.size * np.exp(common[0])

    peak = np.array([spec.requests for spec in specs])[:, None]
    own = noise(rng, rows, timeline, minutes=20, size=0.03)
    rate = peak * activity * np.exp(own) * drift(rng, rows, timeline, size=0.02)

    base = np.array([spec.latency for spec in specs])[:, None]
    wobble = noise(rng, rows, timeline, minutes=10, size=0.03)
    wobble += noise(rng, rows, timeline, minutes=0.2, size=0.03)
    load = rate / peak
    latency = base * (1.0 + _QUEUEING * load**2) * np.exp(wobble)
    latency *= drift(rng, rows, timeline, size=0.015)

    errors = _ERRORS * np.exp(noise(rng, rows, timeline, minutes=60, size=0.12))
    return Traffic(cluster, timeline, activity, rate, errors, latency)
