"""The score of the Numenta Anomaly Benchmark, standard profile.

Labels are windows. Of the rows that alarm in a window only the earliest counts, the more the
earlier; a window without one costs 1; every alarming row outside costs up to 0.11, less just
after a window. One threshold serves all files and is chosen with the labels in sight, as the
benchmark does: the figure says how well a score *can* be cut, not how well it was. 0 = silent,
100 = every window at its first row and nothing else. A score that stays high for the length of a
fault pays for every row outside the window: give it alarms that begin, not levels that last.

Source: Lavin and Ahmad, "Evaluating real-time anomaly detection algorithms", ICMLA 2015, and the
benchmark's `sweeper.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

FALSE_WEIGHT = 0.11
STEEPNESS = 5.0
# So many widths behind a window an alarm has nothing to do with it any more.
FAR_BEHIND = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScore:
    """One file: scores of its rows and the windows of its labels.

    Attributes:
        score: `[n_rows]`, higher = more abnormal, finite.
        windows: (first row, last row) of each, in order, apart from each other.
        probation: first rows, which count for nothing.
    """

    score: npt.ArrayLike
    windows: Sequence[tuple[int, int]]
    probation: int


@dataclass(frozen=True, slots=True)
class NabScore:
    """The normalised score and the threshold that earns it; inf where silence is best."""

    score: float
    threshold: float


def nab_score(files: Sequence[LabelledScore]) -> NabScore:
    """Return the standard score of a corpus, at the threshold that serves it best.

    Raises:
        InvalidParameterError: without any window, if one does not lie in its file, or if a score
            is no finite number.

    >>> alarm = np.zeros(100)
    >>> alarm[[40, 41, 42]] = 1.0
    >>> round(nab_score([LabelledScore(alarm, [(40, 59)], 15)]).score, 1)
    100.0
    >>> late = np.roll(alarm, 10)
    >>> round(nab_score([LabelledScore(late, [(40, 59)], 15)]).score, 1)
    93.0
    """
    n_windows = sum(len(file.windows) for file in files)
    if not n_windows:
        raise InvalidParameterError("files", len(files), "must hold a window")
    levels, gains, owners = [], [], []
    before = 0
    for file in files:
        score = np.asarray(file.score, dtype=np.float64)
        if not np.isfinite(score).all():
            raise InvalidParameterError("score", "NaN or inf", "must be a number: where unsure, 0")
        for first, last in file.windows:
            if not 0 <= first <= last < score.size:
                rule = f"must lie in rows 0 to {score.size - 1}"
                raise InvalidParameterError("windows", (first, last), rule)
        gain, owner = _gains(score.size, file.windows)
        owner[owner >= 0] += before
        before += len(file.windows)
        counted = slice(file.probation, None)
        levels.append(score[counted])
        gains.append(gain[counted])
        owners.append(owner[counted])
    return _sweep(np.concatenate(levels), np.concatenate(gains), np.concatenate(owners), n_windows)


def _sweep(level: Float64, gain: Float64, owner: Int64, n_windows: int) -> NabScore:
    """Lower the threshold row by row and keep the best sum."""
    if not level.size:
        return NabScore(0.0, float("inf"))
    order = np.argsort(-level, kind="stable")
    level, gain, owner = level[order], gain[order], owner[order]
    best_of = np.full(n_windows, -1.0)
    change = np.where(owner < 0, gain, 0.0)
    for row in np.flatnonzero(owner >= 0):
        window = owner[row]
        if gain[row] > best_of[window]:
            change[row] = gain[row] - best_of[window]
            best_of[window] = gain[row]
    total = np.cumsum(change) - n_windows
    # Rows of one score alarm together.
    whole = np.append(np.diff(level) != 0.0, True)
    total[~whole] = -np.inf
    best = int(np.argmax(total))
    if total[best] <= -n_windows:
        return NabScore(0.0, float("inf"))
    return NabScore(float(50.0 * (total[best] + n_windows) / n_windows), float(level[best]))


def _gains(n_rows: int, windows: Sequence[tuple[int, int]]) -> tuple[Float64, Int64]:
    """Return what an alarm in each row is worth, and the window that it is in, -1 = none."""
    gain = np.full(n_rows, -FALSE_WEIGHT)
    owner = np.full(n_rows, -1, dtype=np.int64)
    for number, (first, last) in enumerate(windows):
        width = last - first + 1
        inside = np.arange(first, last + 1)
        gain[inside] = _sigmoid((inside - last - 1) / width) / _sigmoid(np.array(-1.0))
        owner[inside] = number
        ahead = windows[number + 1][0] if number + 1 < len(windows) else n_rows
        behind = np.arange(last + 1, ahead)
        gain[behind] = FALSE_WEIGHT * _sigmoid((behind - last) / max(width - 1, 1))
    return gain, owner


def _sigmoid(position: Float64) -> Float64:
    """Return 1 far before a window's end, 0 at it, -1 far behind it."""
    value: Float64 = 2.0 / (1.0 + np.exp(STEEPNESS * np.minimum(position, FAR_BEHIND))) - 1.0
    return np.where(position > FAR_BEHIND, -1.0, value)
