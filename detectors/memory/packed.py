"""Remembered windows in a byte a mean: those of a million series fit into a few GiB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]
Int16 = npt.NDArray[np.int16]

# Largest codes: a signed byte's and a signed short's, the same on both sides.
MOST = 127
MOST_GRAINS = 32_767
# Half the range of a window that is none.
UNUSED = -1

FIELDS = ("codes", "middle", "half", "grain")


@dataclass(frozen=True, slots=True, eq=False)
class PackedWindows:
    """Windows of many series, each in its own range: a quiet one stays exact beside a loud one.

    The mean in bin b of window k is `grain * (middle[k] + codes[b, k] * half[k] / 127)`. What comes
    back differs from what went in by at most 1/250 of the window's range and 1/8,000 of the
    largest mean of its series.

    Attributes:
        codes: int8 `[n_rows, n_bins, n_windows]`.
        middle: int16 `[n_rows, n_windows]`, middle of the window's range, in grains.
        half: int16, same shape, half the range, in grains; -1 = there is no such window.
        grain: float32 `[n_rows]`.
    """

    codes: Int8
    middle: Int16
    half: Int16
    grain: Float32

    @classmethod
    def empty(cls, n_rows: int, n_bins: int, n_windows: int) -> Self:
        """Return room for so many windows."""
        shape = (n_rows, n_windows)
        return cls(
            np.zeros((n_rows, n_bins, n_windows), np.int8),
            np.zeros(shape, np.int16),
            np.full(shape, UNUSED, np.int16),
            np.zeros(n_rows, np.float32),
        )

    def put(self, rows: slice, means: Float32) -> None:
        """Pack the windows of some rows.

        Args:
            rows: which.
            means: float32 `[n_rows, n_bins, n_windows]`, infinite = no window.
        """
        used = np.isfinite(means[:, 0])
        filled = np.where(used[:, None], means, np.float32(0.0)).astype(np.float64)
        # A little less than the codes could hold: the range is rounded up.
        grain = np.maximum(np.abs(filled).max(axis=(1, 2), initial=0.0), 1e-30) / (MOST_GRAINS - 4)
        low, high = filled.min(axis=1) / grain[:, None], filled.max(axis=1) / grain[:, None]
        middle = np.rint((low + high) / 2)
        half = np.ceil(np.maximum(high - middle, middle - low))
        off = filled / grain[:, None, None] - middle[:, None]
        step = np.maximum(half, 1.0)[:, None] / MOST
        self.codes[rows] = np.rint(off / step).astype(np.int8)
        self.middle[rows] = middle.astype(np.int16)
        self.half[rows] = np.where(used, half, UNUSED).astype(np.int16)
        self.grain[rows] = grain.astype(np.float32)

    @property
    def fields(self) -> tuple[Int8, Int16, Int16, Float32]:
        """The arrays, in order, as compiled code takes them."""
        return self.codes, self.middle, self.half, self.grain

    def means(self) -> Float32:
        """Return all means, float32 `[n_rows, n_bins, n_windows]`; infinite = no window.

        >>> windows = PackedWindows.empty(1, 2, 2)
        >>> windows.put(slice(0, 1), np.array([[[1.0, np.inf], [3.0, np.inf]]], dtype="f4"))
        >>> windows.means().round(3)
        array([[[ 1., inf],
                [ 3., inf]]], dtype=float32)
        """
        used = self.half >= 0
        middle = np.where(used, self.middle * self.grain[:, None], np.float32(np.inf))
        step = np.where(used, self.half * (self.grain / np.float32(MOST))[:, None], np.float32(0.0))
        return (middle[:, None] + self.codes * step[:, None]).astype(np.float32)

    def to_arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """Return the fields, each under its name after `name`."""
        return {f"{name}_{field}": getattr(self, field) for field in FIELDS}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]], name: str) -> Self:
        """Return what `to_arrays` was called on; KeyError where one is missing."""
        return cls(*(arrays[f"{name}_{field}"] for field in FIELDS))
