"""Events that used to come all day and come no more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.events import tails
from detectors.events.baseline import Baseline
from detectors.events.cells import Cells, score_of
from detectors.events.counts import Counts

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

# A silence counts when it is this many times as long as any before.
TIMES_THE_LONGEST = 2
# The window whose spread is taken: silences last.
_LAST = -1
# Columns of a history of which what may be left out is more than half.
_SHORT = 240


def may_have_stopped(
    counts: Counts, since: Int64, learned_to: int, first: int, end: int, rate: float
) -> Bool:
    """Which streams are silent for so long that `stops` may find something; a cheap look before.

    No hour of a history is quieter than twice the mean of it all (a quarter may be left out, and
    part of an hour), and nothing is more regular than independent events.

    Args:
        counts: of all events of each stream.
        since: int64 `[n_streams]`, where the history of each begins.
        learned_to: the column where it ends.
        first: the first column to score.
        end: the column after the last.
        rate: how often a normal column may be abnormal.
    """
    columns = np.arange(first, end)
    before = np.full(counts.n_streams, -1)
    stream = np.repeat(np.arange(counts.n_streams), np.diff(counts.begin))
    past = (counts.column < first) & (counts.count > 0.0)
    np.maximum.at(before, stream[past], counts.column[past])
    heard = counts.dense(first, end) > 0.0
    last = np.maximum.accumulate(np.where(heard, columns, before[:, None]), axis=1)
    silence = np.where(last >= 0, columns - last, 0).max(axis=1, initial=0)
    inside = (counts.column >= since[stream]) & (counts.column < learned_to)
    total = np.bincount(stream, np.where(inside, counts.count, 0.0), counts.n_streams)
    n = learned_to - since
    return np.asarray((2.0 * silence * total >= -np.log(rate) * n) | (n < _SHORT))


def stops(
    counts: Counts,
    baseline: Baseline,
    first: int,
    end: int,
    rate: float,
    awake: Bool | None = None,
) -> Cells:
    """The columns in `[first, end)` at which a silence has lasted too long to be chance.

    What is expected is what came in the quietest hour of the history: nights are no stops, and a
    stream that has been silent for an hour before has none. A stop is told until it has lasted for
    a quarter of the history.

    Args:
        counts: of all events of each stream, with history before `first`.
        baseline: of the same streams.
        first: the first column to score.
        end: the column after the last.
        rate: how often a normal column may be abnormal.
        awake: bool `[n_streams, end]`, whether an event would have been heard of: only such columns
            make a silence, and only in them it is told. None = always.
    """
    steady = np.flatnonzero(baseline.known & (baseline.quietest > 0.0))
    if not steady.size:
        return Cells.none()
    chosen = counts.take(steady)
    columns = np.arange(end)
    heard = chosen.dense(0, end) > 0.0
    listened = np.ones(heard.shape, np.bool_) if awake is None else awake[steady] | heard
    ticks = np.cumsum(listened, axis=1)
    # Of the last column with an event, at or before each, so many had been listened to.
    last = np.maximum.accumulate(np.where(heard, ticks, 0), axis=1)
    silence = np.where((last > 0) & listened, ticks - last, 0)[:, first:]
    p = tails.none_at_all(
        silence * baseline.quietest[steady, None], baseline.spread[steady, _LAST, None]
    )
    longest = baseline.longest_silence[steady, None]
    row, at = np.nonzero((p <= rate) & (silence > TIMES_THE_LONGEST * longest))
    mean, spread = baseline.mean[steady[row]], baseline.spread[steady[row], 0]
    _, high = tails.bounds(rate, mean, spread)
    found, none = p[row, at], np.zeros(row.size)
    return Cells(
        steady[row], columns[first:][at], found, score_of(found, rate), none, mean,
        baseline.quietest[steady[row]], high,
    )  # fmt: skip
