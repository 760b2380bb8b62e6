"""The policy engines: Gatekeeper at admission, OPA for the shop's own authorisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.simulation.signals import drift, noise, stream
from ingest.simulation.timeline import FloatArray
from ingest.simulation.traffic import Traffic

ADMISSION = "kubernetes/admission/deny"
AUTHORIZATION = "shop/authz/allow"
_ADMISSIONS = 0.9  # requests per second, from controllers and people; half of it never sleeps
_AUTHORIZATIONS = 12.0  # at the daily peak
_DENIED_ADMISSIONS = 0.012
_DENIED_AUTHORIZATIONS = 0.02


@dataclass
class Policy:
    """Decisions of one cluster.

    Attributes:
        traffic: The traffic behind the decisions.
        rate: Per decision path, decisions per second, `[n]`.
        denied: Per decision path, share of denials, `[n]`.
    """

    traffic: Traffic
    rate: dict[str, FloatArray]
    denied: dict[str, FloatArray]


def simulate_policy(traffic: Traffic, seed: int) -> Policy:
    """Undisturbed decisions of one cluster."""
    timeline = traffic.timeline
    rng = stream(seed, "policy", traffic.cluster.name)
    wobble = np.exp(noise(rng, 2, timeline, minutes=25, size=0.06))
    wobble *= drift(rng, 2, timeline, size=0.02)
    doubt = np.exp(noise(rng, 2, timeline, minutes=45, size=0.12))
    return Policy(
        traffic,
        rate={
            ADMISSION: _ADMISSIONS * (0.5 + 0.5 * traffic.activity) * wobble[0],
            AUTHORIZATION: _AUTHORIZATIONS * traffic.activity * wobble[1],
        },
        denied={
            ADMISSION: _DENIED_ADMISSIONS * doubt[0],
            AUTHORIZATION: _DENIED_AUTHORIZATIONS * doubt[1],
        },
    )
