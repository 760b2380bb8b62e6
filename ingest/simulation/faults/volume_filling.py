"""A forgotten replication slot keeps the database's log: its volume fills for half a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from ingest.simulation.event_forge import EventForge, Subject
from ingest.simulation.fault import Fault
from ingest.simulation.faults.scenario import Scenario
from ingest.simulation.fleet import Cluster, Fleet, Pod
from ingest.simulation.timeline import Timeline
from ingest.simulation.volumes import VolumeLoad

_CLUSTER, _WORKLOAD = "ap-3", "postgres"
_FULL = 0.965  # of the capacity when the history ends: nobody has acted yet
_WARN_AT = (0.85, 0.95)
_LONGEST = timedelta(hours=12)
_SHARE = 0.28


@dataclass
class VolumeFilling(Scenario):
    """`pod` owns the volume.

    `crossings` tells when it passed each warning level; it is known once the volume is bent.
    """

    pod: Pod
    crossings: dict[float, datetime] = field(default_factory=dict)

    def bend_volumes(self, volumes: VolumeLoad) -> None:
        """Steady growth, no faster than a busy database writes its log."""
        row, timeline = volumes.row(self.pod.name), volumes.timeline
        capacity = volumes.capacity[row]
        done = np.clip(self.since(timeline) / self.seconds, 0.0, 1.0)
        room = _FULL * capacity - volumes.used[row, -1]
        volumes.used[row] += room * done
        for level in _WARN_AT:
            over = np.flatnonzero(volumes.used[row] > level * capacity)
            self.crossings[level] = timeline.start + int(over[0]) * timeline.step

    def tell(self, forge: EventForge, cluster: Cluster) -> None:
        """The change that made the slot, and the kubelet's warnings."""
        name = f"data-{self.pod.name}"
        forge.plain(
            self.fault.start - timedelta(minutes=3),
            "change",
            Subject("Migration", "data", "0212-analytics-replication"),
            "MigrationApplied",
            f"logical replication slot analytics_cdc created on {self.pod.name}",
            {"workload": _WORKLOAD, "slot": "analytics_cdc", "author": "deploy-bot"},
        )
        for level, time in self.crossings.items():
            forge.kubelet(
                time,
                self.pod.node,
                Subject("PersistentVolumeClaim", "data", name),
                "VolumeConditionAbnormal",
                f"Volume {name}: {level:.0%} of its capacity is used",
                warning=True,
                count=1 if level == _WARN_AT[0] else 4,
                first=time,
            )


def plan(fleet: Fleet, timeline: Timeline, rng: np.random.Generator) -> VolumeFilling:
    """Choose the hours; the volume is that of the cluster's only database."""
    pod = fleet.cluster(_CLUSTER).pods_of(_WORKLOAD)[0]
    length = min(_SHARE * timeline.duration, _LONGEST) * rng.uniform(0.97, 1.0)
    fault = Fault(
        name="postgres-volume-filling",
        title=f"the volume of {pod.name} in {_CLUSTER} fills up",
        kind="volume_filling",
        cluster=_CLUSTER,
        namespace="data",
        entities=({"persistentvolumeclaim": f"data-{pod.name}"},),
        metrics=("kubelet_volume_stats_used_bytes",),
        start=timeline.end - (length // timeline.step) * timeline.step,
        end=timeline.end,
        culprit="data/postgres",
        change="analytics_cdc",
    )
    return VolumeFilling(fault, pod)
