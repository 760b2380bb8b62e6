"""From scores per column to intervals a person is told about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.base import Scores
from detectors.errors import InvalidParameterError

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

# An interval that began at 1.0 goes on while the score is above this: at a score that hovers
# about the threshold, one interval is truer than ten.
STOP_SCORE = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Abnormal stretches as a struct of arrays, each `[n_intervals]`, by row, then start.

    Attributes:
        row: int64, row of the scores.
        start: int64, first column.
        end: int64, column after the last abnormal one (half-open).
        peak: int64, column of the greatest score, the first where several are.
        score: float32, that score.
        p_value: float32, least p-value within.
        open: bool, columns yet to come may still lengthen it.
    """

    row: Int64
    start: Int64
    end: Int64
    peak: Int64
    score: Float32
    p_value: Float32
    open: Bool

    def __len__(self) -> int:
        return self.row.size


def find_intervals(
    scores: Scores,
    min_length: int,
    merge_gap: int,
    start_score: float = 1.0,
    stop_score: float = STOP_SCORE,
) -> Intervals:
    """Join abnormal columns to intervals, with hysteresis.

    An interval begins where the score reaches `start_score`, goes on while it is at least
    `stop_score`, bridges up to `merge_gap` columns below it or without score, and counts if at
    least `min_length` of its columns are abnormal. Nothing that comes later moves the start of
    an interval or takes one away: appended columns can only lengthen the last of a row, or
    bring new ones.

    Args:
        scores: `[n_rows, n_times]`; NaN is not abnormal.
        min_length: least abnormal columns, at least 1.
        merge_gap: most columns bridged, at least 0.
        start_score: score that begins an interval.
        stop_score: score that keeps one going, at most `start_score`.

    Raises:
        InvalidParameterError: if an argument is out of range.

    >>> score = np.array([[0.0, 1.2, 0.9, 0.1, 2.0, 0.0]], dtype="f4")
    >>> found = find_intervals(Scores(score, 1 / (1 + score)), min_length=2, merge_gap=1)
    >>> found.start, found.end, found.peak, found.open
    (array([1]), array([5]), array([4]), array([ True]))
    """
    if min_length < 1:
        raise InvalidParameterError("min_length", min_length, "must be at least 1")
    if merge_gap < 0:
        raise InvalidParameterError("merge_gap", merge_gap, "must not be negative")
    if not stop_score <= start_score:
        raise InvalidParameterError("stop_score", stop_score, f"must be at most {start_score}")
    n_rows, n_times = scores.score.shape
    # A silent column after each row keeps rows apart in one flat array.
    flat = np.full((n_rows, n_times + 1), -np.inf, dtype=np.float32)
    np.copyto(flat[:, :n_times], scores.score, where=~np.isnan(scores.score))
    level = flat.ravel()
    active = _active(level, start_score, stop_score)
    columns = np.flatnonzero(active)
    if not columns.size:
        return _nothing()
    row = columns // (n_times + 1)
    breaks = (np.diff(columns) > merge_gap + 1) | (np.diff(row) > 0)
    first = np.r_[0, np.flatnonzero(breaks) + 1]
    sizes = np.diff(np.r_[first, columns.size])
    best = np.maximum.reduceat(level[columns], first)
    group = np.repeat(np.arange(first.size), sizes)
    at_peak = np.flatnonzero(level[columns] == best[group])
    peak = columns[at_peak[np.unique(group[at_peak], return_index=True)[1]]]
    p_flat = np.ones((n_rows, n_times + 1), dtype=np.float32)
    np.copyto(p_flat[:, :n_times], scores.p_value, where=~np.isnan(scores.p_value))
    least_p = np.minimum.reduceat(p_flat.ravel()[columns], first)
    start, end = columns[first], columns[first + sizes - 1] + 1
    begin = row[first] * (n_times + 1)
    kept = sizes >= min_length
    return Intervals(
        row=row[first][kept],
        start=(start - begin)[kept],
        end=(end - begin)[kept],
        peak=(peak - begin)[kept],
        score=best[kept],
        p_value=least_p[kept],
        open=(n_times - (end - begin) <= merge_gap)[kept],
    )


def _active(level: Float32, start_score: float, stop_score: float) -> Bool:
    """Return the columns at or above `stop_score` that follow a start without a break."""
    held = level >= stop_score
    starts = level >= start_score
    place = np.arange(level.size)
    # Last start at or before each column, and last column that was let go.
    begun = np.maximum.accumulate(np.where(starts, place, -1))
    let_go = np.maximum.accumulate(np.where(held, -1, place))
    return held & (begun > let_go)


def _nothing() -> Intervals:
    index = np.empty(0, dtype=np.int64)
    value = np.empty(0, dtype=np.float32)
    return Intervals(index, index, index, index, value, value, np.empty(0, dtype=np.bool_))
