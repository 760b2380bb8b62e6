"""Detection as pure functions: arrays in, arrays out.

A `Panel` (series × time) goes into a `Detector`; out come `Scores`, of which
`find_intervals` makes the stretches that a person is told about. No file, clock or network.
"""

from detectors.base import Detector, Scores
from detectors.catalogue import build
from detectors.errors import DetectorsError
from detectors.intervals import Intervals, find_intervals
from detectors.panel import Panel

__all__ = [
    "Detector",
    "DetectorsError",
    "Intervals",
    "Panel",
    "Scores",
    "build",
    "find_intervals",
]
