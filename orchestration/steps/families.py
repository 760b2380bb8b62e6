"""Presets and settings as one: which family a series is of."""

from functools import lru_cache

from detectors.families import PRESETS, Lookup, Override
from orchestration.detection_settings import DetectionSettings
from orchestration.family_settings import FamilySettings

SAME_WORDS = ("reading", "direction", "least_absolute", "least_relative")
"""Settings that are called as the fields of a `Family` are."""


def lookup(settings: DetectionSettings) -> Lookup:
    """The families by the settings, and behind them the presets; the same settings give the same.

    >>> ours = FamilySettings(metrics="up", direction="both")
    >>> lookup(DetectionSettings(families=(ours,))).of("up", {}).direction
    'both'
    """
    return _lookup(tuple(one.model_dump_json() for one in settings.families))


@lru_cache(maxsize=8)
def _lookup(families: tuple[str, ...]) -> Lookup:
    return Lookup(PRESETS, [_override(FamilySettings.model_validate_json(one)) for one in families])


def _override(one: FamilySettings) -> Override:
    changes = {name: getattr(one, name) for name in SAME_WORDS}
    changes["scored"] = None if one.ignore is None else not one.ignore
    said = {name: value for name, value in changes.items() if value is not None}
    return Override(one.metrics, tuple(one.labels.items()), said)
