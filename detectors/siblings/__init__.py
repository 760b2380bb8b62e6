"""The same workload in other clusters as the control group: who departs, and what all share."""

from detectors.siblings.combine import LOOK_BACK, STEADY, combined
from detectors.siblings.shared import SHARED_CONTEXT, STEADINESS, Candidates, oddness, shared_by
from detectors.siblings.usual import LEAST_SIBLINGS, Usual, joined, learn

__all__ = [
    "LEAST_SIBLINGS",
    "LOOK_BACK",
    "SHARED_CONTEXT",
    "STEADINESS",
    "STEADY",
    "Candidates",
    "Usual",
    "combined",
    "joined",
    "learn",
    "oddness",
    "shared_by",
]
