"""What finds anomalies beside the detectors, which score a panel of samples each.

A finder asks the lake itself: for events, for what has fallen silent, for what the same workload
does elsewhere. Its rows are rows of `anomalies` like any other, so intervals grow, merge and become
final as those of detectors do (`orchestration.steps.carry_on`).
"""

from collections.abc import Callable, Mapping

from orchestration.detection_settings import DetectionSettings, FinderName
from orchestration.steps.absence.finder import Absence
from orchestration.steps.events.finder import EventFinder
from orchestration.steps.look import Finder, Look
from orchestration.steps.siblings.finder import Siblings

__all__ = ["FINDERS", "Finder", "Look", "finders"]

FINDERS: Mapping[FinderName, Callable[[], Finder]] = {
    "absence": Absence,
    "event_rate": EventFinder,
    "siblings": Siblings,
}


def finders(settings: DetectionSettings) -> list[Finder]:
    """New ones, as the settings say."""
    return [FINDERS[name]() for name in settings.also]
