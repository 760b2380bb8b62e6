"""A release of checkout is slow and fails in one cluster only, until it is rolled back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from ingest.simulation.event_forge import EventForge, pod_subject
from ingest.simulation.fault import Fault
from ingest.simulation.faults.scenario import Scenario, window
from ingest.simulation.fleet import Cluster, Fleet, letters
from ingest.simulation.pods import PodLoad
from ingest.simulation.rollout import Rollout, new_pods
from ingest.simulation.signals import noise, plateau
from ingest.simulation.timeline import FloatArray, Timeline
from ingest.simulation.traffic import Traffic

_CLUSTER, _WORKLOAD = "eu-1", "checkout"
_VERSION = "2.15.0"
_SLOWER = 2.9  # added, as a multiple of the usual latency
_FAILING = 0.045  # share of all requests
# Callers wait for checkout in some of their own requests: (caller, slower by, failing share).
_CALLERS = (("frontend", 0.32, 0.006), ("istio-ingressgateway", 0.26, 0.005))
_RISE = 150.0  # seconds until two of three pods run the new version, or the old one again


@dataclass
class BadRollout(Scenario):
    """Two of three pods get the new version; the third waits for them to become ready.

    `entropy` seeds the unsteadiness.
    """

    bad: Rollout
    back: Rollout
    entropy: int

    @property
    def rollouts(self) -> tuple[Rollout, ...]:
        """The release and its rollback."""
        return (self.bad, self.back)

    def bend_traffic(self, traffic: Traffic) -> None:
        """Slow and failing, with the unsteadiness of retries; the callers a little."""
        shape = self._shape(traffic.timeline)
        rng = np.random.default_rng(self.entropy)
        restless = np.exp(noise(rng, 2, traffic.timeline, minutes=3, size=0.12)) * shape
        row = traffic.row(_WORKLOAD)
        traffic.latency[row] *= 1.0 + _SLOWER * restless[0]
        traffic.errors[row] += _FAILING * restless[1]
        for caller, slower, failing in _CALLERS:
            row = traffic.row(caller)
            traffic.latency[row] *= 1.0 + slower * restless[0]
            traffic.errors[row] += failing * restless[1]

    def bend_pods(self, pods: PodLoad) -> None:
        """Readiness probes fail now and then; CPU and memory are those of pods that wait."""
        timeline = pods.timeline
        shape = self._shape(timeline)
        # Unready for four of every six minutes.
        flapping = (self.since(timeline) % 360.0) >= 120.0
        pods.unavailable[_WORKLOAD] = np.where((shape > 0.5) & flapping, 1.0, 0.0)

    def tell(self, forge: EventForge, cluster: Cluster) -> None:
        """The probes; the two rollouts tell of themselves."""
        for pod in new_pods(cluster, self.bad):
            until = self.back.at - timedelta(minutes=1)
            times = [until - i * (until - self.bad.done) / 4 for i in range(4)]
            for i, time in enumerate(reversed(times)):
                forge.kubelet(
                    time,
                    pod.node,
                    pod_subject(pod, container=True),
                    "Unhealthy",
                    "Readiness probe failed: HTTP probe failed with statuscode: 503",
                    warning=True,
                    count=6 + 11 * i,
                    first=self.bad.done,
                )

    def _shape(self, timeline: Timeline) -> FloatArray:
        return plateau(self.since(timeline), self.seconds, rise=_RISE, fall=_RISE)


def plan(fleet: Fleet, timeline: Timeline, rng: np.random.Generator) -> BadRollout:
    """Choose the hour and the new template."""
    start, end = window(timeline, rng, at=0.72, share=0.06, most=timedelta(minutes=70))
    good, revision = fleet.cluster(_CLUSTER).pods_of(_WORKLOAD)[0], int(rng.integers(20, 60))
    template = letters(rng, 10)
    bad = Rollout(
        _CLUSTER,
        _WORKLOAD,
        at=start,
        replaces=good.template,
        template=template,
        version=_VERSION,
        revision=revision,
        count=2,
    )
    back = Rollout(
        _CLUSTER,
        _WORKLOAD,
        at=end - timedelta(seconds=195),
        replaces=template,
        template=good.template,
        version=good.spec.version,
        revision=revision + 1,
        count=2,
    )
    fault = Fault(
        name="checkout-bad-rollout",
        title=f"{_WORKLOAD} {_VERSION} is slow and fails in {_CLUSTER}, then rolled back",
        kind="bad_rollout",
        cluster=_CLUSTER,
        namespace="shop",
        entities=(
            {"workload": _WORKLOAD},
            {"destination_workload": _WORKLOAD},
            *({"destination_workload": caller} for caller, _, _ in _CALLERS),
        ),
        metrics=(
            "istio_request_duration_milliseconds_sum",
            "istio_requests_total",
            "kube_deployment_status_replicas_available",
        ),
        start=start,
        end=end,
        culprit=f"shop/{_WORKLOAD}",
        change=_VERSION,
    )
    return BadRollout(fault, bad, back, entropy=int(rng.integers(2**32)))
