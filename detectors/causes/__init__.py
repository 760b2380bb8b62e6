"""Which entity is the cause, of all that behave unusually at once.

What is known of an entity comes in kinds: its metrics (`deviation`), what its callees do not
explain of a symptom (`flow`), the calls between it and others (`ends`), how often things happen in
it (`rates`). Each kind gives every entity a size; `ranking` puts them together.
"""

from detectors.causes.deviation import Deviations, Rows, deviations, onset_of
from detectors.causes.ends import at_ends
from detectors.causes.flow import unexplained
from detectors.causes.ranking import KIND_WEIGHTS, LEAST_CHANGE, Ranked, notable, ranked
from detectors.causes.rates import rate_changes

__all__ = [
    "KIND_WEIGHTS",
    "LEAST_CHANGE",
    "Deviations",
    "Ranked",
    "Rows",
    "at_ends",
    "deviations",
    "notable",
    "onset_of",
    "ranked",
    "rate_changes",
    "unexplained",
]
