"""Choices that are kept in the lake: the champion of each metric, and detection by them.

`fleetlake choose --keep` writes them into the table `models` (`steps.keep_choices`); a later choice
of a metric takes the place of an earlier one. Detection reads them where it fits its models, as
further detectors with `metrics`: after those that the settings give metrics to, which go first, and
before the rest.
"""

import json
import logging
import re
from collections import defaultdict
from typing import Any

from pydantic import ValidationError

from detectors import DetectorsError
from detectors.own_class import is_path as is_own
from lake.query import run
from lake.schema import MODELS
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.errors import SettingsError
from orchestration.steps.contenders import title
from orchestration.steps.lawful import require_lawful

logger = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"

NEWEST = """
SELECT * EXCLUDE (date) FROM models
QUALIFY version = max(version) OVER (PARTITION BY name)
ORDER BY name, alias, detector
"""


def applied(snapshot: Snapshot, settings: DetectionSettings) -> DetectionSettings:
    """The settings with the champions of the lake among their detectors.

    A champion scores its metric unless the settings name that metric themselves; one that looks at
    whole entities comes beside those of single series, once. One that this version does not know is
    left out, and its metric scored as if nothing had been chosen: a night without is worse.
    """
    if not settings.use_champions:
        return settings
    kept = snapshot.tables.get(MODELS.name)
    if kept is None or not kept.files:
        return settings
    rows = [row for row in run(snapshot, NEWEST).rows.to_pylist() if row["alias"] == CHAMPION]
    metrics: dict[str, list[str]] = defaultdict(list)
    by_title: dict[str, DetectorSettings] = {}
    for row in rows:
        chosen = _detector(row, settings)
        if chosen is None:
            continue
        metrics[title(chosen)].append(row["name"])
        by_title[title(chosen)] = chosen
    named = [one for one in settings.detectors if one.metrics is not None]
    rest = [one for one in settings.detectors if one.metrics is None]
    have = {(one.name, one.by) for one in rest if one.by is not None}
    champions = [
        chosen.model_copy(update={"metrics": "|".join(map(re.escape, metrics[name]))})
        for name, chosen in by_title.items()
        if chosen.by is None
    ]
    beside = [
        chosen
        for chosen in {(one.name, one.by): one for one in by_title.values()}.values()
        if chosen.by is not None and (chosen.name, chosen.by) not in have
    ]
    return settings.model_copy(update={"detectors": (*named, *champions, *rest, *beside)})


def _detector(row: dict[str, Any], settings: DetectionSettings) -> DetectorSettings | None:
    try:
        chosen = DetectorSettings(
            name=row["detector"], by=row["entity"], parameters=json.loads(row["parameters"])
        )
        _require_known(chosen, settings)
        require_lawful(chosen)
    except (ValidationError, ValueError, DetectorsError, SettingsError) as error:
        logger.error("champion left out", extra={"metric": row["name"], "why": str(error)})  # noqa: TRY400
        return None
    return chosen


def _require_known(chosen: DetectorSettings, settings: DetectionSettings) -> None:
    # What a table says must not decide which module is imported.
    if is_own(chosen.name) and chosen.name not in {one.name for one in settings.detectors}:
        raise SettingsError(
            f"champion {chosen.name!r} is not used: a class of your own must be among "
            "detection.detectors, too"
        )
