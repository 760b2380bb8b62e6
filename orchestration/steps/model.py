"""A fitted detector, and what else is known of the series that it scores."""

from dataclasses import dataclass
from datetime import datetime

from detectors import Detector
from detectors.families import Limits
from detectors.season import HOUR, Season
from orchestration.steps.groups import Group

LOOK_BACK = 31
"""Most columns whose alarms a season looks back on: those that the default detector does."""


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted detector, what it was fitted on, and what else is known of its series.

    Attributes:
        detector: fitted.
        version: names all that determines it.
        fitted_at: the end of what it was fitted on.
        limits: which deviations do harm.
        hold: columns for which harm lasts: as many as make an interval.
        season: what each hour of the week usually holds; None = not known of any series.
    """

    detector: Detector
    version: str
    fitted_at: datetime
    limits: Limits
    hold: int
    season: Season | None = None

    @property
    def before(self) -> int:
        """Columns before the first that is scored; with a season, an hour at least."""
        if self.season is None:
            return self.detector.context
        return max(self.detector.context, HOUR // self.detector.step_)

    @property
    def look_back(self) -> int:
        """Columns whose alarms the season looks back on."""
        return 0 if self.season is None else min(self.detector.context, LOOK_BACK)

    @property
    def context(self) -> int:
        """Columns before the first that is judged: what is scored, and lately was, counts there."""
        return self.before + self.look_back + self.hold - 1


Fitted = tuple[Group, Model]
