"""Anomalies that belong together, by what they are about, what is next to that, and when.

An anomaly *owns* what it is about (its workload, its node) and *touches* what is next to that (the
node of its pod, who calls it). Two that own the same are one incident while they overlap or nearly
follow each other, however long that takes. Two of which one touches what the other owns are one if
they began together: a fault reaches its neighbours within minutes, and what happens to a neighbour
hours later has a reason of its own. Two that touch the same are one if they began at nearly the
same moment: then what they have in common may be the cause, though it shows nothing itself.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Near:
    """How close in time is close, all in microseconds.

    Attributes:
        gap: between the end of one anomaly and the begin of the next of what both own.
        onset: between the begins of one that owns and one that touches.
        same: between the begins of two that touch.
    """

    gap: int
    onset: int
    same: int


@dataclass(frozen=True, slots=True)
class Mentions:
    """What anomalies are about: arrays of one length, in any order.

    Attributes:
        anomaly: its number.
        key: the number of what is mentioned.
        owned: whether the anomaly owns it, or only touches it.
    """

    anomaly: Int64
    key: Int64
    owned: Bools


def group(start: Int64, end: Int64, mentions: Mentions, near: Near) -> Int64:
    """The group of each anomaly: the smallest number of an anomaly in it.

    >>> near = Near(gap=30, onset=15, same=5)
    >>> of = Mentions(np.array([0, 1, 2, 3]), np.zeros(4, np.int64), np.array([1, 0, 0, 1], bool))
    >>> group(np.array([0, 10, 40, 100]), np.array([80, 20, 50, 110]), of, near).tolist()
    [0, 0, 2, 0]

    Args:
        start: int64[n], when each began, in microseconds.
        end: int64[n], when each ended.
        mentions: what they are about.
        near: how close in time is close.

    Returns:
        int64[n].
    """
    order = np.lexsort((mentions.anomaly, start[mentions.anomaly], mentions.key))
    parent = np.arange(len(start), dtype=np.int64)
    _sweep(
        start,
        end,
        mentions.anomaly[order],
        mentions.key[order],
        mentions.owned[order],
        near.gap,
        near.onset,
        near.same,
        parent,
    )
    return np.array([_root(parent, one) for one in range(len(start))], np.int64)


@compiled
def _root(parent: Int64, one: int) -> int:
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    return one


@compiled
def _join(parent: Int64, one: int, other: int) -> None:
    first, second = _root(parent, one), _root(parent, other)
    # The smaller number stays the root, so that a group's name does not depend on the order.
    parent[max(first, second)] = min(first, second)


@compiled
def _sweep(
    start: Int64,
    end: Int64,
    anomaly: Int64,
    key: Int64,
    owned: Bools,
    gap: int,
    onset: int,
    same: int,
    parent: Int64,
) -> None:
    """One pass over the mentions by key and begin: whoever is near was seen just before."""
    first_open = 0
    owner, owner_end, owner_start, toucher = -1, 0, 0, -1  # a toucher: the first of its run
    for place in range(len(anomaly)):
        one = anomaly[place]
        if place == 0 or key[place] != key[place - 1]:
            first_open, owner, toucher = place, -1, -1
        if owned[place]:
            if owner >= 0 and start[one] <= owner_end + gap:
                _join(parent, owner, one)
                owner_end = max(owner_end, end[one])
            else:
                owner_end = end[one]
            owner, owner_start = one, start[one]
            # Those that touched it before it showed anything itself.
            while start[anomaly[first_open]] < start[one] - onset:
                first_open += 1
            while first_open < place:
                if not owned[first_open]:
                    _join(parent, anomaly[first_open], one)
                first_open += 1
        else:
            if owner >= 0 and start[one] - owner_start <= onset:
                _join(parent, owner, one)
            # From the first of them: else what begins now and then would be one long chain.
            if toucher >= 0 and start[one] - start[toucher] <= same:
                _join(parent, toucher, one)
            else:
                toucher = one
