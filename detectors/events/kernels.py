"""The loops over streams and columns, compiled."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

# Log of the probability from which a stretch of history is none to learn from.
LEFT_OUT = float(np.log(1e-5))
# So many such stretches are accidents, more are habits.
MOST_OCCASIONS = 2
# A history is cut into so many pieces to find them; fewer than four are none.
PIECES, LEAST_PIECES = 48, 4
# Spread of a stream of which nothing is known: kubelets and controllers repeat themselves.
# No stream is taken to be more regular than this for what other streams of its kind are.
USUAL_SPREAD = 4.0
# Events that weigh as much as what is borrowed.
OF_ITS_OWN = 20.0
# Events that are added to a history, so that what never happened can happen.
HALF_AN_EVENT = 0.5
# A silence that still goes on is usual once it is this part of the history.
USUAL_SILENCE = 4
# Days of history before hours of the day are told apart.
DAYS_FOR_HOURS = 3
HOURS = 24


@compiled
def rarity(count: float, mean: float, spread: float) -> float:
    """Log of (a bound on) the probability of so many or more: Chernoff's, negative binomial."""
    if count <= mean:
        return 0.0
    if spread <= 1.0 + 1e-6:
        return -(count * math.log(count / mean) - count + mean)
    size = mean / (spread - 1.0)
    whole = (count + size) * math.log((count + size) / (mean + size))
    return -(count * math.log(count / mean) - whole)


@compiled
def occasion(sums: Float64, kept: Bool) -> tuple[int, int]:
    """The pieces `[low, high)` about the greatest of those kept; none where all are alike."""
    peak = -1
    for piece in range(sums.size):
        if kept[piece] and (peak < 0 or sums[piece] > sums[peak]):
            peak = piece
    base = np.median(sums[kept])
    if sums[peak] <= base:
        return 0, 0
    edge = base + (sums[peak] - base) / 4.0
    low, high = peak, peak + 1
    while low > 0 and kept[low - 1] and sums[low - 1] > edge:
        low -= 1
    while high < sums.size and kept[high] and sums[high] > edge:
        high += 1
    return low, high


@compiled
def extraordinary(sums: Float64, kept: Bool, low: int, high: int) -> bool:
    """Whether the rest of what is kept makes the pieces `[low, high)` an accident."""
    total, squares, rest = 0.0, 0.0, 0
    for piece in range(sums.size):
        if kept[piece] and not low <= piece < high:
            total += sums[piece]
            squares += sums[piece] * sums[piece]
            rest += 1
    mean = (total + HALF_AN_EVENT) / rest
    own = max(squares / rest - mean * mean, 0.0) / mean
    spread = max(1.0, (OF_ITS_OWN * USUAL_SPREAD + total * own) / (OF_ITS_OWN + total))
    return rarity(np.sum(sums[low:high]), (high - low) * mean, spread) <= LEFT_OUT


@compiled
def leave_out(row: Float64, out: Bool) -> None:
    """Mark the columns of a history that are none to learn from; see `baseline`."""
    length = max(1, -(-row.size // PIECES))
    n_pieces = row.size // length
    if n_pieces < LEAST_PIECES:
        return
    # Whole pieces, back from the end.
    offset = row.size - n_pieces * length
    sums = np.zeros(n_pieces)
    for t in range(offset, row.size):
        sums[(t - offset) // length] += row[t]
    kept = np.ones(n_pieces, np.bool_)
    for _ in range(MOST_OCCASIONS):
        low, high = occasion(sums, kept)
        if high == low or 2 * (np.sum(kept) - (high - low)) < n_pieces:
            return
        if not extraordinary(sums, kept, low, high):
            return
        kept[low:high] = False
        out[offset + low * length : offset + high * length] = True


@compiled
def fill(
    begin: Int64, column: Int64, count: Float64, stream: int, first: int, row: Float64
) -> None:
    """Write the columns of a stream from `first` on into a row, as many as it holds."""
    row[:] = 0.0
    for cell in range(begin[stream], begin[stream + 1]):
        at = column[cell] - first
        if 0 <= at < row.size:
            row[at] += count[cell]


@compiled
def hour_of(column: int, columns_a_day: float) -> int:
    """The hour of the day that a column begins in; column 0 begins at midnight."""
    return int(column % columns_a_day * HOURS / columns_a_day) % HOURS


@compiled
def _hours(row: Float64, out: Bool, first: int, columns_a_day: float, factors: Float64) -> None:
    """Factors of the mean by hour, drawn to 1 where there are few events to tell."""
    of_hour, columns = np.zeros(HOURS), np.zeros(HOURS)
    for t in range(row.size):
        if not out[t]:
            hour = hour_of(first + t, columns_a_day)
            of_hour[hour] += row[t]
            columns[hour] += 1
    mean = (np.sum(of_hour) + HALF_AN_EVENT) / max(np.sum(columns), 1.0)
    for hour in range(HOURS):
        factors[hour] = (of_hour[hour] + OF_ITS_OWN) / (mean * columns[hour] + OF_ITS_OWN)


@compiled
def _moments(row: Float64, out: Bool, expected: Float64, width: int) -> tuple[float, float, float]:
    """Of all clean windows: squares of the excess, means, the greatest excess."""
    total, mean, inside = 0.0, 0.0, 0
    squares, means, greatest = 0.0, 0.0, 0.0
    for t in range(row.size):
        if out[t]:
            total, mean, inside = 0.0, 0.0, 0
            continue
        total += row[t]
        mean += expected[t]
        inside += 1
        if inside > width:
            total -= row[t - width]
            mean -= expected[t - width]
        if inside >= width:
            squares += (total - mean) ** 2
            means += mean
            greatest = max(greatest, total - mean)
    return squares, means, greatest


@compiled
def _quietest(row: Float64, an_hour: int) -> float:
    """The fewest events in an hour: whole ones, back from the end; 0 where there is none."""
    least = -1.0
    at = row.size
    while at >= an_hour:
        total = np.sum(row[at - an_hour : at])
        least = total if least < 0.0 else min(least, total)
        at -= an_hour
    return max(least, 0.0)


@compiled
def _until_silent(row: Float64) -> int:
    """Columns up to the last event, where what follows is short of being usual; else all."""
    end = row.size
    while end > 0 and row[end - 1] == 0.0:
        end -= 1
    return end if USUAL_SILENCE * (row.size - end) <= row.size else row.size


@compiled
def _longest_silence(row: Float64) -> int:
    run, longest = 0, 0
    for t in range(row.size):
        run = 0 if row[t] > 0.0 else run + 1
        longest = max(longest, run)
    return longest


@compiled
def learn_streams(
    begin: Int64,
    column: Int64,
    count: Float64,
    first: Int64,
    end: int,
    widths: Int64,
    columns_a_day: float,
    columns: Int64,
    events: Float64,
    hours: Float64,
    squares: Float64,
    means: Float64,
    most: Float64,
    quietest: Float64,
    silence: Int64,
) -> None:
    """Fill the arrays from `columns` on; see `detectors.events.baseline.learn`."""
    for s in range(begin.size - 1):
        n = end - first[s]
        if n < 1:
            continue
        row, out = np.empty(n), np.zeros(n, np.bool_)
        fill(begin, column, count, s, first[s], row)
        leave_out(row, out)
        by_hour = n >= DAYS_FOR_HOURS * columns_a_day
        if by_hour:
            _hours(row, out, first[s], columns_a_day, hours[s])
        columns[s] = n - np.sum(out)
        events[s] = np.sum(row[~out])
        expected = np.full(n, (events[s] + HALF_AN_EVENT) / max(columns[s], 1))
        if by_hour:
            for t in range(n):
                expected[t] *= hours[s, hour_of(first[s] + t, columns_a_day)]
        for index in range(widths.size):
            found = _moments(row, out, expected, widths[index])
            squares[s, index], means[s, index], most[s, index] = found
        row = row[: _until_silent(row)]
        quietest[s] = _quietest(row, max(1, round(columns_a_day / HOURS)))
        silence[s] = _longest_silence(row)
