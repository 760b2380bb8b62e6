"""What the families of many series say of deviations, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from detectors.families.family import Family

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]

SIDES = {"both": 0, "above": 1, "below": -1}


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Which deviations of each series do harm; all arrays `[n_series]`.

    Attributes:
        series_id: int64, ascending.
        side: int8, 1 = above alone, -1 = below alone, 0 = both.
        absolute: float32, least deviation that counts, in the unit of the series.
        relative: float32, least deviation that counts, as a part of what is expected.
        floor: float32, what no value is below; -inf = none.
        ceiling: float32, what no value is above; inf = none.
    """

    series_id: Int64
    side: Int8
    absolute: Float32
    relative: Float32
    floor: Float32
    ceiling: Float32

    @classmethod
    def of(cls, families: Sequence[Family], series_id: npt.ArrayLike) -> Self:
        """The limits of series, each by its family.

        Args:
            families: one a series.
            series_id: int64, without repeats, in any order.

        >>> above = Family("errors", (".*",), direction="above", least_absolute=0.5)
        >>> limits = Limits.of([Family("rest", (".*",)), above], [7, 3])
        >>> limits.series_id, limits.side
        (array([3, 7]), array([1, 0], dtype=int8))
        """
        ids = np.asarray(series_id, np.int64)
        order = np.argsort(ids)
        told = np.array(
            [
                (
                    SIDES[one.direction],
                    one.least_absolute,
                    one.least_relative,
                    -np.inf if one.floor is None else one.floor,
                    np.inf if one.ceiling is None else one.ceiling,
                )
                for one in families
            ],
            np.float32,
        ).reshape(-1, 5)[order]
        side, absolute, relative, floor, ceiling = np.ascontiguousarray(told.T)
        return cls(ids[order], side.astype(np.int8), absolute, relative, floor, ceiling)

    def rows_of(self, series_id: Int64) -> Int64:
        """The row of each series here, -1 where there is none."""
        if not self.series_id.size:
            return np.full(series_id.shape, -1, np.int64)
        spot = np.minimum(np.searchsorted(self.series_id, series_id), self.series_id.size - 1)
        return np.where(self.series_id[spot] == series_id, spot, -1)

    def take(self, rows: Int64) -> Self:
        """The limits of rows, in any shape; of -1 those that let everything pass."""
        known = rows >= 0

        def pick(array: npt.NDArray[np.generic], none: float) -> npt.NDArray[np.generic]:
            if not array.size:
                return np.full(rows.shape, none, array.dtype)
            return np.where(known, array[rows], array.dtype.type(none))

        return type(self)(
            pick(self.series_id, -1),  # type: ignore[arg-type]
            pick(self.side, 0),  # type: ignore[arg-type]
            pick(self.absolute, 0.0),  # type: ignore[arg-type]
            pick(self.relative, 0.0),  # type: ignore[arg-type]
            pick(self.floor, -np.inf),  # type: ignore[arg-type]
            pick(self.ceiling, np.inf),  # type: ignore[arg-type]
        )
