"""The node exporter of one node stops: its series end, and only `up` tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from ingest.simulation.event_forge import EventForge, Subject
from ingest.simulation.fault import Fault
from ingest.simulation.faults.scenario import Scenario, window
from ingest.simulation.fleet import Cluster, Fleet, Node, letters
from ingest.simulation.hosts import HostLoad
from ingest.simulation.timeline import Timeline

_CLUSTER = "eu-1"


@dataclass
class ExporterStopped(Scenario):
    """`node` keeps working all the while; `pod` is its node exporter."""

    node: Node
    pod: str

    def bend_hosts(self, hosts: HostLoad) -> None:
        """No answer, no samples."""
        span = hosts.timeline.span(self.fault.start, self.fault.end)
        hosts.scraped[hosts.row(self.node.name), span] = False

    def tell(self, forge: EventForge, cluster: Cluster) -> None:
        """The container cannot start, and then it can."""
        path = "spec.containers{node-exporter}"
        container = Subject("Pod", "monitoring", self.pod, field_path=path)
        start, end = self.fault.start, self.fault.end
        for share, count in ((0.05, 4), (0.5, 210), (0.95, 400)):
            forge.kubelet(
                start + share * (end - start),
                self.node,
                container,
                "BackOff",
                f"Back-off restarting failed container node-exporter in pod {self.pod}",
                warning=True,
                count=count,
                first=start + timedelta(seconds=12),
            )
        forge.kubelet(end, self.node, container, "Started", "Started container node-exporter")


def plan(fleet: Fleet, timeline: Timeline, rng: np.random.Generator) -> ExporterStopped:
    """Choose the node and the minutes."""
    nodes = fleet.cluster(_CLUSTER).nodes
    node = nodes[int(rng.integers(len(nodes)))]
    start, end = window(timeline, rng, at=0.87, share=0.08, most=timedelta(minutes=95))
    fault = Fault(
        name="node-exporter-stopped",
        title=f"the node exporter of {node.name} in {_CLUSTER} stops",
        kind="exporter_stopped",
        cluster=_CLUSTER,
        namespace=None,
        entities=({"job": "node-exporter", "instance": f"{node.address}:9100"},),
        metrics=("up",),
        start=start,
        end=end,
        culprit=f"node-exporter at {node.address}:9100",
    )
    return ExporterStopped(fault, node, f"node-exporter-{letters(rng, 5)}")
