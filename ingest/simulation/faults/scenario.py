"""What a scripted fault may do: bend latent signals, roll pods, and leave events behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ingest.simulation.event_forge import EventForge
from ingest.simulation.fault import Fault
from ingest.simulation.fleet import Cluster
from ingest.simulation.hosts import HostLoad
from ingest.simulation.pods import PodLoad
from ingest.simulation.policy import Policy
from ingest.simulation.rollout import Rollout
from ingest.simulation.timeline import FloatArray, Timeline
from ingest.simulation.traffic import Traffic
from ingest.simulation.volumes import VolumeLoad


@dataclass
class Scenario:
    """One fault with its effects; each fault's module overrides what it needs.

    The hooks are called once, for the fault's own cluster only, in the order below: what one
    bends, the later stages are computed from. All of them change the arrays in place, within
    `[fault.start, fault.end)`, and only on series that `fault.matches`.

    Attributes:
        fault: The truth about it.
    """

    fault: Fault

    @property
    def rollouts(self) -> tuple[Rollout, ...]:
        """Rollouts that are part of the fault, in order of time."""
        return ()

    def bend_traffic(self, traffic: Traffic) -> None:
        """Change requests, errors and latency."""

    def bend_pods(self, pods: PodLoad) -> None:
        """Change CPU, memory, throttling and restarts of pods."""

    def bend_hosts(self, hosts: HostLoad) -> None:
        """Change what the nodes report."""

    def bend_volumes(self, volumes: VolumeLoad) -> None:
        """Change the volumes' use."""

    def bend_policy(self, policy: Policy) -> None:
        """Change policy decisions."""

    def tell(self, forge: EventForge, cluster: Cluster) -> None:
        """Record the events that the cluster would send; `cluster` has all rolled pods."""

    def since(self, timeline: Timeline) -> FloatArray:
        """Seconds since the fault began, `[n]`."""
        return timeline.since(self.fault.start)

    @property
    def seconds(self) -> float:
        """Length of the fault."""
        return (self.fault.end - self.fault.start).total_seconds()


def window(
    timeline: Timeline, rng: np.random.Generator, *, at: float, share: float, most: timedelta
) -> tuple[datetime, datetime]:
    """Begin and end of a fault.

    Args:
        timeline: The history.
        rng: Moves the begin by up to half a percent of the history.
        at: Begin as a fraction of the history.
        share: Length as a fraction of the history, for short histories.
        most: Greatest length: an outage does not last longer because the history does.
    """
    begin = timeline.at(at + rng.uniform(-0.005, 0.005))
    steps = min(share * timeline.duration, most) // timeline.step
    return begin, begin + steps * timeline.step
