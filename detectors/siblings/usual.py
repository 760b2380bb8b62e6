"""What is usual between siblings, learned on history, and who departs from it.

Each cluster is put in a scale of its own: `asinh(value / scale)`, which is linear about 0 and a
logarithm far from it, less what is usual of it at that time of day. So clusters with ten times the
traffic, with none at night, or in other time zones compare. What is common is the median of a
cluster's siblings; what counts is the cluster's departure from that, less its usual one, and **less
twice what the siblings are apart themselves**: where they disagree, nobody can say who departs.

The limit comes from how far a cluster was apart on its history (`detectors.thresholds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.base import Scores
from detectors.memory.kernels import over_rows
from detectors.panel import Panel
from detectors.siblings.apart import LEAST_SIBLINGS, apart
from detectors.siblings.day_profile import at, held_out, learn_profile
from detectors.thresholds import Calibration, calibrate

__all__ = ["LEAST_SIBLINGS", "Usual", "joined", "learn"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

DISAGREEMENT = 2.0
"""What siblings are apart counts so many times against a departure."""

LEAST_DEPARTURE = 0.25
"""Least limit in the common scale, about a third of a cluster's usual value: less is no departure
that somebody should look at, however steady the siblings are."""

MARGIN = 1.5
"""Factor on the fitted limit: one day cannot show how much days differ. Simulated fleet, 14 clean
days of 306 rows at 5 false alerts a day allowed: none at 1.0, 94 at 0.6 and a least limit of 0.2.
"""

BLOCK = 64
"""Groups dealt to a thread at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What is usual of each row; arrays over rows.

    Attributes:
        series_id: int64, the rows, ascending.
        scale: float64, of the value; NaN = too little is known of the row.
        profile: float64 `[n_rows, SLOTS]`, level in the common scale at times of day.
        offset: float64, median departure from the siblings.
        calibration: of the departures.
    """

    series_id: Int64
    scale: Float64
    profile: Float64
    offset: Float64
    calibration: Calibration

    def judge(self, steady: Panel, bounds: Int64) -> tuple[Scores, Calibration]:
        """Score rows against their siblings; a column's scores depend on that column alone.

        Args:
            steady: trailing means (`combined`), group by group; rows that are not known have no
                score and are nobody's siblings.
            bounds: int64 `[n_groups + 1]`, where each group's rows begin.

        Returns:
            Scores, with what the siblings say in the row's own unit and what would pass; and the
            fits of the rows.
        """
        own = self._take(steady.series_id)
        threshold = own.calibration.threshold[:, None]
        usual = at(own.profile, steady.times)
        level = _standard(steady.values, own.scale) - usual
        common, spread = _compare(level, bounds)
        common += own.offset[:, None]
        decision = _beyond(level - common, spread)
        allowed = threshold + DISAGREEMENT * spread
        expected = common + usual
        scores = Scores(
            decision / threshold,
            own.calibration.p_values(decision),
            own._own_unit(expected),
            own._own_unit(expected - allowed),
            own._own_unit(expected + allowed),
        )
        return scores, own.calibration

    def _take(self, series_id: Int64) -> Usual:
        if not self.series_id.size:
            rows = np.full(series_id.shape, -1, np.int64)
        else:
            spot = np.searchsorted(self.series_id, series_id)
            spot = np.minimum(spot, self.series_id.size - 1)
            rows = np.where(self.series_id[spot] == series_id, spot, -1)
        scale = np.where(rows < 0, np.nan, np.append(self.scale, np.nan)[rows])
        offset = np.append(self.offset, np.nan)[rows]
        nothing = np.full((1, self.profile.shape[1]), np.nan)
        profile = np.concatenate([self.profile, nothing])[rows]
        return Usual(series_id, scale, profile, offset, self.calibration.take(rows))

    def _own_unit(self, level: Float64) -> Float32:
        with np.errstate(over="ignore"):
            value = np.sinh(level) * self.scale[:, None]
        most = np.finfo(np.float32).max
        return np.clip(value, -most, most).astype(np.float32)


def learn(steady: Panel, bounds: Int64, false_alarm_rate: float) -> Usual:
    """Learn what is usual between siblings.

    Args:
        steady: trailing means (`combined`), group by group; NaN = not to be learned.
        bounds: int64 `[n_groups + 1]`, where each group's rows begin.
        false_alarm_rate: chance that a normal column of a row reaches the limit.

    Raises:
        InvalidParameterError: the rate is out of range.

    >>> rng = np.random.default_rng(0)
    >>> hour = 100 + 50 * np.sin(np.arange(600) / 60)
    >>> values = hour * np.array([[1], [10], [0.1]]) * rng.normal(1, 0.02, (3, 600))
    >>> bounds = np.array([0, 3])
    >>> usual = learn(Panel(values, 0, 60_000_000, [1, 2, 3]), bounds, 1e-4)
    >>> now = Panel([[150], [1500], [40]], 0, 60_000_000, [1, 2, 3])
    >>> found, _ = usual.judge(now, bounds)
    >>> found.score[:, 0] > 1, round(float(found.expected[2, 0]))
    (array([False, False,  True]), 15)
    """
    scale = _scale(steady.values)
    standard = _standard(steady.values, scale)
    profile = learn_profile(standard, steady.times)
    level = standard - held_out(profile, steady.times)
    common, spread = _compare(level, bounds)
    offset = _median(level - common)
    decision = _beyond(level - common - offset[:, None], spread)
    calibration = calibrate(decision, false_alarm_rate, floor=LEAST_DEPARTURE, margin=MARGIN)
    order = np.argsort(steady.series_id, kind="stable")
    return Usual(
        steady.series_id[order],
        scale[order],
        profile[order],
        offset[order],
        calibration.take(order),
    )


def joined(parts: Sequence[Usual]) -> Usual:
    """One of several, at least one, of different rows and fitted at one rate."""
    ids = _of_all(parts, "series_id")
    order = np.argsort(ids, kind="stable")
    fits = [one.calibration for one in parts]
    calibration = Calibration(
        _of_all(fits, "body"),
        _of_all(fits, "spread"),
        _of_all(fits, "threshold"),
        _of_all(fits, "floor"),
        fits[0].rate,
        fits[0].margin,
    )
    return Usual(
        ids[order],
        _of_all(parts, "scale")[order],
        _of_all(parts, "profile")[order],
        _of_all(parts, "offset")[order],
        calibration.take(order),
    )


def _of_all(parts: Sequence[Usual] | Sequence[Calibration], name: str) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.concatenate([getattr(one, name) for one in parts])
    return array


def _compare(level: Float64, bounds: Int64) -> tuple[Float64, Float64]:
    common, spread = np.empty_like(level), np.empty_like(level)

    def work(groups: slice) -> None:
        own = bounds[groups.start : groups.stop + 1]
        rows = slice(own[0], own[-1])
        apart(level[rows], own - own[0], common[rows], spread[rows])

    over_rows(work, len(bounds) - 1, BLOCK)
    return common, spread


def _beyond(departure: Float64, spread: Float64) -> Float32:
    beyond = np.maximum(np.abs(departure) - DISAGREEMENT * spread, 0.0)
    return beyond.astype(np.float32)


def _standard(steady: Float32, scale: Float64) -> Float64:
    standard: Float64 = np.arcsinh(steady / scale[:, None])
    return standard


def _scale(steady: Float32) -> Float64:
    """Half of what is usual of each row: its median, or its mean where that is more.

    NaN where it has always been 0: nothing is known of its size.
    """
    size = np.abs(steady.astype(np.float64))
    counts = np.count_nonzero(np.isfinite(size), axis=1)
    mean = np.nansum(size, axis=1) / np.maximum(counts, 1)
    scale = 0.5 * np.fmax(_median(size), mean)
    return np.where(scale > 0.0, scale, np.nan)


def _median(values: Float64) -> Float64:
    """Of each row, NaN left out; NaN for a row without any."""
    ranked = np.sort(values, axis=1)
    counts = np.count_nonzero(~np.isnan(values), axis=1)
    out = np.full(len(values), np.nan)
    some = np.flatnonzero(counts)
    low, high = (counts[some] - 1) // 2, counts[some] // 2
    out[some] = 0.5 * (ranked[some, low] + ranked[some, high])
    return out
