"""What each pod uses: CPU, memory and throttling, out of its workload's traffic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.simulation.catalogue import MIB
from ingest.simulation.fleet import Cluster, Pod
from ingest.simulation.signals import drift, nightly, noise, recurring, sawtooth, stream
from ingest.simulation.timeline import FloatArray, Timeline
from ingest.simulation.traffic import Traffic

NIGHT_HOUR = 3.0  # local hour of the nightly backup and reports
NIGHT_MINUTES = 30.0
# A process starts with 60 % of its working set and fills its caches within some minutes.
_COLD = 0.4
_WARM_UP_SECONDS = 600.0
_NEVER = np.zeros(0, dtype=np.int64)


@dataclass
class PodLoad:
    """Resources of the pods of one cluster; rows are `cluster.pods`, arrays `[pods, n]`.

    Attributes:
        cluster: The cluster.
        timeline: The grid.
        alive: Whether the pod exists.
        cpu: Cores in use.
        memory: Working set, bytes.
        throttled: Seconds of throttling per second.
        restarts: Per pod, the instants at which its container starts again after a crash.
        unavailable: Per workload name, pods missing at each instant, `[n]`.
    """

    cluster: Cluster
    timeline: Timeline
    alive: NDArray[np.bool_]
    cpu: FloatArray
    memory: FloatArray
    throttled: FloatArray
    restarts: list[NDArray[np.int64]]
    unavailable: dict[str, FloatArray]

    def row(self, pod: str) -> int:
        """Row of a pod."""
        return [p.name for p in self.cluster.pods].index(pod)

    def rows_on(self, node: str) -> NDArray[np.int64]:
        """Rows of the pods on a node."""
        return np.array([i for i, p in enumerate(self.cluster.pods) if p.node.name == node])


def simulate_pods(traffic: Traffic, seed: int) -> PodLoad:
    """Resources under the traffic as it is, faults in it included.

    Cost: one pass over `[pods, n]` for each of a dozen noise terms; 5,760 instants of 30 pods
    take some 150 ms.
    """
    cluster, timeline = traffic.cluster, traffic.timeline
    rng = stream(seed, "pods", cluster.name)
    rows = len(cluster.pods)
    alive = np.stack([_alive(pod, timeline) for pod in cluster.pods])
    load = _load(traffic, alive, rng)

    def of(name: str) -> FloatArray:
        return np.array([getattr(p.spec, name) for p in cluster.pods], dtype=np.float64)[:, None]

    cpu = (of("cpu_idle") + of("cpu_busy") * load) * drift(rng, rows, timeline, size=0.02)
    cpu *= np.exp(noise(rng, rows, timeline, minutes=8, size=0.04))
    cpu *= np.exp(noise(rng, rows, timeline, minutes=0.3, size=0.04))
    bumps = recurring(rng, rows, timeline, hours=3.0, minutes=6.0)
    night = nightly(
        timeline, cluster.spec.utc_offset, hour=NIGHT_HOUR, minutes=NIGHT_MINUTES
    ) * np.exp(noise(rng, rows, timeline, minutes=1.5, size=0.05))
    cpu += of("burst") * bumps + of("nightly") * night

    memory = of("memory") * drift(rng, rows, timeline, size=0.008)
    memory *= 1.0 + noise(rng, rows, timeline, minutes=40, size=0.006)
    # Busy pods allocate faster: a tooth lasts some 20 minutes at the peak and an hour at night.
    pace = timeline.step_seconds / rng.uniform(900.0, 1500.0, (rows, 1))
    pace = pace * (0.25 + 0.75 * load)
    memory += of("garbage") * sawtooth(pace, rng.uniform(0.0, 1.0, rows))
    memory += 0.06 * of("memory") * load + 300.0 * MIB * of("nightly") * night

    throttled = _throttling(cluster.pods, cpu, rng)
    pods = PodLoad(
        cluster, timeline, alive, cpu, memory, throttled, [_NEVER] * rows, unavailable={}
    )
    for row, pod in enumerate(cluster.pods):
        if pod.born is not None:
            pods.memory[row] *= warm_up(timeline.since(pod.born))
    return pods


def warm_up(age: FloatArray) -> FloatArray:
    """Share of its usual working set that a process of this age (seconds) holds."""
    return np.where(age >= 0.0, 1.0 - _COLD * np.exp(-np.maximum(age, 0.0) / _WARM_UP_SECONDS), 1.0)


def _alive(pod: Pod, timeline: Timeline) -> NDArray[np.bool_]:
    alive = np.zeros(timeline.n, dtype=np.bool_)
    alive[timeline.span(pod.born or timeline.start, pod.died or timeline.end)] = True
    return alive


def _load(traffic: Traffic, alive: NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """Load of each pod relative to a fair share at the daily peak, `[pods, n]`."""
    cluster = traffic.cluster
    names = np.array([pod.spec.name for pod in cluster.pods])
    # A balancer is fair only on average: a pod gets some 4 % more or less than its share.
    weight = alive * rng.normal(1.0, 0.04, (len(names), 1))
    load = np.empty_like(weight)
    for spec in cluster.workloads:
        mine = names == spec.name
        total = np.maximum(weight[mine].sum(axis=0), 1e-9)
        load[mine] = spec.replicas * traffic.utilisation(spec.name) * weight[mine] / total
    return load


def _throttling(pods: tuple[Pod, ...], cpu: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Threads run into the quota of 100 ms periods long before the average reaches the limit."""
    limit = np.array([pod.spec.cpu_limit or np.inf for pod in pods])[:, None]
    used = cpu / limit
    pressure: FloatArray = 0.25 * np.maximum(used - 0.1, 0.0) ** 2
    return pressure * rng.gamma(6.0, 1.0 / 6.0, cpu.shape)
