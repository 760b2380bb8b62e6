"""What a series' own history says a fault in it can look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.families import Limits
from detectors.selection.rows import row_means, row_quantiles

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# Of a series' values, so many at either end do not tell how far it usually spreads.
CLIPPED = 0.01
# Least spread, as a fraction of the usual magnitude: what detectors take for the least change.
LEAST_SPREAD = 0.02
# A series is quantised if its range has at most so many steps: a float32 mean of noise has more.
MOST_STEPS = 512
# Distance from a whole number of steps that rounding of float32 explains.
ROUNDING = 1e-3
# Autocorrelation at its greatest peak that makes a period.
LEAST_PERIODIC = 0.3
SHORTEST_PERIOD = 8
# Of a normal law, the standard deviation over the median distance from the middle.
NORMAL_MAD = 1.4826


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Of each series, arrays `[n_series]`, from a clean history.

    Attributes:
        spread: standard deviation without its extremes, never 0: the unit of a fault's size.
        noise: of the part that changes from column to column, at most `spread`, never 0.
        low: least value that may be put in: 0 where it was never negative, else -inf.
        high: greatest: 1 where it never left [0, 1], else inf.
        quantum: step between its possible values, 0 = any value.
        origin: a possible value, from which steps count.
        period: columns, 0 = none was found.
        side: 1 = only what lies above does harm, -1 = below, 0 = both.
        least: deviation that does harm, 0 = any: `spread` is no less.
    """

    spread: Float64
    noise: Float64
    low: Float64
    high: Float64
    quantum: Float64
    origin: Float64
    period: Int64
    side: Int64
    least: Float64

    def harm(self, by: Float64) -> Float64:
        """Return how far changes `[n_series, n]` go to a side on which they do harm."""
        side = self.side[:, None]
        return np.where(side == 0, np.abs(by), side * by)

    def admit(self, values: Float64) -> Float64:
        """Return the values as the series could have had them: within its bounds, on its steps."""
        step = self.quantum[:, None]
        origin = self.origin[:, None]
        with np.errstate(invalid="ignore"):
            steps = np.rint((values - origin) / np.where(step > 0.0, step, 1.0))
        stepped = np.where(step > 0.0, origin + steps * step, values)
        admitted: Float64 = np.clip(stepped, self.low[:, None], self.high[:, None])
        return admitted


def shape_of(history: Float32, limits: Limits | None = None) -> Shape:
    """Learn what faults may look like.

    Args:
        history: `[n_series, n_times]`, NaN = no data; a row without data gets a shape of no use.
        limits: of the same rows: what of their values does harm; None = everything.

    >>> requests = np.random.default_rng(0).poisson(9.0, size=(1, 500)).astype("f4")
    >>> shape = shape_of(requests)
    >>> shape.low[0], shape.high[0], shape.quantum[0]
    (np.float64(0.0), np.float64(inf), np.float64(1.0))
    """
    values = history.astype(np.float64)
    has = np.isfinite(values)
    least = np.where(has, values, np.inf).min(axis=1, initial=np.inf)
    most = np.where(has, values, -np.inf).max(axis=1, initial=-np.inf)
    quantum = _quantum(values, least, most)
    bounds = row_quantiles(values, [CLIPPED, 1.0 - CLIPPED])
    inner = np.clip(values, bounds[0][:, None], bounds[1][:, None])
    spread = np.sqrt(row_means((inner - row_means(inner)[:, None]) ** 2))
    floor = np.maximum(LEAST_SPREAD * row_means(np.abs(values)), quantum)
    # A series that was always 0 has no magnitude: 1 is as good as any.
    floor = np.where(floor > 0.0, floor, 1.0)
    spread = np.maximum(spread, floor)
    usual = np.nan_to_num(row_means(np.abs(values)))
    harmful = np.zeros_like(spread)
    low = np.where(least >= 0.0, 0.0, -np.inf)
    high = np.where((least >= 0.0) & (most <= 1.0), 1.0, np.inf)
    side = np.zeros(spread.size, dtype=np.int64)
    if limits is not None:
        harmful = np.maximum(limits.absolute, limits.relative * usual).astype(np.float64)
        spread = np.maximum(spread, harmful)
        low = np.where(least >= limits.floor, np.maximum(low, limits.floor), low)
        high = np.where(most <= limits.ceiling, np.minimum(high, limits.ceiling), high)
        side = limits.side.astype(np.int64)
    moves = np.abs(np.diff(values, axis=1))
    noise = NORMAL_MAD * row_quantiles(moves, [0.5])[0] / np.sqrt(2.0)
    return Shape(
        spread=spread,
        noise=np.clip(np.nan_to_num(noise), np.minimum(floor, spread), spread),
        low=low,
        high=high,
        quantum=quantum,
        origin=np.where(np.isfinite(least), least, 0.0),
        period=periods(values),
        side=side,
        least=harmful,
    )


def _quantum(values: Float64, least: Float64, most: Float64) -> Float64:
    """Return the step that all values of a row lie on, 0 where there is none."""
    ranked = np.sort(values, axis=1)
    gaps = np.diff(ranked, axis=1)
    step = np.where(gaps > 0.0, gaps, np.inf).min(axis=1, initial=np.inf)
    whole = ((values == np.rint(values)) | np.isnan(values)).all(axis=1)
    few = np.isfinite(step) & (step * MOST_STEPS >= most - least)
    off = (values - least[:, None]) / np.where(few, step, 1.0)[:, None]
    with np.errstate(invalid="ignore"):
        even = ~(np.abs(off - np.rint(off)) > ROUNDING).any(axis=1)
    return np.where(whole, 1.0, np.where(few & even, step, 0.0))


def periods(values: Float64) -> Int64:
    """Return the lag of each row's greatest peak of autocorrelation, 0 where none stands out.

    A period is sought from 8 columns to a third of the range.

    >>> wave = np.sin(2 * np.pi * np.arange(600) / 60)[None]
    >>> int(periods(wave)[0]), int(periods(np.arange(600.0)[None])[0])
    (60, 0)
    """
    n_rows, n_times = values.shape
    longest = n_times // 3
    if longest <= SHORTEST_PERIOD + 1:
        return np.zeros(n_rows, dtype=np.int64)
    centred = np.nan_to_num(values - row_means(values)[:, None])
    spectrum = np.fft.rfft(centred, 2 * n_times, axis=1)
    raw = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, : longest + 1]
    # Fewer pairs of columns are so far apart: else long periods would always count less.
    pairs = n_times - np.arange(longest + 1)
    power = np.maximum(raw[:, :1] / n_times, np.finfo(np.float64).tiny)
    correlation = raw / pairs / power
    inner = correlation[:, SHORTEST_PERIOD:-1]
    before, after = correlation[:, SHORTEST_PERIOD - 1 : -2], correlation[:, SHORTEST_PERIOD + 1 :]
    # A peak of a smooth curve that falls from lag 0: the dip before it tells it from noise.
    dip = np.minimum.accumulate(correlation, axis=1)[:, SHORTEST_PERIOD:-1]
    peak = (inner > before) & (inner >= after) & (inner - dip >= LEAST_PERIODIC)
    height = np.where(peak & (inner >= LEAST_PERIODIC), inner, -np.inf)
    if not height.shape[1]:
        return np.zeros(n_rows, dtype=np.int64)
    # Of multiples of one period, nearly as high, the first: it is the period.
    top = height.max(axis=1)
    found = (height >= 0.9 * top[:, None]) & np.isfinite(height)
    return np.where(found.any(axis=1), found.argmax(axis=1) + SHORTEST_PERIOD, 0)
