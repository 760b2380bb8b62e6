"""Which detectors are compared for a family, and what a report calls them."""

from collections.abc import Sequence

from detectors import build
from detectors.selection import Sample
from orchestration.detection_settings import MINUTE_COLUMNS, DetectorSettings
from orchestration.steps.anomaly_rows import label

DEFAULTS = (
    DetectorSettings(name="window_memory", parameters=MINUTE_COLUMNS),
    DetectorSettings(name="window_memory", parameters=MINUTE_COLUMNS | {"lengths": [2, 8]}),
    DetectorSettings(name="window_memory", parameters=MINUTE_COLUMNS | {"lengths": [2, 32, 96]}),
    DetectorSettings(name="online_level"),
    DetectorSettings(name="pooled.IForest"),
    DetectorSettings(name="pyod.ECOD"),
    DetectorSettings(name="entity_memory"),
)
"""Candidates, where none are named; `entity_memory` by the closest entity with siblings."""


def candidates_for(
    incumbent: DetectorSettings, sample: Sample, detectors: Sequence[DetectorSettings] = ()
) -> dict[str, DetectorSettings]:
    """The incumbent first, each once, by title; as if they scored every metric.

    Args:
        incumbent: what scores the family now.
        sample: of the family; a detector of entities is left out where it has no siblings.
        detectors: the others; none = `DEFAULTS`.
    """
    wanted = [incumbent.model_copy(update={"metrics": None})]
    for one in detectors or DEFAULTS:
        kinds: list[str | None] = [one.by]
        if not detectors and one.name == "entity_memory":
            kinds = [*sample.entities]
        wanted += [
            one.model_copy(update={"by": by, "metrics": None})
            for by in kinds
            if by is None or any(len(rows) > 1 for rows in sample.entities.get(by, ()))
        ]
    return {title(one): one for one in wanted}


def title(chosen: DetectorSettings) -> str:
    """A detector with its parameters, but for what is its default anyway.

    >>> title(DetectorSettings(parameters={"lengths": [2, 8], "margin": 1.3}))
    'window_memory lengths=2,8'
    """
    own = build(chosen.name).get_params()
    given = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in chosen.parameters.items()
    }
    told = [
        f"{key}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in sorted(given.items())
        if value != (list(own[key]) if isinstance(own.get(key), tuple) else own.get(key))
    ]
    return " ".join([label(chosen), *told])
