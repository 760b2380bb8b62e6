"""The events of an ordinary day: releases, cron jobs, policy bundles, a probe that fails once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ingest.simulation.event_forge import EventForge, Subject, pod_subject
from ingest.simulation.fleet import Cluster, letters
from ingest.simulation.rollout import Rollout, new_pods, old_pods
from ingest.simulation.timeline import Timeline

_CRON = "session-cleanup"
_CRON_EVERY = timedelta(hours=4)
_CRON_IMAGE = "registry.shop.example/shop/session-cleanup:1.2.0"
_BUNDLE_EVERY = timedelta(hours=7)
_SLOW_PROBES = 6  # a cluster and history


def tell_background(forge: EventForge, cluster: Cluster, timeline: Timeline) -> None:
    """Everything that happens in a cluster where nothing is wrong, but for its rollouts."""
    time = timeline.start + forge.rng.uniform(0.1, 0.9) * _CRON_EVERY
    while time < timeline.end - timedelta(minutes=2):
        _cron_job(forge, cluster, _whole(time))
        time += _CRON_EVERY
    time = timeline.start + forge.rng.uniform(0.1, 0.9) * _BUNDLE_EVERY
    while time < timeline.end:
        bundle_activated(forge, _whole(time), forge.rng.bytes(4).hex()[:7])
        time += _BUNDLE_EVERY * forge.rng.uniform(0.8, 1.2)
    for _ in range(_SLOW_PROBES):
        pod = cluster.pods[int(forge.rng.integers(len(cluster.pods)))]
        time = timeline.start + forge.rng.uniform(0.02, 0.98) * timeline.duration
        if (pod.born or timeline.start) <= time < (pod.died or timeline.end):
            forge.kubelet(
                _whole(time),
                pod.node,
                pod_subject(pod, container=True),
                "Unhealthy",
                "Readiness probe failed: context deadline exceeded",
                warning=True,
            )


def tell_rollout(forge: EventForge, cluster: Cluster, rollout: Rollout) -> None:
    """What the deployment controller, the scheduler and the kubelets say about one rollout."""
    spec = cluster.workload(rollout.workload)
    image = f"{spec.image}:{rollout.version}"
    deployment = Subject("Deployment", spec.namespace, spec.name, api_version="apps/v1")
    old, new = old_pods(cluster, rollout), new_pods(cluster, rollout)
    # A rollback finds the pods that were never replaced under the template it goes back to.
    kept = spec.replicas - rollout.count
    going_back = any(p.template == rollout.template and p.born is None for p in cluster.pods)
    up, down = (kept, rollout.count) if going_back else (0, spec.replicas)
    for i, pod in enumerate(new):
        at = rollout.born(i)
        forge.core(
            at,
            deployment,
            "ScalingReplicaSet",
            f"Scaled up replica set {spec.name}-{rollout.template} from {up + i} to {up + i + 1} "
            f"(revision {rollout.revision}, image {image})",
            component="deployment-controller",
        )
        replica_set = Subject(
            "ReplicaSet", spec.namespace, f"{spec.name}-{rollout.template}", api_version="apps/v1"
        )
        forge.core(
            at,
            replica_set,
            "SuccessfulCreate",
            f"Created pod: {pod.name}",
            component="replicaset-controller",
        )
        forge.pod_started(pod, at, image)
    for i, pod in enumerate(old):
        at = rollout.died(i)
        forge.core(
            at,
            deployment,
            "ScalingReplicaSet",
            f"Scaled down replica set {spec.name}-{rollout.replaces} from {down - i} "
            f"to {down - i - 1}",
            component="deployment-controller",
        )
        subject = pod_subject(pod, container=True)
        forge.kubelet(at, pod.node, subject, "Killing", f"Stopping container {spec.name}")


def bundle_activated(forge: EventForge, time: datetime, revision: str) -> None:
    """OPA has loaded a policy bundle."""
    forge.plain(
        time,
        "opa",
        Subject("Bundle", "platform", "policies"),
        "BundleActivated",
        f"bundle policies activated at revision {revision}",
        {"revision": revision},
    )


def _cron_job(forge: EventForge, cluster: Cluster, time: datetime) -> None:
    """One run of a job too short for any scrape to see its pod."""
    name = f"{_CRON}-{int(time.timestamp()) // 60}"
    cron = Subject("CronJob", "shop", _CRON, api_version="batch/v1")
    job = Subject("Job", "shop", name, api_version="batch/v1")
    like = cluster.pods_of("cart")[0]
    node = cluster.nodes[int(forge.rng.integers(len(cluster.nodes)))]
    spec = replace(like.spec, name=_CRON)
    pod = replace(like, name=f"{name}-{letters(forge.rng, 5)}", spec=spec, node=node)
    text = f"Created job {name}"
    forge.core(time, cron, "SuccessfulCreate", text, component="cronjob-controller")
    later = time + timedelta(seconds=1)
    text = f"Created pod: {pod.name}"
    forge.core(later, job, "SuccessfulCreate", text, component="job-controller")
    forge.pod_started(pod, later, _CRON_IMAGE)
    done = time + timedelta(seconds=int(forge.rng.integers(14, 25)))
    forge.core(done, job, "Completed", "Job completed", component="job-controller")
    text = f"Saw completed job: {name}, condition: Complete"
    forge.core(done, cron, "SawCompletedJob", text, component="cronjob-controller")


def _whole(time: datetime) -> datetime:
    return time.replace(microsecond=0)
