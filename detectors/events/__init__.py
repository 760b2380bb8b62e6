"""Counts of events in, scores out: what comes too often, what stops, what was never there before.

Events are bursty and mostly absent, so they have statistics of their own: over-dispersed counts
per column, sparse, over windows of several lengths (`baseline`, `rates`, `stops`), shares of
denials (`shares`), reasons never seen (`firsts`), and templates of log lines (`templates`).
"""

from detectors.events.baseline import Baseline, learn
from detectors.events.cells import Cells, intervals_of
from detectors.events.counts import Counts
from detectors.events.firsts import First, News, firsts
from detectors.events.rates import exceedances, normal_range
from detectors.events.shares import denials
from detectors.events.stops import may_have_stopped, stops
from detectors.events.templates import Templates

__all__ = [
    "Baseline",
    "Cells",
    "Counts",
    "First",
    "News",
    "Templates",
    "denials",
    "exceedances",
    "firsts",
    "intervals_of",
    "learn",
    "may_have_stopped",
    "normal_range",
    "stops",
]
