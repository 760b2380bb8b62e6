"""A new policy bundle denies what it should allow, until the old one is back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from ingest.simulation.background import bundle_activated
from ingest.simulation.event_forge import EventForge, Subject
from ingest.simulation.fault import Fault
from ingest.simulation.faults.scenario import Scenario, window
from ingest.simulation.fleet import Cluster, Fleet
from ingest.simulation.policy import ADMISSION, Policy
from ingest.simulation.signals import plateau
from ingest.simulation.timeline import Timeline

_CLUSTER = "us-2"
_DENIED = 0.14  # share of all admissions, on top of the usual one in a hundred
_RETRIES = 0.25  # controllers ask again: more admissions than usual
_REVISION, _OLD_REVISION = "9f31c7e", "5b0d2aa"


@dataclass
class PolicyDenials(Scenario):
    """The bundle's rule wants image digests, and half of the cron jobs use tags."""

    def bend_policy(self, policy: Policy) -> None:
        """From one decision to the next: a bundle is active at once."""
        shape = plateau(self.since(policy.traffic.timeline), self.seconds, rise=30.0, fall=30.0)
        policy.denied[ADMISSION] += _DENIED * shape
        policy.rate[ADMISSION] *= 1.0 + _RETRIES * shape

    def tell(self, forge: EventForge, cluster: Cluster) -> None:
        """The bundle, the controllers that are refused, and the bundle before it."""
        start, end = self.fault.start, self.fault.end
        bundle_activated(forge, start - timedelta(seconds=8), _REVISION)
        job = Subject("CronJob", "shop", "price-import", api_version="batch/v1")
        refusals = 4
        for i in range(1, refusals + 1):
            forge.core(
                start + i * (end - start) / (refusals + 1),
                job,
                "FailedCreate",
                'Error creating job: admission webhook "validation.gatekeeper.sh" denied the '
                f"request: [require-image-digest] revision {_REVISION}: image has no digest",
                component="cronjob-controller",
                warning=True,
                count=9 * i,
                first=start + timedelta(seconds=50),
            )
        bundle_activated(forge, end - timedelta(seconds=15), _OLD_REVISION)


def plan(fleet: Fleet, timeline: Timeline, rng: np.random.Generator) -> PolicyDenials:
    """Choose the minutes."""
    fleet.cluster(_CLUSTER).workload("opa")
    start, end = window(timeline, rng, at=0.84, share=0.08, most=timedelta(minutes=90))
    fault = Fault(
        name="policy-denials",
        title=f"policy bundle {_REVISION} denies admissions in {_CLUSTER} that should pass",
        kind="policy_denials",
        cluster=_CLUSTER,
        namespace="platform",
        entities=(
            {"job": "opa"},
            {"job": "gatekeeper"},
            # Whose jobs are refused.
            {"namespace": "shop", "workload": "price-import"},
        ),
        metrics=("gatekeeper_validation_request_count", "opa_decisions_total"),
        start=start,
        end=end,
        culprit="platform/opa",
        change=_REVISION,
    )
    return PolicyDenials(fault)
