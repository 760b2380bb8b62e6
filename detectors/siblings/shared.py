"""Whether what a series shows is shown by its siblings in other clusters, too.

A peak of traffic, a dependency that is down, a release that goes everywhere: the same move in the
same minutes, of about the same size. An abnormal column is shared if there is a time before it
since when

- the series has moved by half of what is odd about it, or more, and in that direction;
- its siblings have, too, all but one in four of them;
- and what it moved beyond them is less than half of what is odd about it.

What is less than three quarters as odd as the oddest column of the last `memory` is an echo, as a
long window that has a peak in it stays odd when the peak is over: it shares what that shared.

The time before is tried near and far, as what is shared may have begun hours ago, while over
hours clusters in other time zones move by themselves. Moves are relative, `(a - b) / (|a| + |b|)`:
1/3 is twice as much, 1 is something from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.siblings.apart import LEAST_SIBLINGS, MAY_DIFFER
from detectors.siblings.combine import LONGEST_HOLD

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

NOW = 3
"""Columns of the trailing mean that is compared with what was before."""

BEFORE = 30
"""Columns of the mean of what was before."""

SINCE = (15, 60, 180, 480)
"""Columns between what was before and now. After longer than that, models have learned it."""

COMPARABLE = 0.5
"""The siblings' move is shared if it is so much of what is odd about the series."""

LEAST_MOVE = 0.05
"""What is odd by less than a tenth is odd in its shape, of which the siblings say nothing."""

STEADINESS = 10
"""Columns of which half must be shared: one column is no change of mind."""

ECHO = 0.75
"""What is less odd than so much of the oddest column before is its echo."""

SHARED_CONTEXT = SINCE[-1] + BEFORE + 2 * LONGEST_HOLD
"""Columns before the first that is judged, or kept, that are looked back on."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Series with abnormal columns, and where their siblings are.

    Attributes:
        values: float32 `[n, n_times]`, the series; or what may be the cause of what they show.
        odd: float64 `[n, n_last]`, how odd each of the last columns is (`oddness`).
        asked: bool `[n, n_last]`, columns to be judged.
        kept: bool `[n, n_last]`, abnormal columns that later ones are judged by, too.
        memory: int64 `[n]`, columns for which what was odd may make columns after it abnormal.
        own: int64 `[n]`, row of each one's own cluster among the combined rows.
        begin: int64 `[n]`, first row of its group.
        end: int64 `[n]`, row after the last.
    """

    values: Float32
    odd: Float64
    asked: Bool
    kept: Bool
    memory: Int64
    own: Int64
    begin: Int64
    end: Int64


def oddness(values: Float32, expected: Float32) -> Float64:
    """How far the last columns are from what was expected of them, as relative moves.

    Args:
        values: float32 `[n, n_times]`.
        expected: float32 `[n, n_last]`, of the last columns.

    Returns:
        float64 `[n, n_last]`, NaN where nothing is known.

    >>> oddness(np.full((1, 9), 30.0, "f4"), np.full((1, 2), 10.0, "f4"))
    array([[0.5, 0.5]])
    """
    out = np.empty(expected.shape)
    _odd(values, expected, out)
    return out


def shared_by(candidates: Candidates, combined: Float32) -> Int32:
    """Count the clusters that show what each abnormal column shows.

    Args:
        candidates: what is abnormal.
        combined: float32 `[n_rows, n_times]`, one row a cluster (`combined`), the same columns.

    Returns:
        int32 `[n, n_last]`, with the series' own cluster, negative where it is less than what was
        expected that is shared; 0 = it is not, or was not asked for. A column's answer depends on
        it and what was before.

    >>> peak = (np.where(np.arange(100) < 60, 10.0, 25.0) * np.ones((3, 1))).astype("f4")
    >>> odd = oddness(peak[:1], np.full((1, 20), 10.0, "f4"))
    >>> all_, one = np.ones(odd.shape, bool), np.ones(1, np.int64)
    >>> group = (0 * one, 0 * one, 3 * one)
    >>> shared_by(Candidates(peak[:1], odd, all_, all_, one, *group), peak)[0, -1]
    np.int32(3)
    """
    shared = np.zeros(candidates.odd.shape, np.int32)
    _judge(
        candidates.values,
        candidates.odd,
        candidates.asked,
        candidates.kept,
        candidates.memory,
        candidates.own,
        candidates.begin,
        candidates.end,
        combined,
        np.array(SINCE),
        shared,
    )
    return shared


@compiled
def _odd(values: Float32, expected: Float32, out: Float64) -> None:
    first = values.shape[1] - expected.shape[1]
    for one in range(values.shape[0]):
        for at in range(expected.shape[1]):
            out[one, at] = _move(_mean(values[one], first + at, NOW), expected[one, at])


@compiled
def _judge(
    values: Float32,
    odd: Float64,
    asked: Bool,
    kept: Bool,
    memory: Int64,
    own: Int64,
    begin: Int64,
    end: Int64,
    rows: Float32,
    since: Int64,
    out: Int32,
) -> None:
    first = values.shape[1] - odd.shape[1]
    raw = np.zeros(odd.shape[1], np.int32)
    for one in range(values.shape[0]):
        for at in range(odd.shape[1]):
            raw[at] = 0
            # False for NaN: nothing is known.
            if (asked[one, at] or kept[one, at]) and abs(odd[one, at]) >= LEAST_MOVE:
                raw[at] = _column(
                    values[one],
                    odd[one, at],
                    own[one],
                    begin[one],
                    end[one],
                    rows,
                    since,
                    first + at,
                )
        for at in range(odd.shape[1]):
            if asked[one, at]:
                out[one, at] = _steadied(odd[one], kept[one], raw, at, memory[one])


@compiled
def _steadied(odd: Float64, kept: Bool, raw: Int32, at: int, memory: int) -> int:
    """What half of the columns before say, or of an echo what they say by how odd they are."""
    oddest = 0.0
    for past in range(max(0, at - memory + 1), at + 1):
        if (kept[past] or past == at) and not np.isnan(odd[past]):
            oddest = max(oddest, abs(odd[past]))
    echo = not abs(odd[at]) >= ECHO * oddest
    width = memory if echo else STEADINESS
    total, agree, along, most = 0.0, 0.0, 0.0, 0
    for past in range(max(0, at - width + 1), at + 1):
        # A column of which nothing can be told has no say.
        if (kept[past] or past == at) and abs(odd[past]) >= LEAST_MOVE:
            weight = abs(odd[past]) if echo else 1.0
            total += weight
            if raw[past] != 0:
                agree += weight
                along += odd[past]
                most = max(most, raw[past])
    if total == 0.0 or 2.0 * agree < total:
        return 0
    return most if along >= 0.0 else -most


@compiled
def _column(
    series: Float32,
    odd: float,
    own: int,
    begin: int,
    end: int,
    rows: Float32,
    since: Int64,
    at: int,
) -> int:
    """How many clusters show it, 0 = it is not shared."""
    sign = 1.0 if odd >= 0.0 else -1.0
    needed = COMPARABLE * abs(odd)
    moves = np.empty(end - begin)
    for lag in since:
        moved = sign * _since(series, at, lag)
        # Comparisons with NaN are false: what cannot be told is not shared.
        if not moved >= needed:
            continue
        count, along = 0, 1
        for row in range(begin, end):
            if row == own:
                continue
            move = sign * _since(rows[row], at, lag)
            if not np.isnan(move):
                moves[count] = move
                count += 1
                along += move >= needed
        if count < LEAST_SIBLINGS or along - 1 < count - count // MAY_DIFFER:
            continue
        if moved - np.median(moves[:count]) <= needed:
            return along
    return 0


@compiled
def _since(series: Float32, at: int, lag: int) -> float:
    return _move(_mean(series, at, NOW), _mean(series, at - lag, BEFORE))


@compiled
def _mean(series: Float32, at: int, width: int) -> float:
    """Over columns up to `at`, NaN if fewer than a third have data."""
    total, count = 0.0, 0
    for past in range(max(0, at - width + 1), at + 1):
        if not np.isnan(series[past]):
            total += series[past]
            count += 1
    return total / count if 3 * count >= width and count > 0 else np.nan


@compiled
def _move(now: float, before: float) -> float:
    size = abs(now) + abs(before)
    return (now - before) / size if size > 0.0 else 0.0
