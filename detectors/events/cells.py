"""Abnormal columns of streams, and the intervals that they make."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from detectors.base import Scores
from detectors.intervals import Intervals, find_intervals

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Columns that are rarer than allowed; all arrays `[cells]`, the last four per column.

    Attributes:
        stream: int64, of the counts.
        column: int64.
        p_value: float64, how rarely a normal column does as much.
        score: float64, logarithm of the p-value in units of the one allowed: from 1.0 on.
        actual: float64, what there was, as the mean of the window that says most.
        expected: float64, what is normal.
        lower: float64, the least that passes as normal.
        upper: float64, the greatest.
    """

    stream: Int64
    column: Int64
    p_value: Float64
    score: Float64
    actual: Float64
    expected: Float64
    lower: Float64
    upper: Float64

    @classmethod
    def joined(cls, parts: Iterable[Cells]) -> Self:
        """Several as one."""
        every = [cls.none(), *parts]
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in every])
                for field in dataclasses.fields(cls)
            )
        )

    @classmethod
    def none(cls) -> Self:
        """No cell."""
        index, value = np.empty(0, np.int64), np.empty(0)
        return cls(index, index, value, value, value, value, value, value)

    def take(self, cells: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Cells:
        """Some of them."""
        return Cells(*(getattr(self, field.name)[cells] for field in dataclasses.fields(self)))

    def of(self, stream: Int64) -> Cells:
        """The same with other numbers of streams: `stream[i]` for what was `i`."""
        return dataclasses.replace(self, stream=stream[self.stream])


def score_of(p_value: Float64, rate: float) -> Float64:
    """The score of a p-value: 1.0 at the rate, 2.0 at its square.

    >>> score_of(np.array([1e-6, 1e-12]), 1e-6)
    array([1., 2.])
    """
    return np.asarray(np.log(p_value) / np.log(rate))


def intervals_of(
    cells: Cells, n_columns: int, min_length: int, merge_gap: int
) -> tuple[Intervals, Int64]:
    """The intervals of abnormal columns, and the cell at the peak of each.

    Without hysteresis: whether a column is abnormal depends on no look's beginning.

    Args:
        cells: at most one a stream and column.
        n_columns: columns are `[0, n_columns)`.
        min_length: least abnormal columns of an interval.
        merge_gap: most columns between two that are one.

    Returns:
        Intervals whose `row` is the stream, and int64 `[n_intervals]`, indices into the cells.
    """
    streams, rows = np.unique(cells.stream, return_inverse=True)
    score = np.zeros((streams.size, n_columns), np.float32)
    p_value = np.ones((streams.size, n_columns), np.float32)
    which = np.full((streams.size, n_columns), -1)
    # Rounding to float32 must not take a cell below the threshold.
    score[rows, cells.column] = np.maximum(cells.score, 1.0)
    p_value[rows, cells.column] = cells.p_value
    which[rows, cells.column] = np.arange(cells.stream.size)
    found = find_intervals(Scores(score, p_value), min_length, merge_gap, stop_score=1.0)
    peaks = which[found.row, found.peak]
    return dataclasses.replace(found, row=streams[found.row]), peaks
