"""Scores of minutes against the profile of the week."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detectors.base import Scores
from detectors.intervals import STOP_SCORE
from detectors.memory.spans import over_spans
from detectors.panel import Panel
from detectors.season.hours import HOUR, WEEK
from detectors.season.profile import Season, half_width

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

# A job may start a little early or late: so near its edge, an hour holds what its neighbour does.
EDGE = HOUR // 4
# Columns whose mean is compared with the range of an hour: ranges of counters are of five minutes.
SMOOTH = 5
# Part of an hour's range by which a value may leave it and still be usual: one more day or week
# goes a little beyond what two have come to.
TOLERANCE = 0.25
# Of the columns that have left a detector's band, so many may be unusual: noise about an edge.
MOST_STRANGE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What each column of a panel usually holds, `[n_rows, n_times]`; NaN = nothing is known.

    Attributes:
        inside: bool, the last columns are within what this hour usually holds.
        known: bool, there is a season to judge by.
    """

    inside: Bool
    known: Bool

    def newest(self, count: int) -> Usual:
        """The last columns."""
        first = self.inside.shape[1] - count
        return Usual(self.inside[:, first:], self.known[:, first:])

    def take(self, driver: npt.NDArray[np.int32]) -> Usual:
        """That of an entity: in each column, of the row that drove its score; -1 = unknown."""
        row, column = np.maximum(driver, 0), np.arange(driver.size)
        told = driver >= 0
        return Usual(
            (self.inside[row, column] & told)[None], (self.known[row, column] & told)[None]
        )

    @classmethod
    def of(cls, panel: Panel, season: Season) -> Usual:
        """Of every row of a panel; rows without a season know nothing."""
        inside = np.zeros(panel.values.shape, np.bool_)
        rows = season.rows_of(panel.series_id)
        here = np.flatnonzero(rows >= 0)
        if here.size:
            own = season.take(rows[here])
            smooth = over_spans(panel.values[here], (SMOOTH,))
            inside[here] = _inside(smooth, own, panel.times)
        known = np.broadcast_to((rows >= 0)[:, None], inside.shape)
        return cls(inside, known)


def _inside(values: Float32, season: Season, times: Int64) -> Bool:
    _, low, high = np.moveaxis(season.of_week(), 1, 0)
    give = TOLERANCE * (high - low)
    low, high = low - give, high + give
    found = np.zeros(values.shape, np.bool_)
    with np.errstate(divide="ignore", invalid="ignore"):
        as_before = (values, values - season.shift[:, None], values / season.factor[:, None])
    for moved in (0, -EDGE, EDGE):
        at = (times + moved) // HOUR % WEEK
        for each in as_before:
            # Not known is not usual: comparisons with NaN are false.
            found |= (each >= low[:, at]) & (each <= high[:, at])
    return found


def damp(
    scores: Scores, actual: Float32, usual: Usual, context: int, most: float, p_most: Float32
) -> Scores:
    """The scores, where what is usual at this hour is no alarm.

    An alarm is taken back where nearly all that has left the detector's band, in the columns that
    the score looks back on, is what this hour of the week usually holds. An alarm over values
    within the band (a shape, a standstill) stays: the season knows nothing of shapes.

    Args:
        scores: with a band; without one they stay as they are.
        actual: the values that scores are about, in their shape.
        usual: of the same.
        context: columns that a score looks back on.
        most: the greatest score of what is taken back.
        p_most: float32 `[n_rows]`, its p-value.
    """
    if scores.lower is None or scores.upper is None:
        return scores
    loud = scores.score >= STOP_SCORE
    outside = loud & usual.known & ((actual < scores.lower) | (actual > scores.upper))
    explained = _lately(outside & usual.inside, context)
    strange = _lately(outside & ~usual.inside, context)
    most_strange = MOST_STRANGE * (explained + strange)
    back = loud & (explained > 0) & (strange <= most_strange) & (scores.score > most)
    score = np.where(back, np.float32(most), scores.score)
    p_value = np.where(back, np.fmax(scores.p_value, p_most[:, None]), scores.p_value)
    return replace(scores, score=score, p_value=p_value)


def _lately(marks: Bool, context: int) -> npt.NDArray[np.int32]:
    """How many of a column and so many before it are marked."""
    count = np.cumsum(marks, axis=1, dtype=np.int32)
    before = np.zeros_like(count)
    before[:, context + 1 :] = count[:, : max(count.shape[1] - context - 1, 0)]
    return count - before


def raised(scores: Scores, panel: Panel, season: Season, usual: Usual) -> Scores:
    """The scores of series, where an hour that holds what it never does is an alarm.

    The mean of the last hour is compared with what the profile foretells of it, in half widths of
    that hour's range, calibrated by how far past hours were from the same hour of other weeks. A
    column is an alarm if the last few are beyond the range, too: an hour's profile does not say at
    which of its minutes a job begins or ends. A level that has moved for the last day throughout,
    by a shift or by a factor, is not held against each of its hours.

    Args:
        scores: with a band; without one they stay as they are. Of the panel's last columns.
        panel: what was scored, with an hour before.
        season: of its series.
        usual: of what the scores are of.
    """
    rows = season.rows_of(panel.series_id)
    here = np.flatnonzero((rows >= 0) & season.alarms[np.maximum(rows, 0)]) if rows.size else rows
    per_hour = HOUR // panel.step
    if not here.size or scores.expected is None or per_hour < 1:
        return scores
    own = season.take(rows[here])
    newest = scores.score.shape[1]
    middle, half = _foretold(own, panel.times[panel.n_times - newest :] + panel.step)
    values = panel.values[here, max(panel.n_times - newest - per_hour, 0) :]
    mean = over_spans(values, (per_hour,))[:, values.shape[1] - newest :]
    off = mean - middle
    moved = (off, off - own.shift[:, None], mean - own.factor[:, None] * middle)
    away = np.minimum.reduce([np.abs(each) for each in moved]) / half
    limit = own.calibration.threshold[:, None]
    score = away / limit
    louder = (score >= 1.0) & ~(scores.score[here] >= score) & ~usual.inside[here]

    def where_louder(theirs: Float32, ours: Float32) -> Float32:
        whole = theirs.copy()
        whole[here] = np.where(louder, ours, theirs[here])
        return whole

    p_value = own.calibration.p_values(away.astype(np.float32))
    return Scores(
        where_louder(scores.score, score),
        where_louder(scores.p_value, p_value),
        where_louder(scores.expected, middle),
        None if scores.lower is None else where_louder(scores.lower, middle - half * limit),
        None if scores.upper is None else where_louder(scores.upper, middle + half * limit),
    )


def _foretold(season: Season, ends: Int64) -> tuple[Float32, Float32]:
    """Middle and half width of the hours that end at these times, each of parts of two clock hours.

    The wider of the two: what moves within one of them shows as much.
    """
    middle, low, high = np.moveaxis(season.of_week(), 1, 0)
    half = half_width(low, high)
    last = (ends - 1) // HOUR % WEEK
    part = ((ends - 1) % HOUR + 1) / HOUR
    centre = (part * middle[:, last] + (1.0 - part) * middle[:, last - 1]).astype(np.float32)
    width = np.fmax(half[:, last], half[:, last - 1])
    return centre, np.where(width > 0.0, width, np.float32(np.nan))
