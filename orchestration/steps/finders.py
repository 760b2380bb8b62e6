"""What finds anomalies beside the detectors, which score a panel of samples each.

A finder asks the lake itself: for events, for what has fallen silent, for clusters that depart from
their siblings. Its rows are rows of `anomalies` like any other, so intervals grow, merge and become
final as those of detectors do (`orchestration.steps.carry_on`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings, FinderName
from orchestration.steps.anomaly_rows import Row


@dataclass(frozen=True, slots=True)
class Look:
    """What a finder is to look at.

    Attributes:
        snapshot: the tables; nothing after `between.end` may be used, though it may be there.
        between: whole columns of `settings.step`. Consecutive looks overlap: the range begins far
            enough back for an interval to become long enough, or to end, in several looks.
        settings: of detection.
        final_before: an interval that ended before can grow no more.
        clusters: only these; empty = all.
        but_not: not these.
    """

    snapshot: Snapshot
    between: TimeRange
    settings: DetectionSettings
    final_before: datetime
    clusters: Sequence[str] = ()
    but_not: Sequence[str] = ()

    @property
    def lake_version(self) -> int:
        """Of the samples."""
        return self.snapshot.versions["samples"]


class Finder(Protocol):
    """One that lives as long as its process; what it remembers must not change what it finds."""

    detector: str
    """Its name in `anomalies`."""

    def find(self, look: Look) -> list[Row]:
        """The intervals that lie in the range, as rows of `anomalies`, by start."""
        ...


FINDERS: Mapping[FinderName, Callable[[], Finder]] = {}


def finders(settings: DetectionSettings) -> list[Finder]:
    """New ones, as the settings say."""
    return [FINDERS[name]() for name in settings.also]
