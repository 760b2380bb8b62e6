"""What a finder is, and what it is to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.anomaly_rows import Row


@dataclass(frozen=True, slots=True)
class Listening:
    """Since when this process has taken data, as far as it knows.

    Attributes:
        since: until then nobody may have; from then on, what is not there was not sent.
        paused: until when an earlier process did; None = there was none.
    """

    since: datetime
    paused: datetime | None = None


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
        listening: None = nobody knows who took data when: a range of the past.
    """

    snapshot: Snapshot
    between: TimeRange
    settings: DetectionSettings
    final_before: datetime
    clusters: Sequence[str] = ()
    but_not: Sequence[str] = ()
    listening: Listening | None = None

    @property
    def lake_version(self) -> int:
        """Of the samples."""
        return self.snapshot.versions["samples"]


class Finder(Protocol):
    """One that lives as long as its process; what it remembers must not change what it finds."""

    detectors: tuple[str, ...]
    """Its names in `anomalies`: those that `detector` has in its rows."""

    def find(self, look: Look) -> list[Row]:
        """The intervals that lie in the range, as rows of `anomalies`, by start."""
        ...
