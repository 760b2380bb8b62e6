"""A memory of normal windows for every series."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from detectors.base import Arrays, Decision, Detector
from detectors.errors import InvalidParameterError
from detectors.memory import window_kernels as kernels
from detectors.memory.kernels import BLOCK, over_rows
from detectors.memory.packed import PackedWindows
from detectors.memory.scale import Scale, fit_scale
from detectors.panel import Panel
from detectors.thresholds import Calibration, calibrate

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

# A window is compared through at most so many means: more resolve noise, not shape.
MOST_BINS = 16
# Held-out distances are put in units of this quantile, so that window lengths compare.
UNIT_QUANTILE = 0.99
# Cells of a panel scored at once: of short panels many rows, or dealing them costs most.
CELLS = 1 << 16


class WindowMemory(Detector):
    """Distance of the newest window to the nearest normal one, per series, at several lengths.

    Of each series' training range a few windows are remembered, each as at most 16 means. A
    trailing window is as abnormal as its distance (root mean square over the means, in units
    of the training spread) to the nearest remembered one. A short length sees spikes, a long
    one sees shapes and slow drifts; each length's distance is divided by what held-out
    training windows of that length reach, and the greatest counts.

    The limit comes from the same held-out distances (`detectors.thresholds`), where a window's
    own neighbourhood in time is left out. A move smaller than `least_change` of the series'
    usual magnitude is never an alarm, however still the series has been.

    Cost: `fit` and `score` are linear in series × columns, about 1 s per million values on two
    cores; the model takes about 20 kB a series.

    Limits: what happened in training is normal, incidents too; mask them. A series that only
    ever grows leaves its memory; refit daily or feed its rate.

    Source: the nearest-neighbour design behind PaAno (arXiv 2602.01359) and matrix profiles,
    without the network and without normalising the level away.

    Args:
        lengths: window lengths in columns, ascending; lengths above 16 are multiples of 16.
        memory: windows remembered per series and length.
        false_alarm_rate: chance that a normal column reaches the threshold.
        least_change: least alarming move, as a fraction of the mean magnitude in training.
        margin: factor on the fitted limit: another day's noise and level differ a little.

    Raises:
        InvalidParameterError: if an argument is out of range.

    >>> rng = np.random.default_rng(0)
    >>> values = rng.normal(100.0, 5.0, size=(1, 800))
    >>> values[0, 700:710] = 200.0
    >>> panel = Panel(values, start=0, step=60_000_000, series_id=[1])
    >>> detector = WindowMemory().fit(panel.window(0, 500 * 60_000_000))
    >>> score = detector.score(panel).score[0]
    >>> bool(score[702] > 1.0), bool(np.nanmax(score[500:700]) < 1.0)
    (True, True)
    """

    scope: Literal["series", "entity"] = "series"

    def __init__(
        self,
        lengths: tuple[int, ...] = (2, 32, 96),
        memory: int = 128,
        false_alarm_rate: float = 1e-5,
        least_change: float = 0.02,
        margin: float = 1.3,
    ) -> None:
        self.lengths = tuple(lengths)
        self.memory = memory
        self.false_alarm_rate = false_alarm_rate
        self.least_change = least_change
        self.margin = margin
        if not self.lengths or list(self.lengths) != sorted(set(self.lengths)):
            raise InvalidParameterError("lengths", lengths, "must ascend and not be empty")
        if self.lengths[0] < 1 or any(n > MOST_BINS and n % MOST_BINS for n in self.lengths):
            raise InvalidParameterError(
                "lengths", lengths, "must be positive, multiples of 16 above 16"
            )
        if memory < 1:
            raise InvalidParameterError("memory", memory, "must be positive")
        if not least_change > 0.0:
            raise InvalidParameterError("least_change", least_change, "must be positive")

    @property
    def context(self) -> int:
        """Columns a score looks back on: the longest window without its newest column."""
        return self.lengths[-1] - 1

    def _learn(self, panel: Panel) -> Calibration:
        shape = (panel.n_series, panel.n_times)
        self._scale = fit_scale(panel.values, self.least_change)
        self._memories: list[PackedWindows] = []
        self._units = np.full((panel.n_series, len(self.lengths)), np.nan, dtype=np.float32)
        combined = np.full(shape, np.nan, dtype=np.float32)
        for position, length in enumerate(self.lengths):
            held_out = self._remember(panel, length)
            unit = _upper_quantile(held_out)
            self._units[:, position] = np.maximum(unit, self._scale.least)
            np.fmax(combined, held_out / self._units[:, position, None], out=combined)
        # Floor 1: no threshold below the least distance that `_units` already grants.
        return calibrate(combined, self.false_alarm_rate, floor=1.0, margin=self.margin)

    def _remember(self, panel: Panel, length: int) -> Float32:
        """Fill one length's memory; return the training windows' held-out distances."""
        n_bins, width = _bins(length)
        packed = PackedWindows.empty(panel.n_series, n_bins, self.memory)
        held_out = np.empty(panel.values.shape, dtype=np.float32)

        def work(rows: slice) -> None:
            numbers = np.arange(rows.start, rows.stop)
            z = self._scale.standardise(panel.values[rows], numbers)
            windows = np.empty((len(z), n_bins, self.memory), dtype=np.float32)
            ends = np.empty((len(z), self.memory), dtype=np.int32)
            kernels.remember(z, width, windows, ends)
            packed.put(rows, windows)
            unused = np.empty_like(z)
            distance = held_out[rows]
            kernels.nearest(z, width, numbers, *packed.fields, ends, length, 0, distance, unused)

        over_rows(work, panel.n_series)
        self._memories.append(packed)
        return held_out

    def _decide(self, panel: Panel, rows: Int64) -> Decision:
        return self._decide_newest(panel, rows, 0)

    def _decide_newest(self, panel: Panel, rows: Int64, first: int) -> Decision:
        shape = (panel.n_series, panel.n_times - first)
        decision, expected, reach = (np.full(shape, np.nan, dtype=np.float32) for _ in range(3))

        def work(block: slice) -> None:
            here = np.flatnonzero(rows[block] >= 0) + block.start
            if here.size:
                found = self._decide_block(panel.values[here], rows[here], first)
                decision[here], expected[here], reach[here] = found

        over_rows(work, panel.n_series, max(BLOCK, CELLS // max(panel.n_times, 1)))
        return Decision(decision, expected, reach)

    def _decide_block(
        self, values: Float32, rows: Int64, first: int
    ) -> tuple[Float32, Float32, Float32]:
        z = self._scale.standardise(values, rows)
        shape = (len(z), z.shape[1] - first)
        decision, normal, reach = (np.full(shape, np.nan, dtype=np.float32) for _ in range(3))
        threshold = self.calibration_.threshold[rows, None]
        distance, nearest = np.empty((2, *shape), dtype=np.float32)
        anywhere = np.empty((len(z), 0), dtype=np.int32)
        for position, length in enumerate(self.lengths):
            unit = self._units[rows, position, None]
            kept = self._memories[position].fields
            width = _bins(length)[1]
            kernels.nearest(z, width, rows, *kept, anywhere, 0, first, distance, nearest)
            loudness = distance / unit
            # The band is that of the shortest length, the steadiest to look at, unless a
            # longer one raises the alarm: then it must show what that one expected.
            speaks = (loudness > decision) & (loudness > threshold) | np.isnan(decision)
            np.copyto(normal, nearest, where=speaks)
            np.copyto(reach, np.broadcast_to(unit, shape), where=speaks)
            np.fmax(decision, loudness, out=decision)
        expected, reach = self._scale.restore(normal, reach, rows)
        return decision, expected, reach

    def _state(self) -> Arrays:
        arrays: Arrays = {"units": self._units} | self._scale.to_arrays()
        for length, packed in zip(self.lengths, self._memories, strict=True):
            arrays |= packed.to_arrays(f"memory_{length}")
        return arrays

    def _restore(self, arrays: Arrays) -> None:
        self.lengths = tuple(self.lengths)
        self._units = arrays["units"]
        self._scale = Scale.from_arrays(arrays)
        self._memories = [
            PackedWindows.from_arrays(arrays, f"memory_{length}") for length in self.lengths
        ]


def _bins(length: int) -> tuple[int, int]:
    """Return (number of bins, columns in a bin) of a window length."""
    n_bins = min(length, MOST_BINS)
    return n_bins, length // n_bins


def _upper_quantile(distances: Float32) -> Float32:
    """Return each row's UNIT_QUANTILE over its finite entries, NaN where there are none."""
    ranked = np.sort(distances, axis=1)
    counts = np.count_nonzero(~np.isnan(distances), axis=1)
    out = np.full(distances.shape[0], np.nan, dtype=np.float32)
    some = counts > 0
    spot = np.floor(UNIT_QUANTILE * (counts[some] - 1)).astype(np.int64)
    out[some] = ranked[some, spot]
    return out
