"""Choosing detectors by evidence, without labels: known faults in a family's own clean history."""

from detectors.selection.choose import Choice, choose, confirm
from detectors.selection.faults import KINDS, FaultKind, Injected, inject
from detectors.selection.judge import Judged, Plan, judge
from detectors.selection.means import kind_means
from detectors.selection.regret import Regret, regret
from detectors.selection.scorers import Candidate, Fold, Kept, Sample
from detectors.selection.shape import Shape, shape_of

__all__ = [
    "KINDS",
    "Candidate",
    "Choice",
    "FaultKind",
    "Fold",
    "Injected",
    "Judged",
    "Kept",
    "Plan",
    "Regret",
    "Sample",
    "Shape",
    "choose",
    "confirm",
    "inject",
    "judge",
    "kind_means",
    "regret",
    "shape_of",
]
