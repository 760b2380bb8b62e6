"""Kinds of evidence put together.

Sizes of different kinds are not of one unit, and in a fault that spreads, half the fleet deviates
in some kind. What counts is how far an entity stands out of the others in a kind: the logarithm of
its size over the typical one. The kinds add like the sides of a right angle: two that agree count
more than each, and many faint ones do not outweigh a strong one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

KIND_WEIGHTS: Mapping[str, float] = {
    "flow": 3.0,
    "latency": 1.0,
    "logs": 1.2,
    "calls": 0.5,
    "metrics": 0.3,
    "silence": 0.4,
    "edges": 0.3,
    "changes": 0.3,
    "flagged": 0.3,
    "events": 0.2,
    "onset": 0.2,
    "upstream": 0.4,
    "told": 0.5,
}
"""What a kind counts. A request's own path and a service's own words say where a fault is; a metric
moves for many reasons, and callers change what they call when users change what they do."""

ENOUGH = {"metrics": 30.0}
"""Sizes beyond which a kind says little more: a deviation of 1,000 scales is hardly a better reason
than one of 30."""

BEYOND = 0.1
"""Of the logarithm of what is beyond."""

NOTABLE: Mapping[str, float] = {
    "flow": 101.0,
    "latency": 1.0,
    "logs": 5.0,
    "calls": 5.0,
    "metrics": 6.0,
    "silence": 5.0,
    "edges": 1.0,
    "changes": 101.0,
    "flagged": 4.0,
    "events": 5.0,
    "onset": 101.0,
    "upstream": 101.0,
    "told": 5.0,
}
"""Sizes that chance does not bring about. Somebody always has the largest share of a symptom, and
something is always changed: neither says that anything is wrong."""


CHANGED = 0.5
"""Of these sizes, where the entity itself was changed shortly before: that the odd and the change
come together by chance is rarer than either."""

LEAST_CHANGE = 0.3
"""Size of a change that is shortly before: two hours, if it says what was changed."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """An entity and how much speaks for its being the cause.

    Attributes:
        entity: its name.
        score: 0 = nothing; comparable within one question only.
        confidence: share of all scores' squares, the first few being what matters.
        kinds: what each kind adds, the largest first.
    """

    entity: str
    score: float
    confidence: float
    kinds: tuple[tuple[str, float], ...]


def notable(sizes: Mapping[str, float]) -> bool:
    """Whether anything of an entity, by kind, is more than chance.

    >>> notable({"metrics": 2.0, "changes": 15.0}), notable({"logs": 9.0})
    (False, True)
    >>> notable({"flagged": 3.2}), notable({"flagged": 3.2, "changes": 2.0})
    (False, True)
    """
    share = CHANGED if sizes.get("changes", 0.0) >= LEAST_CHANGE else 1.0
    return any(size >= share * NOTABLE[kind] for kind, size in sizes.items())


def ranked(kinds: Mapping[str, Mapping[str, float]]) -> list[Ranked]:
    """All entities, the most likely cause first; of equals by name.

    Args:
        kinds: of each kind, the size by entity; an entity that is not there has none.

    >>> found = ranked({"metrics": {"a": 1.0, "b": 1.2, "c": 20.0}, "logs": {"a": 1.0, "c": 4.0}})
    >>> [(one.entity, one.score > 1) for one in found]
    [('c', True), ('a', False), ('b', False)]
    """
    entities = sorted({entity for sizes in kinds.values() for entity in sizes})
    parts: dict[str, dict[str, float]] = {entity: {} for entity in entities}
    for kind, sizes in kinds.items():
        enough = ENOUGH.get(kind, np.inf)
        values = np.array([sizes.get(entity, 0.0) for entity in entities])
        over = values > enough
        values[over] = enough * (1.0 + BEYOND * np.log(values[over] / enough))
        if not values.any():
            continue
        above = np.log1p(values) - np.log1p(np.median(values))
        for entity, part in zip(entities, above * KIND_WEIGHTS.get(kind, 1.0), strict=True):
            if part > 0:
                parts[entity][kind] = float(part)
    scores = {one: float(np.sqrt(sum(x * x for x in parts[one].values()))) for one in entities}
    total = sum(score * score for score in scores.values())
    order = sorted(entities, key=lambda one: (-scores[one], one))
    return [
        Ranked(
            one,
            scores[one],
            scores[one] ** 2 / total if total else 0.0,
            tuple(sorted(parts[one].items(), key=lambda part: -part[1])),
        )
        for one in order
    ]
