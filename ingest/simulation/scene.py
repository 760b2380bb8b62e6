"""The whole play: who is on stage, what goes wrong, and how it turns into series and events.

`set_scene` chooses, `play` and `tell` carry out. Playing a scene with an empty script gives the
same history without the faults' effects, sample for sample: that is how the truth is tested.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest.simulation.background import tell_background, tell_rollout
from ingest.simulation.event_forge import EventForge, Recorded
from ingest.simulation.exposition import (
    expose_hosts,
    expose_pods,
    expose_policy,
    expose_traffic,
    expose_volumes,
)
from ingest.simulation.faults import Scenario, write_script
from ingest.simulation.fleet import Cluster, Fleet, place
from ingest.simulation.gpu_exposition import expose_gpus
from ingest.simulation.gpu_pools import simulate_gpus
from ingest.simulation.hosts import simulate_hosts
from ingest.simulation.pods import simulate_pods
from ingest.simulation.policy import simulate_policy
from ingest.simulation.rollout import Rollout, plan_releases, roll
from ingest.simulation.sheet import Sheet
from ingest.simulation.signals import stream
from ingest.simulation.timeline import Timeline
from ingest.simulation.traffic import simulate_traffic
from ingest.simulation.volumes import simulate_volumes


@dataclass(frozen=True)
class Scene:
    """Everything that is decided before the first signal is computed.

    Attributes:
        timeline: The history's grid.
        seed: Root of all randomness.
        fleet: The clusters with all pods they have over the history.
        script: The faults, in order of begin.
        rollouts: Harmless releases and those that are part of a fault.
    """

    timeline: Timeline
    seed: int
    fleet: Fleet
    script: tuple[Scenario, ...]
    rollouts: tuple[Rollout, ...]


def set_scene(timeline: Timeline, seed: int) -> Scene:
    """Place the fleet, choose the faults and roll out what they and the releases bring."""
    fleet = place(seed)
    script = write_script(fleet, timeline, seed)
    rollouts = plan_releases(fleet, timeline, seed)
    rollouts += tuple(rollout for scenario in script for rollout in scenario.rollouts)
    return Scene(timeline, seed, roll(fleet, rollouts, seed), script, rollouts)


def play(scene: Scene) -> Sheet:
    """All series; each stage is computed from the one before, with the faults' effects in it."""
    sheet = Sheet(scene.timeline)
    for cluster in scene.fleet.clusters:
        script = tuple(s for s in scene.script if s.fault.cluster == cluster.name)
        _play_cluster(sheet, cluster, script, scene.seed)
    return sheet


def tell(scene: Scene) -> tuple[Recorded, ...]:
    """All events in order of time; only after `play`, as some tell of what a signal did."""
    recorded: list[Recorded] = []
    for cluster in scene.fleet.clusters:
        forge = EventForge(cluster.name, stream(scene.seed, "events", cluster.name))
        tell_background(forge, cluster, scene.timeline)
        for rollout in scene.rollouts:
            if rollout.cluster == cluster.name:
                tell_rollout(forge, cluster, rollout)
        for scenario in scene.script:
            if scenario.fault.cluster == cluster.name:
                scenario.tell(forge, cluster)
        recorded += forge.recorded
    return tuple(sorted(recorded, key=lambda event: event[0]))


def _play_cluster(sheet: Sheet, cluster: Cluster, script: tuple[Scenario, ...], seed: int) -> None:
    timeline = sheet.timeline
    traffic = simulate_traffic(cluster, timeline, seed)
    for scenario in script:
        scenario.bend_traffic(traffic)
    pods = simulate_pods(traffic, seed)
    for scenario in script:
        scenario.bend_pods(pods)
    hosts = simulate_hosts(pods, seed)
    volumes = simulate_volumes(cluster, timeline, seed)
    policy = simulate_policy(traffic, seed)
    for scenario in script:
        scenario.bend_hosts(hosts)
        scenario.bend_volumes(volumes)
        scenario.bend_policy(policy)
    expose_traffic(sheet, traffic, seed)
    expose_pods(sheet, pods, seed)
    expose_hosts(sheet, hosts, seed)
    expose_volumes(sheet, volumes)
    expose_policy(sheet, policy, seed)
    for load in simulate_gpus(cluster, timeline, seed):
        expose_gpus(sheet, load, seed)
