"""What the table `series` holds of each series already, so that a row is written only when due."""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

NEVER = np.iinfo(np.int64).max
DAY_US = 86_400_000_000
_FIRST_ROOM = 1024


def with_room(column: npt.NDArray[Any], n: int, unknown: int) -> npt.NDArray[Any]:
    """A column with room for `n` numbers: itself, or one of twice the length at least.

    >>> with_room(np.array([7, 8]), 3, -1).tolist()
    [7, 8, -1, -1]
    """
    more = n - len(column)
    if more <= 0:
        return column
    return np.append(column, np.full(max(more, len(column)), unknown, column.dtype))


class Ledger:
    """By series number, from when to when it stands in the lake. Thread-safe.

    A series is written when it is new, seen on a later day than written, earlier than written, or
    described differently: `last_seen` in the lake is exact to the day, at one row a day.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first = np.full(_FIRST_ROOM, NEVER)
        self._last = np.full(_FIRST_ROOM, -1, np.int64)
        self._changes = 0
        self._changed: dict[int, int] = {}

    def make_room(self, n: int) -> None:
        """For series numbers below `n`."""
        with self._lock:
            self._first = with_room(self._first, n, NEVER)
            self._last = with_room(self._last, n, -1)

    def begin(self, numbers: npt.NDArray[np.int32]) -> None:
        """These numbers, for which there is room, are of series that were never written."""
        with self._lock:
            self._first[numbers], self._last[numbers] = NEVER, -1
            for number in numbers.tolist() if self._changed else ():
                self._changed.pop(number, None)

    def redescribe(self, numbers: Ints) -> None:
        """What is told of these series has changed."""
        with self._lock:
            self._changes += 1
            self._changed.update(dict.fromkeys(numbers.tolist(), self._changes))

    def due(self, numbers: Ints, first_us: Ints, last_us: Ints) -> npt.NDArray[np.bool_]:
        """Which of these series, seen from when to when, need a row in `series`."""
        with self._lock:
            due: npt.NDArray[np.bool_] = last_us // DAY_US > self._last[numbers] // DAY_US
            due |= first_us < self._first[numbers]
            if self._changed:
                due |= np.isin(numbers, np.fromiter(self._changed, np.int64))
            return due

    def changes(self) -> int:
        """How often descriptions have changed: ask before the rows are made."""
        return self._changes

    def written(self, numbers: Ints, first_us: Ints, last_us: Ints, changes: int) -> None:
        """Rows for these series, made after so many changes, are in the lake."""
        with self._lock:
            for number in numbers.tolist() if self._changed else ():
                # A change that came while the rows were written is still to be written.
                if self._changed.get(number, changes + 1) <= changes:
                    del self._changed[number]
            self._first[numbers] = np.minimum(self._first[numbers], first_us)
            self._last[numbers] = np.maximum(self._last[numbers], last_us)
