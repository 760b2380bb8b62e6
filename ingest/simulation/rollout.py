"""Rollouts: a Deployment gets a new pod template, and pods with new names take over.

Planning knows which pods go; `roll` carries it out and gives the same cluster with more pods.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ingest.simulation.fleet import Cluster, Fleet, Pod, letters
from ingest.simulation.signals import stream
from ingest.simulation.timeline import Timeline

# A surge of one pod at a time: start the new one, wait until it is ready, end an old one.
_PER_POD = timedelta(seconds=75)
_READY = timedelta(seconds=45)
# Harmless releases: (cluster, workload, fraction of the history, new version).
# A detector sees rollouts that break nothing before it meets the one that does. They come early,
# so that the new pods have lived through nearly a whole day when the clean part ends.
_RELEASES = (
    ("eu-1", "catalogue", 0.02, "4.0.3"),
    ("us-2", "cart", 0.05, "3.2.8"),
    ("ap-3", "payment", 0.08, "1.19.5"),
)


@dataclass(frozen=True)
class Rollout:
    """One change of a pod template.

    Attributes:
        cluster: Cluster of the Deployment.
        workload: Name of the Deployment.
        at: When the new template is applied.
        replaces: Template hash of the pods to end.
        template: Template hash of the new pods.
        version: Image tag of the new template.
        revision: The Deployment's revision.
        count: How many pods are replaced.
    """

    cluster: str
    workload: str
    at: datetime
    replaces: str
    template: str
    version: str
    revision: int
    count: int

    @property
    def done(self) -> datetime:
        """When the last old pod is gone."""
        return self.at + self.count * _PER_POD + _READY

    def born(self, i: int) -> datetime:
        """When the `i`-th new pod starts."""
        return self.at + i * _PER_POD

    def died(self, i: int) -> datetime:
        """When the `i`-th old pod is deleted."""
        return self.born(i) + _READY


def plan_releases(fleet: Fleet, timeline: Timeline, seed: int) -> tuple[Rollout, ...]:
    """The harmless rollouts of the history."""
    rng = stream(seed, "releases")
    made = []
    for cluster, workload, fraction, version in _RELEASES:
        pods = fleet.cluster(cluster).pods_of(workload)
        made.append(
            Rollout(
                cluster,
                workload,
                at=timeline.at(fraction + rng.uniform(-0.005, 0.005)),
                replaces=pods[0].template,
                template=letters(rng, 10),
                version=version,
                revision=int(rng.integers(11, 40)),
                count=len(pods),
            )
        )
    return tuple(made)


def roll(fleet: Fleet, rollouts: tuple[Rollout, ...], seed: int) -> Fleet:
    """The fleet with all pods it has over the history, rollouts taken in the order given."""
    for rollout in rollouts:
        rng = stream(seed, "rollout", rollout.cluster, rollout.workload, rollout.template)
        cluster = fleet.cluster(rollout.cluster)
        fleet = fleet.with_cluster(
            replace(cluster, pods=_replace_pods(cluster, rollout, letters(rng, 5 * rollout.count)))
        )
    return fleet


def old_pods(cluster: Cluster, rollout: Rollout) -> tuple[Pod, ...]:
    """The pods that a rollout ends, in their order of death."""
    return tuple(
        pod
        for pod in cluster.pods_of(rollout.workload)
        if pod.template == rollout.replaces
        and rollout.at < (pod.died or datetime.max.replace(tzinfo=rollout.at.tzinfo))
        and (pod.born is None or pod.born < rollout.at)
    )[: rollout.count]


def new_pods(cluster: Cluster, rollout: Rollout) -> tuple[Pod, ...]:
    """The pods that a rollout has started, in their order of birth."""
    return tuple(
        pod
        for pod in cluster.pods_of(rollout.workload)
        if pod.template == rollout.template
        and pod.born is not None
        and rollout.at <= pod.born <= rollout.done
    )


def _replace_pods(cluster: Cluster, rollout: Rollout, suffixes: str) -> tuple[Pod, ...]:
    pods = list(cluster.pods)
    for i, old in enumerate(old_pods(cluster, rollout)):
        # The scheduler finds the room that the old pod is about to leave: the same node.
        suffix = suffixes[5 * i : 5 * i + 5]
        pods[pods.index(old)] = replace(old, died=rollout.died(i))
        pods.append(
            replace(
                old,
                name=f"{rollout.workload}-{rollout.template}-{suffix}",
                template=rollout.template,
                born=rollout.born(i),
            )
        )
    return tuple(pods)
