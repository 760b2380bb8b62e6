"""A pod under a feature flag leaks memory until the kernel kills it, twice, within hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ingest.simulation.event_forge import EventForge, Subject, node_subject, pod_subject
from ingest.simulation.fault import Fault
from ingest.simulation.faults.scenario import Scenario, window
from ingest.simulation.fleet import Cluster, Fleet, Pod
from ingest.simulation.pods import PodLoad, warm_up
from ingest.simulation.timeline import FloatArray, Timeline
from ingest.simulation.traffic import Traffic

_CLUSTER, _WORKLOAD = "us-2", "recommendations"
_FIRST_KILL = 0.58  # of the fault; the second leak is faster, as traffic grows into it
_CALM = timedelta(minutes=10)  # from the last kill until the flag is off and caches are warm
_FULL = 0.997  # of the limit: the last working set that a scrape sees before the kill


@dataclass
class MemoryLeak(Scenario):
    """`pod` is the leaking one; `kills` are the two out-of-memory kills."""

    pod: Pod
    kills: tuple[datetime, datetime]

    def bend_traffic(self, traffic: Traffic) -> None:
        """A pod short of memory collects garbage more than it answers."""
        row = traffic.row(_WORKLOAD)
        traffic.latency[row] *= 1.0 + 0.18 * np.maximum(self._fill(traffic.timeline) - 0.7, 0.0)

    def bend_pods(self, pods: PodLoad) -> None:
        """Grow to the limit, restart, grow again, restart."""
        row, timeline = pods.row(self.pod.name), pods.timeline
        limit = self.pod.spec.memory_limit
        fill = self._fill(timeline)
        usual = pods.memory[row].copy()
        # `fill` mixes between the usual working set and the limit: at 1 the limit is reached,
        # whatever the sawtooth does at that moment.
        pods.memory[row] = np.minimum(usual + fill * (limit - usual), _FULL * limit)
        for kill in self.kills:
            pods.memory[row] *= warm_up(timeline.since(kill))
        pods.cpu[row] *= 1.0 + 1.2 * np.maximum(fill - 0.7, 0.0)
        pods.restarts[row] = np.array([timeline.index(kill) for kill in self.kills])
        missing = np.zeros(timeline.n)
        for at in pods.restarts[row]:
            missing[at : at + 2] = 1.0
        pods.unavailable[_WORKLOAD] = missing

    def tell(self, forge: EventForge, cluster: Cluster) -> None:
        """The flag, the kills, the restarts, the flag again."""
        start, end = self.fault.start, self.fault.end
        flag = Subject("FeatureFlag", "shop", "embedding-cache")
        for time, value, who in (
            (start - timedelta(seconds=40), "on", "canary of one replica"),
            (end - timedelta(minutes=6), "off", "all replicas"),
        ):
            message = f"flag embedding-cache of {_WORKLOAD} set to {value} for {who}"
            attributes = {"value": value, "workload": _WORKLOAD, "author": "m.okafor"}
            forge.plain(time, "change", flag, "FeatureFlagChanged", message, attributes)
        container = pod_subject(self.pod, container=True)
        image = f"{self.pod.spec.image}:{self.pod.spec.version}"
        for kill in self.kills:
            message = (
                f"Memory cgroup out of memory: Killed process {forge.rng.integers(9000, 60000)} "
                f"(python3) total-vm:2483112kB, anon-rss:1038420kB, pod {self.pod.name}"
            )
            forge.core(
                kill,
                node_subject(self.pod.node),
                "OOMKilling",
                message,
                component="kernel-monitor",
                host=self.pod.node.name,
                warning=True,
            )
            for seconds, reason, text in (
                (3, "Pulled", f'Container image "{image}" already present on machine'),
                (4, "Created", f"Created container: {_WORKLOAD}"),
                (5, "Started", f"Started container {_WORKLOAD}"),
            ):
                time = kill + timedelta(seconds=seconds)
                forge.kubelet(time, self.pod.node, container, reason, text)
        last = self.kills[-1] + timedelta(seconds=20)
        text = f"Back-off restarting failed container {_WORKLOAD} in pod {self.pod.name}"
        forge.kubelet(
            last,
            self.pod.node,
            container,
            "BackOff",
            text,
            warning=True,
            count=3,
            first=last - timedelta(seconds=14),
        )

    def _fill(self, timeline: Timeline) -> FloatArray:
        """How much of the room up to the limit has leaked, 0 to 1, `[n]`."""
        fill = np.zeros(timeline.n)
        for begin, kill in zip((self.fault.start, self.kills[0]), self.kills, strict=True):
            span = timeline.span(begin, kill)
            length = (kill - begin).total_seconds() - timeline.step_seconds
            fill[span] = np.clip(timeline.since(begin)[span] / length, 0.0, 1.0) ** 1.1
        return fill


def plan(fleet: Fleet, timeline: Timeline, rng: np.random.Generator) -> MemoryLeak:
    """Choose the pod and the hours."""
    pod = fleet.cluster(_CLUSTER).pods_of(_WORKLOAD)[0]
    start, end = window(timeline, rng, at=0.625, share=0.16, most=timedelta(hours=7))
    kills = (
        timeline.start + timeline.index(start + _FIRST_KILL * (end - start)) * timeline.step,
        timeline.start + timeline.index(end - _CALM) * timeline.step,
    )
    fault = Fault(
        name="recommendations-memory-leak",
        title=f"{_WORKLOAD} leaks memory in {_CLUSTER} until it is OOM-killed, twice",
        kind="memory_leak",
        cluster=_CLUSTER,
        namespace="shop",
        entities=(
            {"pod": pod.name},
            {"deployment": _WORKLOAD},
            {"destination_workload": _WORKLOAD},
            {"job": "node-exporter", "node": pod.node.name},
        ),
        metrics=(
            "container_memory_working_set_bytes",
            "kube_pod_container_status_restarts_total",
        ),
        start=start,
        end=end,
        culprit=f"shop/{_WORKLOAD}",
        change="embedding-cache",
    )
    return MemoryLeak(fault, pod, kills)
