"""What is normal for a stream of events: its rate, how clustered it is, and the most it ever had.

Learned from the columns before, without what was extraordinary in them: an outage of yesterday must
not hide one of today. Extraordinary is what the rest of the same history would show less often than
once in `LEFT_OUT`, on at most `MOST_OCCASIONS` occasions and in at most half of it: what has
happened thrice is how this stream is, and a level that has lasted for half of the history is its
level. So the baseline depends on counts alone, not on what was flagged before.

Streams with few events borrow: how clustered events come is first taken as `USUAL_SPREAD`, then as
all streams of the same kind have it, and as the stream's own only by the weight of its events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.events.counts import Counts
from detectors.events.kernels import (
    HALF_AN_EVENT,
    HOURS,
    OF_ITS_OWN,
    USUAL_SPREAD,
    learn_streams,
)

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

# Columns of the windows that are looked at: a burst of a minute, and a rise that lasts.
WIDTHS = (1, 5, 15, 60)
# Events that weigh as much as what is borrowed by a kind of stream.
OF_A_KIND = 200.0


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """What is normal for each stream, on columns of one width.

    Attributes:
        known: bool `[n_streams]`, there is history enough.
        mean: float64 `[n_streams]`, events a column.
        hours: float64 `[n_streams, 24]`, factors of `mean` by hour of the day; 1 where history is
            too short to tell.
        spread: float64 `[n_streams, len(WIDTHS)]`, variance over mean of the count in a window.
        most: float64 `[n_streams, len(WIDTHS)]`, the greatest excess over the mean in a window.
        quietest: float64 `[n_streams]`, events a column in the quietest hour.
        longest_silence: int64 `[n_streams]`, columns.
        events: float64 `[n_streams]`, how many it was learned from.
    """

    known: Bool
    mean: Float64
    hours: Float64
    spread: Float64
    most: Float64
    quietest: Float64
    longest_silence: Int64
    events: Float64


def learn(
    counts: Counts,
    first: Int64,
    end: int,
    least: int,
    columns_a_day: float,
    kinds: Int64 | None = None,
) -> Baseline:
    """Learn from columns `[first[i], end)` of each stream.

    Args:
        counts: columns before and after that range are not looked at.
        first: int64 `[n_streams]`, where the history of each begins: what is before it was not
            observed.
        end: the column before which all is past. Column 0 is at midnight if hours of the day count.
        least: columns of history that a stream needs.
        columns_a_day: of the counts.
        kinds: int64 `[n_streams]`, streams of one kind borrow from each other; None = all do.
    """
    n, n_widths = counts.n_streams, len(WIDTHS)
    columns, silence = np.zeros(n, np.int64), np.zeros(n, np.int64)
    events, quietest = np.zeros(n), np.zeros(n)
    hours = np.ones((n, HOURS))
    squares, means, most = (np.zeros((n, n_widths)) for _ in range(3))
    learn_streams(
        counts.begin, counts.column, counts.count, first, end, np.array(WIDTHS, np.int64),
        columns_a_day, columns, events, hours, squares, means, most, quietest, silence,
    )  # fmt: skip
    of_kind = np.zeros(n, np.int64) if kinds is None else kinds
    return Baseline(
        known=end - first >= max(least, 1),
        mean=(events + HALF_AN_EVENT) / np.maximum(columns, 1),
        hours=hours,
        spread=_spread(squares, means, events, columns, of_kind),
        most=most,
        quietest=quietest / max(1, round(columns_a_day / HOURS)),
        longest_silence=silence,
        events=events,
    )


def _spread(
    squares: Float64, means: Float64, events: Float64, columns: Int64, kinds: Int64
) -> Float64:
    """Each stream's spread by window, with what it borrows and what its history leaves open."""
    own = np.divide(squares, means, out=np.ones_like(means), where=means > 0.0)
    weight = np.bincount(kinds, weights=events) + OF_A_KIND
    spread = np.empty_like(own)
    for index, width in enumerate(WIDTHS):
        of_kind = np.bincount(kinds, weights=events * own[:, index]) + OF_A_KIND * USUAL_SPREAD
        borrowed = np.maximum(of_kind / weight, USUAL_SPREAD)[kinds]
        # Two standard errors of a variance seen in so many windows that do not overlap.
        seen = own[:, index] * (1.0 + 2.0 * np.sqrt(2.0 * width / np.maximum(columns, 1)))
        mixed = (OF_ITS_OWN * borrowed + events * seen) / (OF_ITS_OWN + events)
        spread[:, index] = np.maximum(mixed, 1.0)
    return np.asarray(np.maximum.accumulate(spread, axis=1))
