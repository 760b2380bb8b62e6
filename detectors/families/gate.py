"""What does no harm is not told: direction and least deviation of a metric's family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from detectors.base import Scores
from detectors.families.limits import Limits
from detectors.panel import Panel

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

HARMLESS_SCORE = 0.75
"""Most that a harmless column scores: it neither begins an interval (1.0) nor keeps one going
(`detectors.intervals.STOP_SCORE`), so that an interval ends where the harm does."""


def gate(
    scores: Scores, panel: Panel, limits: Limits, p_harmless: Float32, hold: int = 1
) -> Scores:
    """The scores, where no deviation that does no harm reaches the threshold, and their band.

    A column is judged by its own value against what is expected of it; of an entity, by the metric
    that drove its score. Harm lasts for `hold` columns: a detector scores windows, and a short
    fault is as much of an alarm as they say. Where the detector knows no expected value, everything
    stays.

    A score that is lowered has the p-value of the lower one at least. The band grows to the least
    deviation that counts, ends at the floor and ceiling of the metric, and has no end (NaN) on a
    side on which nothing does harm and no floor or ceiling is known.

    Args:
        scores: of the panel.
        panel: what was scored.
        limits: of its series, in any order; a series that is not there has none.
        p_harmless: float32 `[n_rows]`, the p-value of a score of `HARMLESS_SCORE`.
        hold: columns, the one with the deviation among them.

    >>> panel = Panel([[5.0, 9.0]], start=0, step=1, series_id=[7])
    >>> two = np.array([[2.0, 2.0]], "f4")
    >>> seven = np.array([[7.0, 7.0]], "f4")
    >>> seen = Scores(two, two / 1e4, expected=seven, lower=two, upper=4 * two)
    >>> from detectors.families import Family
    >>> above = Limits.of([Family("load", (".*",), direction="above")], [7])
    >>> gate(seen, panel, above, np.array([0.01], "f4")).score
    array([[0.75, 2.  ]], dtype=float32)
    """
    if scores.expected is None:
        return scores
    actual, own = judged(scores, panel, limits)
    off = actual - scores.expected
    least = np.maximum(own.absolute, own.relative * np.abs(scores.expected))
    harm = _held(_harm(off, own.side, least), hold)
    # Without a value of its own a column is judged by its past alone: nothing says it is harmless.
    harmless = ~harm & ~np.isnan(off) & (scores.score > HARMLESS_SCORE)
    score = np.where(harmless, np.float32(HARMLESS_SCORE), scores.score)
    p_value = np.where(harmless, np.fmax(scores.p_value, p_harmless[:, None]), scores.p_value)
    lower, upper = _band(scores, own, least)
    return replace(scores, score=score, p_value=p_value, lower=lower, upper=upper)


def judged(scores: Scores, panel: Panel, limits: Limits) -> tuple[Float32, Limits]:
    """The values that scores are about, in their shape, and the limits of each."""
    if scores.driver is None:
        return panel.values, limits.take(limits.rows_of(panel.series_id)[:, None])
    row = scores.driver[0]
    actual = panel.values[np.maximum(row, 0), np.arange(row.size)]
    of = np.where(row >= 0, limits.rows_of(panel.series_id)[np.maximum(row, 0)], -1)
    return np.where(row >= 0, actual, np.float32(np.nan))[None], limits.take(of[None])


def _harm(off: Float32, side: npt.NDArray[np.int8], least: Float32) -> Bool:
    """Whether a deviation is on a side that does harm, and large enough."""
    above, below = off >= least, -off >= least
    return (above & (side >= 0)) | (below & (side <= 0))


def _held(marks: Bool, hold: int) -> Bool:
    """Whether a column, or one of the few before it, is marked."""
    out = marks.copy()
    for back in range(1, min(hold, marks.shape[1])):
        out[:, back:] |= marks[:, :-back]
    return out


def _band(scores: Scores, own: Limits, least: Float32) -> tuple[Float32 | None, Float32 | None]:
    if scores.lower is None or scores.upper is None or scores.expected is None:
        return scores.lower, scores.upper
    nan = np.float32(np.nan)
    lower = np.minimum(scores.lower, scores.expected - least)
    upper = np.maximum(scores.upper, scores.expected + least)
    # What is expected, a mean of windows, may itself lie a little beyond a floor or ceiling.
    low_end = np.minimum(own.floor, scores.expected)
    high_end = np.maximum(own.ceiling, scores.expected)
    lower = np.where(own.side > 0, low_end, np.maximum(lower, low_end))
    upper = np.where(own.side < 0, high_end, np.minimum(upper, high_end))
    return np.where(np.isinf(lower), nan, lower), np.where(np.isinf(upper), nan, upper)
