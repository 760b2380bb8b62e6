"""What speaks for an entity: of each kind the strongest, in numbers and in a sentence."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """The strongest of one kind about one entity.

    Attributes:
        entity: what it is about.
        size: how far it is from what is usual, in units of its kind; 0 = not at all.
        what: the metric, operation or template.
        reason: a sentence with actual against expected.
        onset: when it began, if that is known.
        series: labels of the series, where it is one.
        actual: in the incident.
        expected: by the baseline.
    """

    entity: str
    size: float
    what: str
    reason: str
    onset: datetime | None = None
    series: dict[str, str] = field(default_factory=dict)
    actual: float | None = None
    expected: float | None = None


WHOLE = 1e3
"""From here on nobody reads what is behind the point."""


def strongest(found: list[Evidence]) -> dict[str, Evidence]:
    """Of each entity the evidence with the largest size; of equals the first."""
    best: dict[str, Evidence] = {}
    for one in found:
        if one.entity not in best or one.size > best[one.entity].size:
            best[one.entity] = one
    return best


def said(value: float) -> str:
    """A number as people write it.

    >>> said(1234567.0), said(3291.4), said(0.01234), said(100.0), said(0.0)
    ('1.23M', '3,291', '0.0123', '100', '0')
    """
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:,.0f}" if abs(value) >= WHOLE else f"{value:.3g}"


def compared(actual: float, expected: float) -> str:
    """Actual against expected.

    >>> compared(42.0, 1.5), compared(3.0, 0.0)
    ('42 instead of 1.5', '3 instead of 0')
    """
    return f"{said(actual)} instead of {said(expected)}"
