"""The last few things that were found out, for several threads."""

import threading
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """A bounded dictionary; who is in it the longest goes first.

    Held for a look or an entry alone: two threads may find out the same at once, and one that waits
    for a server holds up none.

    >>> known = Remembered(2)
    >>> for n in (1, 2, 3):
    ...     _ = known.keep(n, n * n)
    >>> known.get(1), known.get(3)
    (None, 9)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """What is known; None = nothing."""
        with self._lock:
            return self._known.get(key)

    def keep(self, key: K, value: V) -> V:
        """Remember it, and give it back."""
        with self._lock:
            self._known[key] = value
            while len(self._known) > self._most:
                del self._known[next(iter(self._known))]
        return value
