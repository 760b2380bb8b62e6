"""False discovery: how far thresholds may come down while much is abnormal at once.

A threshold that keeps the fleet to so many false alerts a day is as high for the hundredth pod of
a failing node as for the only one of a healthy fleet. Where many rows are beyond theirs in one
column, few of these can be false, and rows that are nearly as far may be told as well: of all that
is told, still no more than the stated part is false, and where nothing is abnormal, nothing
changes.

Of n rows' p-values in a column, in units of the rate at which their thresholds stand (u = p /
rate), those are discoveries that are at most 1 (Bonferroni), or at most k / H(n) where k of them
are, for the largest such k, with the harmonic number H(n): rows of one pod move together, and the
procedure of Benjamini and Hochberg, without H(n), would take ten that move for ten witnesses.

Source: Y. Benjamini and D. Yekutieli, "The control of the false discovery rate in multiple testing
under dependency", Annals of Statistics 29 (2001).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

EULER = 0.5772156649


def most_relief(n_rows: int) -> float:
    """What `relief` gives at most of so many rows.

    >>> round(most_relief(1000), 1)
    133.6
    """
    return max(1.0, n_rows / float(_harmonic(n_rows)))


def relief(family: Int64, rarity: Float64, n_rows: Int64) -> Float64:
    """How many times their rate thresholds may stand at, cell by cell.

    Args:
        family: int64 `[n_cells]`, which cells are tested together: those of one column.
        rarity: float64 `[n_cells]`, a cell's p-value over the rate of its threshold. What is above
            `most_relief` may be left out: it can be no discovery.
        n_rows: int64 `[n_families]`, how many are tested in each, those left out too.

    Returns:
        float64 `[n_cells]`, 1 where nothing changes.

    >>> relief(np.zeros(40, int), np.full(40, 4.0), np.array([1000])).round(2)[:3]
    array([5.34, 5.34, 5.34])
    """
    most = np.ones(n_rows.size)
    if family.size:
        order = np.lexsort((rarity, family))
        own, u = family[order], rarity[order]
        first = np.flatnonzero(np.diff(own, prepend=-1))
        begun = np.repeat(first, np.diff(np.append(first, own.size)))
        level = (np.arange(own.size) - begun + 1) / _harmonic(n_rows)[own]
        found = u <= level
        np.maximum.at(most, own[found], level[found])
    return most[family]


def _harmonic(n: npt.ArrayLike) -> Float64:
    """1 + 1/2 + … + 1/n, by its logarithm."""
    n = np.maximum(n, 1)
    return np.log(n) + EULER + 0.5 / n
