"""Presence as bits: which columns have a sample, 60 to a word; and of groups, any member's.

Sixty, not 64: a word of minutes is an hour, and no bit is the sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WORD = 60
"""Columns of a word; bit `k` is the `k`-th."""

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]


def holds(words: Int64) -> Bool:
    """The bits of words `[…, n_words]` as columns `[…, n_words * 60]`.

    >>> holds(np.array([0b101]))[:4].tolist()
    [True, False, True, False]
    """
    bits = (words[..., None] >> np.arange(WORD)) & 1
    return bits.reshape(*words.shape[:-1], -1).astype(np.bool_)


def elapsed(live: Bool) -> Int64:
    """How many live columns lie before each column, and before the end: `[n_columns + 1]`.

    Where nobody at all was heard, nobody was silent: such columns take no time.

    >>> elapsed(np.array([True, False, True])).tolist()
    [0, 1, 1, 2]
    """
    return np.concatenate([[0], np.cumsum(live)]).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Which rows belong together: `code[row]` is a group, -1 = none.

    Attributes:
        code: int32 `[n_rows]`.
        count: of groups.
        order: the rows that have a group, by group.
        starts: where each group begins in `order`; groups without rows are not among `present`.
        present: the groups that have rows.
    """

    code: Int32
    count: int
    order: Int64
    starts: Int64
    present: Int64

    @classmethod
    def of(cls, code: Int32, count: int) -> Groups:
        """Groups by their codes."""
        order = np.argsort(code, kind="stable")
        order = order[np.searchsorted(code[order], 0) :]
        present, starts = np.unique(code[order], return_index=True)
        return cls(code, count, order, starts.astype(np.int64), present.astype(np.int64))

    def any(self, words: Int64) -> Int64:
        """Presence of the groups: a column is theirs if it is any member's.

        >>> groups = Groups.of(np.array([1, -1, 1], np.int32), 2)
        >>> groups.any(np.array([[1], [2], [4]])).tolist()
        [[0], [5]]
        """
        return self._reduced(np.bitwise_or, words, 0)

    def most(self, values: Int64, nothing: int) -> Int64:
        """The greatest value of each group."""
        return self._reduced(np.maximum, values, nothing)

    def least(self, values: Int64, nothing: int) -> Int64:
        """The least value of each group."""
        return self._reduced(np.minimum, values, nothing)

    def total(self, values: Int64) -> Int64:
        """The sum of each group."""
        return self._reduced(np.add, values, 0)

    def _reduced(self, how: np.ufunc, values: Int64, nothing: int) -> Int64:
        out = np.full((self.count, *values.shape[1:]), nothing, np.int64)
        if self.present.size:
            out[self.present] = how.reduceat(values[self.order], self.starts, axis=0)
        return out
