"""Silences: stretches in which a thing has been quiet for longer than it may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.absence.bits import WORD, Bool, Int64
from detectors.compiled import compiled

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Silences:
    """Silences by thing, then start; columns as those of `before`.

    Attributes:
        thing: which.
        start: the column after the last in which it was heard.
        end: the column in which it is heard again, or the end of what was looked at.
        quiet: live columns between them.
    """

    thing: Int64
    start: Int64
    end: Int64
    quiet: Int64

    def __len__(self) -> int:
        return self.thing.size


def silences(
    words: Int64, first: int, end: int, last: Int64, before: Int64, allowed: Float64, known: Bool
) -> Silences:
    """The silences that are longer than allowed by the time they, or the columns, end.

    A thing that reports again and again falls silent again and again: each is one.

    Args:
        words: `[n, n_words]`, presence from column `first` on.
        first: where the words begin.
        end: columns from here on are not looked at.
        last: column, before `first`, in which each was heard last; -1 = never.
        before: live columns before each column, `[≥ end + 1]`.
        allowed: live columns of silence, of each thing.
        known: of others nothing is said.

    >>> words = np.array([[0b1000000001]])
    >>> found = silences(words, 0, 20, np.array([-1]), np.arange(21), np.array([7.0]),
    ...                  np.array([True]))
    >>> found.start.tolist(), found.end.tolist(), found.quiet.tolist()
    ([1, 10], [9, 20], [8, 10])
    """
    judged = np.flatnonzero(known)
    # Between two reports of a block at least so much must lie; most things report all the time.
    capacity = 16 * max(judged.size, 1)
    while True:
        out = np.empty((capacity, 4), np.int64)
        count = _find(words, first, end, last, before, allowed, judged, out)
        if count <= capacity:
            break
        capacity = count
    thing, start, stop, quiet = out[:count].T.copy()
    return Silences(thing, start, stop, quiet)


@compiled
def _find(words, first, end, last, before, allowed, judged, out) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    count = 0
    for thing in judged:
        previous = last[thing]
        for word in range(words.shape[1]):
            bits = words[thing, word]
            if bits == 0:
                continue
            for bit in range(WORD):
                column = first + word * WORD + bit
                if column >= end or not (bits >> bit) & 1:
                    continue
                if previous >= 0 and before[column] - before[previous + 1] > allowed[thing]:
                    if count < out.shape[0]:
                        out[count, 0] = thing
                        out[count, 1] = previous + 1
                        out[count, 2] = column
                        out[count, 3] = before[column] - before[previous + 1]
                    count += 1
                previous = column
        if previous >= 0 and before[end] - before[previous + 1] > allowed[thing]:
            if count < out.shape[0]:
                out[count, 0] = thing
                out[count, 1] = previous + 1
                out[count, 2] = end
                out[count, 3] = before[end] - before[previous + 1]
            count += 1
    return count


def last_heard(words: Int64, first: int, end: int, last: Int64) -> Int64:
    """The column before `end` in which each was heard last; arguments as of `silences`."""
    out = last.copy()
    _last(words, first, end, out)
    return out


@compiled
def _last(words, first, end, out) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    for thing in range(words.shape[0]):
        for word in range(words.shape[1] - 1, -1, -1):
            bits = words[thing, word]
            if bits == 0:
                continue
            found = -1
            for bit in range(WORD - 1, -1, -1):
                column = first + word * WORD + bit
                if column < end and (bits >> bit) & 1:
                    found = column
                    break
            if found >= 0:
                out[thing] = found
                break
