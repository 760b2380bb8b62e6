"""The scripted faults: one module each, chosen and timed by `write_script`."""

from __future__ import annotations

from ingest.simulation.faults import (
    bad_rollout,
    exporter_stopped,
    memory_leak,
    noisy_neighbour,
    policy_denials,
    volume_filling,
)
from ingest.simulation.faults.scenario import Scenario
from ingest.simulation.fleet import Fleet
from ingest.simulation.signals import stream
from ingest.simulation.timeline import Timeline

__all__ = ["Scenario", "write_script"]

# Two a cluster, on different nodes and workloads, so that none hides another.
_PLANS = (memory_leak, volume_filling, bad_rollout, noisy_neighbour, policy_denials,
          exporter_stopped)  # fmt: skip


def write_script(fleet: Fleet, timeline: Timeline, seed: int) -> tuple[Scenario, ...]:
    """All faults of a history, in order of their begin; none begins in its first 60 %."""
    script = [
        module.plan(fleet, timeline, stream(seed, "fault", module.__name__)) for module in _PLANS
    ]
    return tuple(sorted(script, key=lambda scenario: scenario.fault.start))
