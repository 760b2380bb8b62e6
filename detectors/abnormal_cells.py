"""Cells of a panel that may be told, until it is known how much else is abnormal beside them.

How far a column's thresholds come down depends on all rows that are scored (`detectors.discovery`),
of which only a block is in memory at once. So of each block those cells are kept that could count
if thresholds came down as far as they ever do, about one in a hundred, with what a person is told
of them; the rest is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detectors.base import Scores
from detectors.intervals import STOP_SCORE, Intervals, find_intervals
from detectors.panel import Panel
from detectors.thresholds import Calibration

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class AbnormalCells:
    """The cells of some rows of scores; arrays are `[n_cells]`, by row, then column.

    Attributes:
        n_times: columns of what was scored.
        fit: of the rows.
        row: int64, of the scores.
        column: int64.
        series: int64, row of the panel whose values these are, -1 = none.
        own: bool, the score is the detector's own: its threshold can come down.
        score: float32, at the threshold's own rate.
        p_value: float32.
        actual: float32, NaN = none, as of the next three.
        expected: float32.
        lower: float32.
        upper: float32.
    """

    n_times: int
    fit: Calibration
    row: Int64
    column: Int64
    series: Int64
    own: npt.NDArray[np.bool_]
    score: Float32
    p_value: Float32
    actual: Float32
    expected: Float32
    lower: Float32
    upper: Float32

    @property
    def rarity(self) -> Float64:
        """P-values over the rate of the threshold, as `discovery.relief` takes them."""
        return self.p_value.astype(np.float64) / self.fit.rate

    def take(self, which: npt.NDArray[np.bool_]) -> AbnormalCells:
        """Some of the cells.

        Args:
            which: bool `[n_cells]`.
        """
        arrays = {
            name: getattr(self, name)[which]
            for name in (
                "row", "column", "series", "own", "score", "p_value", "actual", "expected", "lower",
                "upper",
            )
        }  # fmt: skip
        return replace(self, **arrays)

    def raised(self, times: Float64) -> AbnormalCells:
        """The cells with thresholds at `times` their rate, float64 `[n_cells]`.

        Scores grow, and the band comes as much nearer to what is expected.
        """
        factor = self.fit.threshold[self.row] / self.fit.limits(self.row, times)
        # Where nothing changes, not by rounding either.
        factor[(times <= 1.0) | ~self.own] = 1.0
        return replace(
            self,
            score=self.score * factor,
            lower=self.expected - (self.expected - self.lower) / factor,
            upper=self.expected + (self.upper - self.expected) / factor,
        )

    def intervals(self, min_length: int, merge_gap: int) -> tuple[Intervals, Int64]:
        """The intervals of these cells, and the place of each one's peak among them.

        They are those that `detectors.find_intervals` gives of the scores that the cells are from,
        but for `row`, which counts the rows with a cell at or over the threshold.
        """
        begun = np.unique(self.row[self.score >= 1.0])
        kept = np.flatnonzero(np.isin(self.row, begun))
        rows = np.searchsorted(begun, self.row[kept])
        score, p_value = np.full((2, begun.size, self.n_times), np.nan, np.float32)
        score[rows, self.column[kept]] = self.score[kept]
        p_value[rows, self.column[kept]] = self.p_value[kept]
        found = find_intervals(Scores(score, p_value), min_length, merge_gap)
        cells = rows * self.n_times + self.column[kept]
        peaks = np.searchsorted(cells, found.row * self.n_times + found.peak)
        return found, kept[peaks]


def at_most(scores: Scores, fit: Calibration, most: Float64) -> Scores:
    """The scores at thresholds that came down as far as they ever do.

    Args:
        scores: of a detector.
        fit: of their rows.
        most: float64 `[n_rows]`, `discovery.most_relief` of the rows that are tested together.
    """
    limit = fit.limits(np.arange(most.size), most)
    return replace(scores, score=scores.score * (fit.threshold / limit)[:, None])


def abnormal_cells(
    raw: Scores, judged: Scores, loudest: Scores, panel: Panel, fit: Calibration
) -> AbnormalCells:
    """The cells that may be told.

    Args:
        raw: what the detector says.
        judged: the same, where what is usual or does no harm was lowered, and what the detector
            does not see may have been raised.
        loudest: what `judged` is of `at_most`.
        panel: what was scored, the same columns.
        fit: of the rows of the scores.
    """
    lowered = judged.score < raw.score
    kept = (loudest.score >= STOP_SCORE) & ~lowered & ~np.isnan(judged.score)
    row, column = (at.astype(np.int64) for at in np.nonzero(kept))
    cells = (row, column)
    series = _series(judged, panel, row, column)
    actual = panel.values[np.maximum(series, 0), column]
    return AbnormalCells(
        n_times=panel.n_times,
        fit=fit,
        row=row,
        column=column,
        series=series,
        own=judged.score[cells] == raw.score[cells],
        score=judged.score[cells],
        p_value=judged.p_value[cells],
        actual=np.where(series >= 0, actual, np.float32(np.nan)),
        expected=_picked(judged.expected, cells),
        lower=_picked(judged.lower, cells),
        upper=_picked(judged.upper, cells),
    )


def _picked(array: Float32 | None, cells: tuple[Int64, Int64]) -> Float32:
    return np.full(cells[0].size, np.nan, np.float32) if array is None else array[cells]


def _series(scores: Scores, panel: Panel, row: Int64, column: Int64) -> Int64:
    """The row of the panel that each cell is about.

    A detector of entities that does not tell (PyOD's) leaves it to how far each series is from its
    own middle, in its own spread.
    """
    if scores.driver is not None:
        driver: Int64 = scores.driver[0, column].astype(np.int64)
        return driver
    if len(scores.score) == panel.n_series:
        return row
    here, place = np.unique(column, return_inverse=True)
    return _farthest(panel.values, here)[place]


def _farthest(values: Float32, columns: Int64) -> Int64:
    known = np.isfinite(values).any(axis=1)
    own = values[known].astype(np.float64)
    if not own.size or not columns.size:
        return np.full(columns.size, -1, np.int64)
    middle = np.nanmedian(own, axis=1, keepdims=True)
    spread = np.nanmedian(np.abs(own - middle), axis=1, keepdims=True)
    moved = np.abs(own[:, columns] - middle) / (spread + 0.01 * np.abs(middle) + 1e-9)
    some = np.isfinite(moved).any(axis=0)
    farthest = np.where(np.isnan(moved), -1.0, moved).argmax(axis=0)
    found: Int64 = np.flatnonzero(known)[farthest]
    found[~some] = -1
    return found
