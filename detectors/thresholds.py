"""From training distances to a threshold with a stated false-alarm rate.

A detector's raw scores have no unit that an operator could set a limit in. What can be
stated is how often a *normal* column may pass the limit. `calibrate` takes the scores that
each row's normal columns got when they were held out of the model (a memory that contains
the very window it is asked about answers 0), and fits

- the body: a grid of empirical quantiles up to level u, and
- the tail: a generalised Pareto law of the excess over u (peaks over threshold) whose shape is
  fixed and whose spread is fitted. With a day of training about 70 columns lie over u, too few
  to fit a shape: its error would move a threshold at 1e-5 by factors.

Source: Siffer et al., "Anomaly detection in streams with extreme value theory", KDD 2017.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# The tail begins at the 95 % quantile: the level SPOT's authors and pyoats start from.
TAIL_FRACTION = 0.05
# Shape of the tail, 0 = exponential. A little heavier: on made-up fleets the exponential law let
# through several times the false alarms of its own rate, as another day is not the same day.
TAIL_SHAPE = 0.15
# Fewer scores than this say nothing about one column in twenty.
LEAST_SCORES = 20
# Body quantiles kept per row: p-values above 5 % need no finer grid.
BODY_POINTS = 20
# Rows ranked at once: bounds the sorted copy to some tens of MB.
BLOCK = 512
# Scores given p-values at once: the dozen arrays on the way stay in the processor's cache.
CELLS = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What is known of each row's scores when all is well.

    Attributes:
        body: float64 `[n_rows, BODY_POINTS]`, quantiles 0 … 1 - TAIL_FRACTION; NaN rows where
            there were too few scores.
        spread: float64 `[n_rows]`, scale of the tail law beyond the last body quantile.
        threshold: float32 `[n_rows]`, the score passed with the probability `rate`.
        floor: float32 `[n_rows]`, least threshold at any rate.
        rate: the false-alarm rate asked for.
        margin: factor on the fitted law, for what one training range cannot show.
    """

    body: Float64
    spread: Float64
    threshold: Float32
    floor: Float32
    rate: float
    margin: float = 1.0

    def take(self, rows: npt.NDArray[np.int64]) -> Calibration:
        """Return the fits of the given rows; a NaN row for -1."""
        if rows.size == self.spread.size and np.array_equal(rows, np.arange(rows.size)):
            # A million rows' are 200 MB.
            return self
        known = rows >= 0
        body = np.full((rows.size, BODY_POINTS), np.nan)
        spread = np.full(rows.size, np.nan)
        threshold, floor = np.full((2, rows.size), np.nan, dtype=np.float32)
        body[known] = self.body[rows[known]]
        spread[known] = self.spread[rows[known]]
        threshold[known] = self.threshold[rows[known]]
        floor[known] = self.floor[rows[known]]
        return Calibration(body, spread, threshold, floor, self.rate, self.margin)

    def limits(self, rows: npt.NDArray[np.int64], times: Float64) -> Float32:
        """Thresholds of rows at other rates.

        Args:
            rows: int64 `[n]`.
            times: float64 `[n]`, how many times `rate`; what comes to more than 5 % counts as that.

        Returns:
            float32 `[n]`.

        >>> fit = calibrate(np.random.default_rng(0).exponential(size=(1, 5000)).astype("f4"), 1e-4)
        >>> limits = fit.limits(np.array([0, 0]), np.array([1.0, 10.0]))
        >>> fit.p_values(limits[None]).round(6)
        array([[0.0001, 0.001 ]], dtype=float32)
        """
        rates = np.minimum(self.rate * times, TAIL_FRACTION)
        # Excess over u, in units of the spread, that is passed with these rates.
        reach = ((TAIL_FRACTION / rates) ** TAIL_SHAPE - 1.0) / TAIL_SHAPE
        limits = self.margin * (self.body[rows, -1] + self.spread[rows] * reach)
        # np.maximum keeps NaN: a row without a fit has no threshold.
        above: Float32 = np.maximum(limits, self.floor[rows]).astype(np.float32)
        return above

    def p_values(self, scores: Float32) -> Float32:
        """Probability that a normal column scores at least this much.

        Args:
            scores: float32 `[n_rows, n_times]`, the same rows in the same order; NaN stays NaN.

        Returns:
            float32 in [0, 1], same shape.
        """
        out = np.empty(scores.shape, dtype=np.float32)
        block = max(1, CELLS // max(1, scores.shape[1]))
        for begin in range(0, scores.shape[0], block):
            rows = slice(begin, begin + block)
            out[rows] = self._p_values(scores[rows] / np.float64(self.margin), rows)
        return out

    def p_values_at(self, score: float) -> Float32:
        """P-value of a score in units of the threshold, float32 `[n_rows]`."""
        return self.p_values(np.float32(score) * self.threshold[:, None])[:, 0]

    def _p_values(self, values: Float64, rows: slice) -> Float64:
        body, spread = self.body[rows], self.spread[rows]
        level = body[:, -1:]
        excess = np.maximum(values - level, 0.0) / np.maximum(spread, _TINY)[:, None]
        tail = TAIL_FRACTION * (1.0 + TAIL_SHAPE * excess) ** (-1.0 / TAIL_SHAPE)
        slope, begins, starts = self._pieces(body)
        # How many quantiles each score reaches, counted one quantile at a time: the array of all
        # comparisons would be twenty times as large as the scores.
        reached = np.zeros(values.shape, np.int8)
        for point in range(1, BODY_POINTS):
            reached += values >= body[:, point, None]
        piece = reached + np.arange(len(body))[:, None] * BODY_POINTS
        inside = slope[piece] * (np.maximum(values, body[:, :1]) - begins[piece]) + starts[piece]
        p = np.where(values > level, tail, inside)
        return np.where(np.isnan(values) | np.isnan(level), np.nan, p)

    @staticmethod
    def _pieces(body: Float64) -> tuple[Float64, Float64, Float64]:
        """Slope, first score and first p-value of each row's linear pieces, by quantile, flat.

        They run from the first of equal quantiles (a score that most normal columns tie with is
        common) to the next larger.
        """
        points = np.arange(BODY_POINTS)
        survival = np.linspace(1.0, TAIL_FRACTION, BODY_POINTS)
        first = np.diff(body, axis=1, prepend=-np.inf) > 0.0
        low = np.maximum.accumulate(np.where(first, points, 0), axis=1)
        # The next first one after each point; itself where there is none.
        ahead = np.minimum.accumulate(np.where(first, points, BODY_POINTS)[:, ::-1], axis=1)
        high = np.concatenate([ahead[:, ::-1][:, 1:], np.full((len(body), 1), BODY_POINTS)], axis=1)
        high = np.where(high < BODY_POINTS, high, low)
        begins = np.take_along_axis(body, low, axis=1)
        width = np.take_along_axis(body, high, axis=1) - begins
        rise = survival[high] - survival[low]
        slope = np.divide(rise, width, out=np.zeros_like(rise), where=high > low)
        return slope.ravel(), begins.ravel(), survival[low].ravel()


# Stands for the spread of scores that were all equal.
_TINY = 1e-12


def calibrate(
    scores: Float32,
    false_alarm_rate: float,
    floor: npt.ArrayLike = 0.0,
    margin: float = 1.0,
) -> Calibration:
    """Fit each row's normal scores and place its threshold.

    Args:
        scores: float32 `[n_rows, n_columns]`, held-out scores of normal columns, NaN = none.
        false_alarm_rate: probability that a normal column reaches the threshold, in (0, 0.05].
        floor: least threshold, a number or `[n_rows]`: keeps a row whose scores are all equal
            from alarming on rounding.
        margin: factor on the fitted threshold, for what one training range cannot show.

    Returns:
        The fit; rows with fewer than 20 scores have NaN everywhere.

    Raises:
        InvalidParameterError: if the rate or the margin is out of range.

    >>> rng = np.random.default_rng(0)
    >>> normal = rng.exponential(size=(1, 5000)).astype("f4")
    >>> fit = calibrate(normal, 1e-3)
    >>> bool(6.9 < fit.threshold[0] < 8.0)  # exact for this law: -log(1e-3) = 6.9
    True
    """
    if not 0.0 < false_alarm_rate <= TAIL_FRACTION:
        raise InvalidParameterError("false_alarm_rate", false_alarm_rate, "must be in (0, 0.05]")
    if not margin > 0.0:
        raise InvalidParameterError("margin", margin, "must be positive")
    n_rows = scores.shape[0]
    body = np.full((n_rows, BODY_POINTS), np.nan)
    spread = np.full(n_rows, np.nan)
    for begin in range(0, n_rows, BLOCK):
        rows = slice(begin, begin + BLOCK)
        body[rows], spread[rows] = _fit_rows(scores[rows])
    least = np.broadcast_to(np.asarray(floor, np.float32), n_rows)
    fit = Calibration(body, spread, least, least, false_alarm_rate, margin)
    return replace(fit, threshold=fit.limits(np.arange(n_rows), np.ones(n_rows)))


def _fit_rows(scores: Float32) -> tuple[Float64, Float64]:
    # NaN sorts last, so row i's n scores are the first n of its sorted row.
    ranked = np.sort(scores, axis=1).astype(np.float64)
    counts = np.count_nonzero(~np.isnan(scores), axis=1)
    enough = counts >= LEAST_SCORES
    body = np.full((scores.shape[0], BODY_POINTS), np.nan)
    spread = np.full(scores.shape[0], np.nan)
    levels = np.linspace(0.0, 1.0 - TAIL_FRACTION, BODY_POINTS)
    picks = np.rint(levels * np.maximum(counts - 1, 0)[:, None]).astype(np.int64)
    if scores.shape[1]:
        body[enough] = np.take_along_axis(ranked, picks, axis=1)[enough]
        excess = np.maximum(ranked - body[:, -1:], 0.0)
        over = np.maximum(counts - 1 - picks[:, -1], 1)
        # A Pareto excess of shape ξ and spread σ has the mean σ / (1 - ξ).
        mean = np.nansum(excess, axis=1) / over
        spread[enough] = (1.0 - TAIL_SHAPE) * mean[enough]
    return body, spread
