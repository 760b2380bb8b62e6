"""Series put together to one line of steps: restarts follow each other, parts are added up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

Steps = tuple[Float64, Float64]
"""Times, ascending and each once, and the value from then on."""


def following(lines: Sequence[Steps]) -> Steps:
    """Series of one thing after each other: an exporter that begins again has another instance.

    >>> time, value = following([(np.array([0.0, 2.0]), np.array([1.0, 3.0])),
    ...                          (np.array([1.0, 2.0]), np.array([2.0, 4.0]))])
    >>> time.tolist(), value.tolist()
    ([0.0, 1.0, 2.0], [1.0, 2.0, 4.0])
    """
    time = np.concatenate([np.zeros(0), *(line[0] for line in lines)])
    value = np.concatenate([np.zeros(0), *(line[1] for line in lines)])
    order = np.argsort(time, kind="stable")
    time, value = time[order], value[order]
    last = np.append(time[1:] != time[:-1], True)[: len(time)]
    return time[last], value[last]


def added(lines: Sequence[Steps]) -> Steps:
    """Parts of one thing added up; before its first sample, a part counts nothing.

    >>> time, value = added([(np.array([0.0, 2.0]), np.array([1.0, 3.0])),
    ...                      (np.array([1.0]), np.array([2.0]))])
    >>> time.tolist(), value.tolist()
    ([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])
    """
    time = np.unique(np.concatenate([np.zeros(0), *(line[0] for line in lines)]))
    total = np.zeros(len(time))
    for line in lines:
        total += at(line, time)
    return time, total


def at(line: Steps, times: Float64) -> Float64:
    """The value at times; 0 before the first."""
    spot = np.searchsorted(line[0], times + 1e-9, side="right") - 1
    out: Float64 = np.where(spot >= 0, np.append(line[1], 0.0)[spot], 0.0)
    return out


def mean_wait(waiting: Steps, begun: Float64, since: float, until: float) -> float | None:
    """Hours that gangs waited on average, by Little's law; None = none began.

    Args:
        waiting: gangs that wait.
        begun: hours at which gangs began.
        since: begin of what is looked at.
        until: its end.
    """
    count = int(np.count_nonzero((begun >= since) & (begun < until)))
    if not count:
        return None
    time = np.concatenate([[since], waiting[0][(waiting[0] > since) & (waiting[0] < until)]])
    length = np.diff(np.append(time, until))
    return float((at(waiting, time) * length).sum() / count)
