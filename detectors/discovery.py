"""False discovery: how far thresholds may come down while much is abnormal at once.

A threshold that keeps the fleet to so many false alerts a day is as high for the hundredth pod of
a failing node as for the only one of a healthy fleet. Where many rows are beyond theirs in one
column, few of these can be false, and rows that are nearly as far may be told as well: of all that
is told, still no more than the stated part is false, and where nothing is abnormal, nothing
changes.

Of n rows' p-values in a column, in units of the rate at which their thresholds stand (u = p /
rate), those are discoveries that are at most 1 (Bonferroni), or at most k / H(n) where k of them are, for
the largest such k, with the harmonic number H(n): rows of one pod move together, and the procedure
of Benjamini and Hochberg, without H(n), would take ten that move for ten witnesses.

Source: Y. Benjamini and D. Yekutieli, "The control of the false discovery rate in multiple testing
under dependency", Annals of Statistics 29 (2001).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

EULER = 0.5772156649


def harmonic(n_rows: int) -> float:
    """1 + 1/2 + … + 1/n, by its logarithm.

    >>> round(harmonic(1000), 3)
    7.485
    """
    n = max(n_rows, 1)
    return float(np.log(n) + EULER + 0.5 / n)


def relief(columns: Int64, rarity: Float64, n_columns: int, n_rows: int) -> Float64:
    """How many times their rate thresholds may stand at, column by column.

    Args:
        columns: int64 `[n]`, column of each cell that may count.
        rarity: float64 `[n]`, its p-value over the rate of its threshold. What is above
            `n_rows / harmonic(n_rows)` may be left out: it can be no discovery.
        n_columns: number of columns.
        n_rows: of all that is tested in each column.

    Returns:
        float64 `[n_columns]`, 1 where nothing changes.

    >>> relief(np.zeros(40, int), np.full(40, 4.0), n_columns=2, n_rows=1000).round(2)
    array([5.34, 1.  ])
    """
    out = np.ones(n_columns)
    if not columns.size:
        return out
    order = np.lexsort((rarity, columns))
    column, u = columns[order], rarity[order]
    first = np.flatnonzero(np.diff(column, prepend=-1))
    rank = np.arange(1, column.size + 1) - np.repeat(first, np.diff(np.append(first, column.size)))
    level = rank / harmonic(n_rows)
    found = u <= level
    np.maximum.at(out, column[found], level[found])
    return out
