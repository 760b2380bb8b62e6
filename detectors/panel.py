"""The panel: the one array shape of this package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidPanelError

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Many series on one time grid.

    Column `j` stands for the half-open bucket `[start + j * step, start + (j + 1) * step)`.
    Where a series has no data, the value is NaN. The constructor narrows `values` to a
    C-contiguous float32 array (a view where it already is one) and checks everything, so a
    `Panel` that exists is a valid one. Treat the arrays as read-only.

    Attributes:
        values: float32 `[n_series, n_times]`, NaN = no data, never infinite.
        start: first column's time, µs since the epoch, UTC.
        step: width of a column in µs, positive.
        series_id: int64 `[n_series]`, no repeats.

    Raises:
        InvalidPanelError: if a rule above does not hold.

    >>> panel = Panel([[1.0, float("nan"), 3.0]], start=0, step=60_000_000, series_id=[7])
    >>> panel.n_series, panel.n_times
    (1, 3)
    >>> panel.window(60_000_000, 180_000_000).times
    array([ 60000000, 120000000])
    """

    values: Float32
    start: int
    step: int
    series_id: Int64

    def __init__(
        self, values: npt.ArrayLike, start: int, step: int, series_id: npt.ArrayLike
    ) -> None:
        object.__setattr__(self, "values", _as_values(values))
        object.__setattr__(self, "series_id", _as_ids(series_id))
        object.__setattr__(self, "start", int(start))
        object.__setattr__(self, "step", int(step))
        if self.step <= 0:
            raise InvalidPanelError(f"step {self.step} µs is not positive")
        if self.series_id.shape[0] != self.values.shape[0]:
            raise InvalidPanelError(
                f"{self.series_id.shape[0]} series ids for {self.values.shape[0]} rows of values"
            )

    @property
    def n_series(self) -> int:
        """Number of rows."""
        return int(self.values.shape[0])

    @property
    def n_times(self) -> int:
        """Number of columns."""
        return int(self.values.shape[1])

    @property
    def end(self) -> int:
        """First µs after the last column."""
        return self.start + self.n_times * self.step

    @property
    def times(self) -> Int64:
        """Start of every column, int64 µs `[n_times]`."""
        return self.start + self.step * np.arange(self.n_times, dtype=np.int64)

    def window(self, start: int, end: int) -> Panel:
        """Return the columns whose start lies in `[start, end)`; empty where none does."""
        first = min(max(-((self.start - start) // self.step), 0), self.n_times)
        last = min(max(-((self.start - end) // self.step), first), self.n_times)
        return Panel(
            self.values[:, first:last],
            self.start + first * self.step,
            self.step,
            self.series_id,
        )

    def from_column(self, first: int) -> Panel:
        """Return the columns from `first` on, 0 or more; empty where there are fewer."""
        start = self.start + first * self.step
        return Panel(self.values[:, first:], start, self.step, self.series_id)

    def with_values(self, values: npt.ArrayLike) -> Panel:
        """Return the same grid and series with other values.

        Raises:
            InvalidPanelError: if the shape differs.
        """
        panel = Panel(values, self.start, self.step, self.series_id)
        if panel.values.shape != self.values.shape:
            raise InvalidPanelError(
                f"values of shape {panel.values.shape} in a panel of shape {self.values.shape}"
            )
        return panel


def _as_values(values: npt.ArrayLike) -> Float32:
    try:
        # A float64 beyond float32 would turn infinite with a warning; it is refused below.
        with np.errstate(over="ignore"):
            narrow = np.ascontiguousarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidPanelError(f"values are not a numeric matrix: {error}") from error
    if np.ndim(values) != 2:
        raise InvalidPanelError(f"values have {np.ndim(values)} dimensions, a panel has 2")
    if np.isinf(narrow).any():
        row = int(np.flatnonzero(np.isinf(narrow).any(axis=1))[0])
        raise InvalidPanelError(f"infinite value in row {row}: no data is NaN")
    return narrow


def _as_ids(series_id: npt.ArrayLike) -> Int64:
    given = np.asarray(series_id)
    if given.size and given.dtype.kind not in "iu":
        raise InvalidPanelError(f"series ids of type {given.dtype}, integers are needed")
    ids = np.ascontiguousarray(given.astype(np.int64, copy=False))
    if ids.ndim != 1:
        raise InvalidPanelError(f"series ids have {ids.ndim} dimensions, 1 is needed")
    if np.unique(ids).size != ids.size:
        raise InvalidPanelError(f"{ids.size - np.unique(ids).size} repeated series ids")
    return ids
