"""Numbers that JSON has, too."""

from math import isfinite, isnan

MOST_SCORE = 1e6
"""Scores beyond that are told as this: thresholds of some detectors lie close to nothing."""


def finite(score: float) -> float:
    """A score.

    >>> finite(2.5), finite(float("inf")), finite(float("nan"))
    (2.5, 1000000.0, 0.0)
    """
    return 0.0 if isnan(score) else min(score, MOST_SCORE)


def known(value: float | None) -> float | None:
    """A value; None for what is no number.

    >>> known(2.5), known(float("inf"))
    (2.5, None)
    """
    return value if value is not None and isfinite(value) else None
