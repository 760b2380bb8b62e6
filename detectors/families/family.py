"""What is known of a kind of metric before any of its data is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reading = Literal["rate", "level", "age"]
"""How samples become a panel's values: per second of a counter; as they are; or, of a time in Unix
seconds, how long it is past."""

Direction = Literal["both", "above", "below"]
"""The side of what is expected on which a deviation does harm."""

MIB = 1024.0 * 1024.0


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics that mean the same kind of thing, and what of them is worth telling a person.

    Attributes:
        name: for people: "exporter: what".
        metrics: regular expressions, any of which a metric's whole name matches.
        labels: (label, regular expression) that all have to match whole values; an absent label
            has the value "".
        reading: how it is read; None = as its sender declares it: a counter as rate, else level.
        direction: the side on which a deviation does harm.
        least_absolute: least deviation that counts, in the unit of the reading.
        least_relative: least deviation that counts, as a part of what is expected.
        floor: what no value is below; None = none.
        ceiling: what no value is above; None = none.
        entity: what it tells about.
        scored: whether it is scored at all.
    """

    name: str
    metrics: tuple[str, ...]
    labels: tuple[tuple[str, str], ...] = ()
    reading: Reading | None = None
    direction: Direction = "both"
    least_absolute: float = 0.0
    least_relative: float = 0.0
    floor: float | None = 0.0
    ceiling: float | None = None
    entity: str = "series"
    scored: bool = True


def ignored(
    name: str, *metrics: str, labels: tuple[tuple[str, str], ...] = (), entity: str = "series"
) -> Family:
    """A family that is not scored: it describes, is set by people, or is told by another metric."""
    return Family(name, metrics, labels, entity=entity, scored=False)


def read_as(family: Family, metric: str, kind: str | None) -> Reading:
    """How a series of a family is read.

    Args:
        family: its own.
        metric: its name.
        kind: what its sender declares it to be; None = nothing.

    >>> read_as(Family("any", (".*",)), "http_requests_total", None)
    'rate'
    >>> read_as(Family("any", (".*",)), "http_requests_total", "gauge")
    'level'
    """
    if family.reading is not None:
        return family.reading
    if kind is None or kind == "unknown":
        return "rate" if metric.endswith(("_total", "_count", "_sum", "_bucket")) else "level"
    return "rate" if kind == "counter" else "level"
