"""How good a detector's scores are, given labels."""

from detectors.evaluation.events import EventCounts, count_events
from detectors.evaluation.nab import LabelledScore, NabScore, nab_score
from detectors.evaluation.vus import series_period, vus_pr

__all__ = [
    "EventCounts",
    "LabelledScore",
    "NabScore",
    "count_events",
    "nab_score",
    "series_period",
    "vus_pr",
]
