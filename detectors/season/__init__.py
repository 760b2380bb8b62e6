"""What each hour of the week usually holds, of series whose days or weeks resemble each other.

`fit_season` learns it from hours; `damp` takes back alarms over what is usual at this hour though
the day before did not show it; `raised` finds what other hours hold, but never this one.
"""

from detectors.season.hours import HOUR, Hours
from detectors.season.judge import Usual, damp, raised
from detectors.season.profile import Season, fit_season

__all__ = ["HOUR", "Hours", "Season", "Usual", "damp", "fit_season", "raised"]
