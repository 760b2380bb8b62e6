"""Costly detectors on candidates: a cheap one says which series to look at, and when.

A column is a candidate's if the cheap detector's p-value was at most `share` in it or in one of the
`hold` columns before. So what is looked at is known at that column, does not depend on other
series, and is the same for a tick a minute and for one pass over a day.

What this means for false alarms: the costly detector's threshold stands as if it scored every
column of every series. Screening can only take alarms away, so the budget is kept; that it would
be kept by a lower threshold, too, is true only if what looks odd to one detector looked no odder
than anything to the other, and it does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from detectors import Panel, Scores
from orchestration.detection_settings import Candidates
from orchestration.steps.model import Model
from orchestration.steps.panels import SeriesInfo


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series to look at.

    Attributes:
        series: which.
        fitted_at: when the model that finds it suspicious was fitted; the costly one learns from
            the same range.
        start: µs of the first column of `looked_at`.
        looked_at: by column, whether it is a candidate's.
    """

    series: SeriesInfo
    fitted_at: datetime
    start: int
    looked_at: npt.NDArray[np.bool_]


class Screen:
    """Notes what a cheap detector finds suspicious in one range.

    Attributes:
        of: the detector's name.
        hold: columns before the range that it has to score as well.
        candidates: what was found, by series.
    """

    def __init__(self, settings: Candidates) -> None:
        self.of = settings.of
        self.hold = settings.hold
        self._share = settings.share
        self.candidates: dict[int, Candidate] = {}

    def note(
        self, panel: Panel, scores: Scores, series: Mapping[int, SeriesInfo], model: Model
    ) -> None:
        """Take down the suspicious series of a panel.

        Args:
            panel: begins at least `hold` columns before what is to be looked at.
            scores: of its columns.
            series: of its rows.
            model: that scored it.
        """
        with np.errstate(invalid="ignore"):
            odd = scores.p_value <= self._share
        for row in np.flatnonzero(odd.any(axis=1)):
            one = int(panel.series_id[row])
            self.candidates[one] = Candidate(
                series[one], model.fitted_at, panel.start, held(odd[row], self.hold)
            )

    def within(self, panel: Panel, scores: Scores) -> Scores:
        """The scores where the series are candidates; NaN elsewhere."""
        kept = np.zeros(panel.values.shape, np.bool_)
        for row, one in enumerate(panel.series_id.tolist()):
            candidate = self.candidates.get(one)
            if candidate is not None:
                first = (panel.start - candidate.start) // panel.step
                kept[row] = candidate.looked_at[first : first + panel.n_times]
        return replace(
            scores,
            score=np.where(kept, scores.score, np.float32(np.nan)),
            p_value=np.where(kept, scores.p_value, np.float32(np.nan)),
        )


def held(odd: npt.NDArray[np.bool_], hold: int) -> npt.NDArray[np.bool_]:
    """Whether a column is odd, or one of the `hold` before it.

    >>> held(np.array([False, True, False, False, False]), 2)
    array([False,  True,  True,  True, False])
    """
    place = np.arange(odd.size)
    latest = np.maximum.accumulate(np.where(odd, place, -1))
    found: npt.NDArray[np.bool_] = (latest >= 0) & (place - latest <= hold)
    return found
