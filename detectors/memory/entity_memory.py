"""A memory of an entity's normal states: all its metrics at once."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from detectors.base import Arrays, Decision, Detector
from detectors.errors import InvalidParameterError, NoTrainingDataError
from detectors.memory import kernels
from detectors.memory.ranges import Range, fit_range, held_out_excess
from detectors.memory.scale import Scale, fit_scale
from detectors.memory.spans import check_spans, over_spans
from detectors.panel import Panel
from detectors.thresholds import LEAST_SCORES, Calibration, calibrate

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

# Part of the metrics learned that a column must have to be remembered or scored. Half: a host
# whose second exporter has died is still worth watching by the first.
LEAST_METRICS = 0.5
# Columns dealt to a thread at once.
BLOCK = 1024
# Of a metric that its neighbours in memory foretell exactly, so much of its spread is taken as
# its residual all the same: else one constant metric would outweigh all others.
LEAST_RESIDUAL = 0.05


class EntityMemory(Detector):
    """Distance of an entity's metrics, taken together, to the nearest normal state.

    The panel is one entity (host, pod, service) and its rows are the metrics. Columns of the
    training range, evenly spaced, are remembered as they are. A new column is abnormal by

    - its distance to the nearest remembered one: metrics that are each within their range but
      never were so at once stand out; and
    - what its metrics are beyond all that training showed of them, whatever the others do;

    both as a root mean square over the metrics, averaged over the last 1, 3, 10 and 30 columns
    (`detectors.memory.spans`). Metrics count in units of their training spread, and those that
    the nearest state foretells well count more: by the square root of what is left unexplained,
    half way between trusting every metric alike and trusting the steady ones alone.

    The limit comes from held-out training columns with their neighbourhood in time left out.

    Cost: columns × memory × metrics; about 1 s per million values for `fit` and `score` with
    2,000 remembered columns on two cores.

    Limits: order within a span does not count (`WindowMemory` sees shapes). Normal states not met
    in training alarm: train over at least a day.

    Source: nearest-neighbour distance on standardised metrics, which beat every method in the
    TSB-AD multivariate table on the Server Machine Dataset. The floor under the spread
    decides: without it, near-constant metrics drown all others.

    Args:
        memory: columns remembered.
        false_alarm_rate: chance that a normal column reaches the threshold.
        least_change: floor under a metric's spread, as a fraction of its mean magnitude.
        apart: columns on either side left out when a training column is held out.
        margin: factor on the fitted limit.
        spans: columns over which deviations are averaged, ascending.

    Raises:
        InvalidParameterError: if an argument is out of range.
    """

    scope: Literal["series", "entity"] = "entity"

    def __init__(
        self,
        memory: int = 2000,
        false_alarm_rate: float = 5e-4,
        least_change: float = 0.02,
        apart: int = 60,
        margin: float = 1.0,
        spans: tuple[int, ...] = (1, 3, 10, 30),
    ) -> None:
        self.memory = memory
        self.false_alarm_rate = false_alarm_rate
        self.least_change = least_change
        self.apart = apart
        self.margin = margin
        self.spans = tuple(spans)
        if memory < 1:
            raise InvalidParameterError("memory", memory, "must be positive")
        if apart < 1:
            raise InvalidParameterError("apart", apart, "must be positive")
        if not least_change > 0.0:
            raise InvalidParameterError("least_change", least_change, "must be positive")
        check_spans(self.spans)

    @property
    def context(self) -> int:
        """Columns a score looks back on: the longest span without its newest column."""
        return self.spans[-1] - 1

    def _learn(self, panel: Panel) -> Calibration:
        self._scale = fit_scale(panel.values, self.least_change)
        known = np.count_nonzero(~np.isnan(self._scale.centre))
        self._weight = np.ones(panel.n_series, dtype=np.float32)
        points = self._points(panel, np.arange(panel.n_series))
        usable = np.flatnonzero(~np.isnan(points).all(axis=1))
        if usable.size == 0:
            raise NoTrainingDataError(f"none of {panel.n_times} columns holds half of the metrics")
        kept = min(usable.size, self.memory)
        # The newest column is always kept, the rest at equal strides before it.
        picked = usable[usable.size - 1 - (np.arange(kept) * usable.size) // kept]
        self._memory = np.ascontiguousarray(points[picked].T)
        self._ends = picked.astype(np.int32)
        # With less training than a few exclusion zones, nothing would be left to compare with.
        apart = max(1, min(self.apart, usable.size // 4))
        _, which = self._nearest(points, apart)
        self._weight = _weights(points, self._memory.T, which)
        points *= self._weight
        self._memory *= self._weight[:, None]
        self._range = fit_range(points)
        distance, _ = self._nearest(points, apart)
        held_out = self._decision(distance, held_out_excess(points))
        # The least distance that counts is one metric out by its least change alone.
        floor = 1.0 / np.sqrt(known)
        if np.count_nonzero(~np.isnan(held_out)) < LEAST_SCORES:
            raise NoTrainingDataError(
                f"{usable.size} usable columns leave less than {LEAST_SCORES} held-out distances"
            )
        return calibrate(held_out, self.false_alarm_rate, floor=float(floor), margin=self.margin)

    def _decide(self, panel: Panel, rows: Int64) -> Decision:
        points = self._points(panel, rows)
        distance, which = self._nearest(points, 0)
        decision = self._decision(distance, self._range.excess(points))
        expected, lower, upper, driver = self._explain(points, which, rows)
        return Decision(decision, expected, band=(lower, upper), driver=driver)

    def _explain(
        self, points: Float32, which: Int32, rows: Int64
    ) -> tuple[Float32, Float32, Float32, Int32]:
        """Return (expected, lower, upper, driver) of the metric furthest from the nearest state.

        All `[1, n_times]`. The band ends where this metric, had it alone been off for all of the
        spans, would put the score at 1: within its range by its distance from what is expected,
        beyond the range by what lies outside as well.
        """
        off = np.abs(points - self._memory.T[which])
        told = (which >= 0) & ~np.isnan(off).all(axis=1)
        metric = np.zeros(which.size, dtype=np.int64)
        metric[told] = np.nanargmax(off[told], axis=1)
        shared = np.count_nonzero(~np.isnan(off), axis=1)
        reach = self.calibration_.threshold[0] * np.sqrt(shared)
        centre = self._memory[metric, which]
        low, high = self._range.low[metric], self._range.high[metric]
        ends = (
            centre,
            np.where(centre - reach >= low, centre - reach, (centre + low - reach) / 2.0),
            np.where(centre + reach <= high, centre + reach, (centre + high + reach) / 2.0),
        )
        unit = self._scale.scale[metric] / self._weight[metric]
        expected, lower, upper = (
            np.where(told, self._scale.centre[metric] + end * unit, np.nan).astype(np.float32)[None]
            for end in ends
        )
        seen = np.flatnonzero(rows >= 0)
        row = np.full(self._weight.size, -1, dtype=np.int32)
        row[rows[seen]] = seen
        driver = np.where(told, row[metric], -1).astype(np.int32)[None]
        return expected, lower, upper, driver

    def _decision(self, distance: Float32, excess: Float32) -> Float32:
        """Return `[1, n_times]`: both kinds of deviation, over the spans, in sum."""
        both = over_spans(np.stack([distance, excess]), self.spans)
        return (both[:1] + both[1:]).astype(np.float32)

    def _points(self, panel: Panel, rows: Int64) -> Float32:
        """Return `[n_times, n_fitted]` standardised and weighted; NaN where metrics are too few."""
        points = np.full((self._scale.centre.size, panel.n_times), np.nan, dtype=np.float32)
        seen = rows >= 0
        points[rows[seen]] = self._scale.standardise(panel.values[seen], rows[seen])
        known = np.count_nonzero(~np.isnan(self._scale.centre))
        filled = np.count_nonzero(~np.isnan(points), axis=0)
        points[:, filled < max(1.0, LEAST_METRICS * known)] = np.nan
        points *= self._weight[:, None]
        return np.ascontiguousarray(points.T)

    def _nearest(self, points: Float32, apart: int) -> tuple[Float32, Int32]:
        at = np.arange(points.shape[0], dtype=np.int32)
        distance = np.empty(points.shape[0], dtype=np.float32)
        which = np.empty(points.shape[0], dtype=np.int32)

        def work(part: slice) -> None:
            kernels.nearest_vectors(
                points[part],
                self._memory,
                apart,
                at[part],
                self._ends,
                distance[part],
                which[part],
            )

        kernels.over_rows(work, points.shape[0], BLOCK)
        return distance, which

    def _state(self) -> Arrays:
        own: Arrays = {"memory": self._memory, "ends": self._ends, "weight": self._weight}
        return own | self._range.to_arrays() | self._scale.to_arrays()

    def _restore(self, arrays: Arrays) -> None:
        self._memory = arrays["memory"]
        self._ends = arrays["ends"]
        self._weight = arrays["weight"]
        self._range = Range.from_arrays(arrays)
        self._scale = Scale.from_arrays(arrays)


def _weights(points: Float32, remembered: Float32, which: Int32) -> Float32:
    """Return a weight for every metric, their mean square 1, from what neighbours left unexplained.

    Args:
        points: float32 `[n_times, n_metrics]`, of training.
        remembered: `[n_remembered, n_metrics]`.
        which: `[n_times]`, nearest remembered state of each point, -1 = none.
    """
    told = which >= 0
    off = points[told] - remembered[which[told]]
    count = np.count_nonzero(~np.isnan(off), axis=0)
    square = np.nansum(off.astype(np.float64) ** 2, axis=0)
    known = count > 0
    residual = np.sqrt(square[known] / count[known])
    weight = np.ones(points.shape[1])
    weight[known] = 1.0 / np.sqrt(np.maximum(residual, LEAST_RESIDUAL))
    if known.any():
        weight[known] /= np.sqrt(np.mean(weight[known] ** 2))
    return weight.astype(np.float32)
