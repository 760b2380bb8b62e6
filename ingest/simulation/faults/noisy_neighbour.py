"""A batch worker without a CPU limit takes most of a node for the better part of an hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from ingest.simulation.catalogue import MIB
from ingest.simulation.event_forge import EventForge, Subject
from ingest.simulation.fault import Fault
from ingest.simulation.faults.scenario import Scenario, window
from ingest.simulation.fleet import Cluster, Fleet, Pod
from ingest.simulation.pods import PodLoad
from ingest.simulation.signals import noise, plateau
from ingest.simulation.timeline import FloatArray, Timeline
from ingest.simulation.traffic import Traffic

_CLUSTER, _WORKLOAD = "ap-3", "report-worker"
_CORES = 5.0  # of the node's eight
_SLOWER = 0.7  # of the requests that a pod of this node answers


@dataclass
class NoisyNeighbour(Scenario):
    """`pod` is the noisy one; `shares` tells which part of each workload runs beside it.

    `entropy` seeds the unsteadiness.
    """

    pod: Pod
    shares: dict[str, float]
    entropy: int

    def bend_traffic(self, traffic: Traffic) -> None:
        """Requests to the pods of this node wait for a core."""
        shape = self._shape(traffic.timeline)
        for workload, share in self.shares.items():
            traffic.latency[traffic.row(workload)] *= 1.0 + _SLOWER * share * shape

    def bend_pods(self, pods: PodLoad) -> None:
        """The worker takes its cores; its neighbours catch up in bursts and meet their quota."""
        timeline = pods.timeline
        shape = self._shape(timeline)
        neighbours = pods.rows_on(self.pod.node.name)
        limited = [r for r in neighbours if pods.cluster.pods[r].spec.cpu_limit is not None]
        rng = np.random.default_rng(self.entropy)
        bursts = rng.gamma(4.0, 0.25, (len(limited), timeline.n)) * shape
        pods.throttled[limited] = pods.throttled[limited] * (1.0 + 2.5 * shape) + 0.02 * bursts
        row = pods.row(self.pod.name)
        wobble = np.exp(noise(rng, 1, timeline, minutes=2, size=0.05)[0])
        pods.cpu[row] += _CORES * shape * wobble
        pods.memory[row] += 500.0 * MIB * shape

    def tell(self, forge: EventForge, cluster: Cluster) -> None:
        """Somebody raised the concurrency, and lowered it again."""
        for time, value in (
            (self.fault.start - timedelta(minutes=1), "16"),
            (self.fault.end - timedelta(minutes=2), "2"),
        ):
            forge.plain(
                time,
                "change",
                Subject("ConfigMap", "data", f"{_WORKLOAD}-settings"),
                "ConfigurationChanged",
                f"concurrency of {_WORKLOAD} set to {value}",
                {"workload": _WORKLOAD, "concurrency": value, "author": "h.nguyen"},
            )

    def _shape(self, timeline: Timeline) -> FloatArray:
        return plateau(self.since(timeline), self.seconds, rise=90.0, fall=60.0)


def plan(fleet: Fleet, timeline: Timeline, rng: np.random.Generator) -> NoisyNeighbour:
    """Choose the minutes, and find who suffers."""
    cluster = fleet.cluster(_CLUSTER)
    pod = cluster.pods_of(_WORKLOAD)[0]
    shares: dict[str, float] = {}
    for spec in cluster.meshed:
        beside = sum(p.node == pod.node for p in cluster.pods_of(spec.name))
        if beside:
            shares[spec.name] = beside / spec.replicas
    start, end = window(timeline, rng, at=0.635, share=0.055, most=timedelta(minutes=40))
    fault = Fault(
        name="report-worker-noisy-neighbour",
        title=f"{_WORKLOAD} crowds out its neighbours on a node of {_CLUSTER}",
        kind="noisy_neighbour",
        cluster=_CLUSTER,
        namespace="data",
        entities=(
            {"node": pod.node.name},
            *({"destination_workload": workload} for workload in shares),
        ),
        metrics=(
            "container_cpu_usage_seconds_total",
            "container_cpu_cfs_throttled_seconds_total",
            "node_load1",
            "node_cpu_seconds_total",
        ),
        start=start,
        end=end,
        culprit=f"data/{_WORKLOAD}",
        change="set to 16",
    )
    return NoisyNeighbour(fault, pod, shares, entropy=int(rng.integers(2**32)))
