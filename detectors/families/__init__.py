"""What is known of metrics before their data is seen: how to read them, what does harm, how much.

A `Family` says it of a kind of metric; the `PRESETS` say it of the usual exporters'; a `Lookup`
finds the family of a series; `Limits` hold it for many series as arrays, and `gate` keeps what does
no harm from being told.
"""

from detectors.families.family import Direction, Family, Reading, ignored, read_as
from detectors.families.gate import HARMLESS_SCORE, gate, judged
from detectors.families.limits import Limits
from detectors.families.lookup import Lookup, Override
from detectors.families.presets import PRESETS

__all__ = [
    "HARMLESS_SCORE",
    "PRESETS",
    "Direction",
    "Family",
    "Limits",
    "Lookup",
    "Override",
    "Reading",
    "gate",
    "ignored",
    "judged",
    "read_as",
]
