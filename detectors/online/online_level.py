"""Tier 0 with the words of every other detector."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from detectors.base import Arrays, Decision, Detector
from detectors.online.level_state import LevelState
from detectors.online.rule import LEAST_RATE, Rule
from detectors.panel import Panel
from detectors.thresholds import Calibration, calibrate

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


class OnlineLevel(Detector):
    """Distance of each column, and of the last few, from a level that follows the series.

    `fit` moves a `LevelState` through the training range and keeps it. Scoring moves a copy of
    it through the panel's columns, in order, and throws the copy away, so that columns from
    the fit's end on score as they would have live, bit for bit, if none was left out between.

    Columns before the fit's end have moved the state already. They are scored, from another
    copy, as if they had come after it; the columns after the fit's end do not see them.

    The decision is the live score, so that `threshold_` is 1; p-values are by what the training
    range scored after its warm-up.

    Cost: 64 bytes a series; some 60 ns a value for `fit` and as much for `score`, on one core.

    Limits: as of `LevelState`. A panel that begins after the fit's end scores as if nothing
    had been there in between; the memory fades by half in 83 columns of the default rule, so
    that with `context` columns before, a seventh of what was left out would still count.

    Args:
        short: columns in the short mean.
        long: columns in the long mean and in the noise.
        warm_up: columns with data before the first verdict.
        relearn: abnormal columns after which a shift that lasts is the new normal.
        false_alarm_rate: chance that a normal column reaches the threshold.
        least_change: least alarming move, as a fraction of the usual magnitude.
        margin: factor on the learned limits.

    Raises:
        InvalidParameterError: if an argument is out of range.

    >>> values = np.random.default_rng(0).normal(100.0, 5.0, size=(1, 800))
    >>> values[0, 700:] += 30.0
    >>> panel = Panel(values, start=0, step=60_000_000, series_id=[1])
    >>> score = OnlineLevel().fit(panel.window(0, 600 * 60_000_000)).score(panel).score[0]
    >>> bool(np.nanmax(score[600:700]) < 1.0), bool(score[705:720].min() > 1.0)
    (True, True)
    """

    scope: Literal["series", "entity"] = "series"
    least_rate = LEAST_RATE

    def __init__(
        self,
        short: int = 15,
        long: int = 240,
        warm_up: int = 120,
        relearn: int = 120,
        false_alarm_rate: float = 1e-4,
        least_change: float = 0.02,
        margin: float = 1.1,
    ) -> None:
        self.short = short
        self.long = long
        self.warm_up = warm_up
        self.relearn = relearn
        self.false_alarm_rate = false_alarm_rate
        self.least_change = least_change
        self.margin = margin
        self._rule = Rule(short, long, warm_up, relearn, false_alarm_rate, least_change, margin)

    @property
    def context(self) -> int:
        """Columns a score looks back on, nearly: the long mean's."""
        return self.long

    def _learn(self, panel: Panel) -> Calibration:
        self._level = LevelState(panel.n_series, self._rule)
        self._fit_end = panel.end
        seen = calibrate(self._level.replay(panel.values), self.false_alarm_rate)
        threshold = np.where(np.isnan(seen.threshold), np.float32(np.nan), np.float32(1.0))
        # Its limits move with the series: no other rate can be had afterwards.
        return Calibration(seen.body, seen.spread, threshold, threshold, self.false_alarm_rate)

    def _decide(self, panel: Panel, rows: Int64) -> Decision:
        decision, expected, reach = (
            np.full(panel.values.shape, np.nan, dtype=np.float32) for _ in range(3)
        )
        known = np.flatnonzero(rows >= 0)
        # First column that begins at the fit's end or later.
        split = min(max(-((panel.start - self._fit_end) // panel.step), 0), panel.n_times)
        for columns in (slice(0, split), slice(split, panel.n_times)):
            level = self._level.take(rows[known])
            found = level.replay_bands(panel.values[known, columns])
            for whole, part in zip((decision, expected, reach), found, strict=True):
                whole[known, columns] = part
        return Decision(decision, expected, reach)

    def _state(self) -> Arrays:
        return {"fit_end": np.array(self._fit_end)} | self._level.to_arrays()

    def _restore(self, arrays: Arrays) -> None:
        self._fit_end = int(arrays["fit_end"])
        self._level = LevelState.from_arrays(arrays)
