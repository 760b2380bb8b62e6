"""Absence: how long a silence is unusual for what has its own rhythm of reporting.

Presence is a bit a column: `bits` packs and joins them, `rhythm` learns how long things usually are
silent, `silences` finds when one is silent for longer.
"""

from detectors.absence.bits import WORD, Groups, elapsed, holds
from detectors.absence.rhythm import Patience, Rhythms, patience, rhythms
from detectors.absence.silences import Silences, last_heard, silences

__all__ = [
    "WORD",
    "Groups",
    "Patience",
    "Rhythms",
    "Silences",
    "elapsed",
    "holds",
    "last_heard",
    "patience",
    "rhythms",
    "silences",
]
