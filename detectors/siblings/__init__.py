"""The same workload in other clusters as the control group: who departs from it."""

from detectors.siblings.combine import LOOK_BACK, STEADY, combined
from detectors.siblings.usual import LEAST_SIBLINGS, Usual, joined, learn

__all__ = ["LEAST_SIBLINGS", "LOOK_BACK", "STEADY", "Usual", "combined", "joined", "learn"]
