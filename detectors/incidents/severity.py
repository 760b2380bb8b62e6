"""How bad an incident is: how many it concerns, how far off they are, how long it goes on.

Each of the three counts by its doublings, so that none of them decides alone: a single series that
is wildly off for a minute is no emergency, nor are fifty that are hardly off. What users see, such
as errors and latency of requests, counts for more.
"""

from math import log2

SEVERITIES = ("critical", "major", "minor", "low")
"""From the worst."""

_LEAST = (8.0, 5.0, 3.0)
"""Weights from which an incident is critical, major, minor: one series at twice its threshold for a
quarter of an hour weighs 2; three at four times for an hour 6; six at eight times for an hour, of
failing requests, 9."""

_USERS_SEE = 1.5
_STEP_MINUTES = 15.0
_DEEPEST = 32.0
"""Scores beyond this say no more: thresholds of some detectors lie close to nothing."""


def severity(entities: int, clusters: int, peak: float, minutes: float, users_see: bool) -> str:
    """One of `SEVERITIES`.

    >>> severity(entities=1, clusters=1, peak=1.2, minutes=6, users_see=False)
    'low'
    >>> severity(entities=6, clusters=1, peak=10.0, minutes=80, users_see=True)
    'critical'

    Args:
        entities: workloads, nodes and the like that behave unusually.
        clusters: in which they are.
        peak: the highest score; 1 is the threshold.
        minutes: how long it has gone on.
        users_see: whether requests fail or are slow.
    """
    breadth = log2(max(1, entities)) + log2(max(1, clusters))
    depth = log2(min(max(1.0, peak), _DEEPEST))
    length = log2(1.0 + minutes / _STEP_MINUTES)
    weight = breadth + depth + length + (_USERS_SEE if users_see else 0.0)
    for name, least in zip(SEVERITIES, _LEAST, strict=False):
        if weight >= least:
            return name
    return SEVERITIES[-1]
