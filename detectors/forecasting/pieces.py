"""Lines over any columns of a series from its running sums; its newest piece, and if it is new."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Float64 = npt.NDArray[np.float64]

# What is a new rise: it is so many times the usual step, no column has more of it than that share,
# the history is so many times as long, and rose half as fast once at most.
CLEAR, ONE_STEP, HISTORY = 4.0, 0.5, 4
AS_FAST, MOST_TIMES = 0.5, 1


@compiled
def line(sums: Float64, moments: Float64, begin: int, origin: int) -> tuple[float, float]:
    """Least squares over columns begin…origin: value at the origin, slope a column."""
    n = origin - begin + 1
    total = sums[origin + 1] - sums[begin]
    if n < 3:
        return total / n, 0.0
    # Times count from the window's middle.
    middle = 0.5 * (begin + origin)
    product = moments[origin + 1] - moments[begin] - middle * total
    slope = product / (n * (n * n - 1.0) / 12.0)
    return total / n + slope * 0.5 * (n - 1), slope


@compiled
def _misfit(sums: Float64, moments: Float64, squares: Float64, begin: int, end: int) -> float:
    """Sum of squares that a line over columns begin…end leaves."""
    n = end - begin + 1
    total = sums[end + 1] - sums[begin]
    left = squares[end + 1] - squares[begin] - total * total / n
    if n > 2:
        product = moments[end + 1] - moments[begin] - 0.5 * (begin + end) * total
        left -= product * product / (n * (n * n - 1.0) / 12.0)
    return float(max(0.0, left))


@compiled
def newest_piece(
    x: Float64,
    first: int,
    origin: int,
    hour: float,
    sums: Float64,
    moments: Float64,
    squares: Float64,
) -> tuple[float, float, int]:
    """The line since the newest bend or step: value at the origin, slope a column.

    The window is cut where two lines fit much better than one, and its newest piece again.
    """
    begin = max(first, origin - round(12 * hour))
    short = max(4, round(hour / 3))
    while True:
        n = origin - begin + 1
        if n < 2 * short + 2:
            break
        whole = _misfit(sums, moments, squares, begin, origin)
        least, cut = whole, -1
        for k in range(begin + short, origin + 2 - short):
            both = _misfit(sums, moments, squares, begin, k - 1) + _misfit(
                sums, moments, squares, k, origin
            )
            if both < least:
                least, cut = both, k
        # The penalty of three more numbers (Bayes' criterion, doubled: noise is no white noise).
        if cut < 0 or n * np.log((whole + 1e-300) / (least + 1e-300)) < 6.0 * np.log(n):
            break
        begin = cut
    at, slope = line(sums, moments, begin, origin)
    n = origin - begin + 1
    left = _misfit(sums, moments, squares, begin, origin)
    if n < 4:
        return float(x[origin]), 0.0, begin
    deviation = np.sqrt(left / (n - 2) / (n * (n * n - 1.0) / 12.0))
    if abs(slope) < 3.0 * deviation:
        return (sums[origin + 1] - sums[begin]) / n, 0.0, begin
    return at, slope, begin


@compiled
def is_new(
    x: Float64, first: int, begin: int, last: int, slope: float, sums: Float64, moments: Float64
) -> bool:
    """Whether a series has hardly ever risen as it does in its newest piece.

    What it has often done before, it has also ended before, and the backtest knows; of a rise
    without an example, errors from calmer times say nothing.
    """
    n = last - begin + 1
    if slope <= 0.0 or n < 4 or begin - first < HISTORY * n:
        return False
    steps = np.abs(np.diff(x[first : begin + 1]))
    noise = 1.4826 * np.median(steps)
    if slope * (n - 1) < CLEAR * noise:
        return False
    if _has_step(x, begin, last, ONE_STEP * slope * (n - 1)):
        return False
    times, until = 0, first - 1
    for t in range(first, begin - n + 1):
        if t > until:
            _, past = line(sums, moments, t, t + n - 1)
            rose = past > AS_FAST * slope
            if rose and not _has_step(x, t, t + n - 1, ONE_STEP * past * (n - 1)):
                times += 1
                until = t + n - 1
    return times <= MOST_TIMES


@compiled
def _has_step(x: Float64, begin: int, last: int, least: float) -> bool:
    """Whether a column is that much above the one before: a step, or the end of a dip."""
    for t in range(begin, last):  # noqa: SIM110 (compiled: `any` of a generator is not)
        if x[t + 1] - x[t] > least:
            return True
    return False
