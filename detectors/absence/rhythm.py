"""Rhythm: how often something reports, and how long it may be silent before that is unusual.

What is scraped each 15 s is missed after minutes, what is pushed each hour after hours, what comes
and goes never. A thing's own past says which it is: the gaps between its columns.

The largest gap is not the measure, for it may be an outage: one of a kind teaches nothing. The
*second* largest is. Beyond it the tail is taken for exponential, with the mean excess of the
largest gaps over the smallest of them, which is what gaps of random arrivals are; a thing with a
steady rhythm has none, and is granted a quarter of its gap. Solved for the rate of false alarms,
that is how long it may be silent, but never less than two reports can be missed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.absence.bits import WORD, Bool, Int64
from detectors.compiled import compiled
from detectors.memory.kernels import over_rows

TOP = 8
"""Gaps that are kept of each thing, the largest."""

FEWEST_GAPS = 6
"""With fewer, nobody can tell a rhythm."""

MISSES = 3.0
"""A silence is a matter of several reports: one may be lost or late."""

STEADY = 0.25
"""Excess of a steady rhythm's gaps, as a part of the gap."""

COMES_AND_GOES = 0.25
"""What was silent at once for a larger part of its past has no rhythm that one gap could tell."""

ROWS_AT_ONCE = 2048

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rhythms:
    """What the past of each thing tells; arrays by thing, in columns.

    Attributes:
        last: column of the window in which it was heard last, -1 = never.
        span: live columns from its first to its last, of `history` before the last.
        gaps: how many there are in it.
        top: `[n, TOP]`, the largest of them, descending; 0 = there are not so many.
    """

    last: Int64
    span: Int64
    gaps: Int64
    top: Int64


@dataclass(frozen=True, slots=True, eq=False)
class Patience:
    """How long each thing may be silent.

    Attributes:
        allowed: in live columns; a longer silence is unusual.
        known: whether its rhythm is known; of others nothing can be said.
        usual: the gap that it is used to.
        gaps: that it was learned from.
        scale: columns by which a silence becomes e times as unlikely.
    """

    allowed: Float64
    known: Bool
    usual: Float64
    gaps: Int64
    scale: Float64

    def p_value(self, thing: Int64, quiet: Float64) -> Float64:
        """How likely a gap is at least so long, for things by number."""
        beyond = np.maximum(quiet - self.usual[thing], 0.0) / self.scale[thing]
        return np.minimum(1.0, 2.0 / np.maximum(self.gaps[thing], 2) * np.exp(-beyond))


def rhythms(words: Int64, before: Int64, history: int) -> Rhythms:
    """Learn from a window of presence.

    Args:
        words: `[n, n_words]`, bits of columns.
        before: live columns before each column of the window, as of `bits.elapsed`.
        history: columns before a thing's last that count.
    """
    n = words.shape[0]
    last, span, gaps = (np.zeros(n, np.int64) for _ in range(3))
    top = np.zeros((n, TOP), np.int64)

    def work(rows: slice) -> None:
        _learn(words[rows], before, history, last[rows], span[rows], gaps[rows], top[rows])

    over_rows(work, n, ROWS_AT_ONCE)
    return Rhythms(last, span, gaps, top)


def patience(
    learned: Rhythms, *, least: int, least_history: int, columns_a_day: float, false_a_day: float
) -> Patience:
    """How long each may be silent, so that all together raise so many false alarms a day.

    Args:
        learned: of all things that are judged alike.
        least: columns that anything may be silent.
        least_history: columns that must lie between its first and its last.
        columns_a_day: of the panel.
        false_a_day: the budget of all things here.

    A thing that reports in each column may be silent for `least`; one that does each tenth, longer:

    >>> words = np.zeros((2, 24), np.int64)
    >>> words[0] = (1 << 60) - 1
    >>> words[1] = sum(1 << bit for bit in range(0, 60, 10))
    >>> learned = rhythms(words, np.arange(24 * 60 + 1), history=24 * 60)
    >>> patience(learned, least=10, least_history=360, columns_a_day=1440,
    ...          false_a_day=1.0).allowed.tolist()
    [10.0, 30.0]
    """
    usual = learned.top[:, 1].astype(np.float64)
    kept = learned.top[:, 1:]
    smallest = np.where(kept > 0, kept, np.iinfo(np.int64).max).min(axis=1)
    excess = np.where(kept > 0, kept - smallest[:, None], 0).sum(axis=1)
    excess = excess / np.maximum((kept > 0).sum(axis=1), 1)
    scale = np.maximum(excess, STEADY * usual)
    days = np.maximum(learned.span, 1) / columns_a_day
    judged = max(int((learned.last >= 0).sum()), 1)
    folds = np.maximum(np.log(2.0 * judged / (false_a_day * days)), 1.0)
    allowed = np.maximum.reduce(
        [np.full(usual.shape, least), MISSES * usual, usual + scale * folds]
    )
    allowed = np.ceil(allowed)
    known = (
        (learned.gaps >= FEWEST_GAPS)
        & (learned.span >= least_history)
        & (learned.top[:, 0] <= np.maximum(COMES_AND_GOES * learned.span, least))
    )
    # So that what is just unusual is as unlikely as the budget says.
    scale = np.maximum(scale, (allowed - usual) / folds)
    return Patience(allowed, known, usual, learned.gaps, np.maximum(scale, 1e-9))


@compiled
def _learn(words, before, history, last, span, gaps, top) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001, C901, PLR0912
    n, n_words = words.shape
    for row in range(n):
        last[row] = -1
        end = -1
        for word in range(n_words - 1, -1, -1):
            if words[row, word] != 0:
                for bit in range(WORD - 1, -1, -1):
                    if (words[row, word] >> bit) & 1:
                        end = word * WORD + bit
                        break
                break
        if end < 0:
            continue
        last[row] = end
        begin = max(end - history, 0)
        previous = -1
        for word in range(begin // WORD, end // WORD + 1):
            bits = words[row, word]
            if bits == 0:
                continue
            for bit in range(WORD):
                column = word * WORD + bit
                if column < begin or column > end or not (bits >> bit) & 1:
                    continue
                if previous >= 0:
                    gap = before[column] - before[previous]
                    span[row] += gap
                    gaps[row] += 1
                    slot = TOP - 1
                    if gap > top[row, slot]:
                        while slot > 0 and top[row, slot - 1] < gap:
                            top[row, slot] = top[row, slot - 1]
                            slot -= 1
                        top[row, slot] = gap
                previous = column
