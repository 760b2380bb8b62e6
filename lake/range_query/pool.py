"""What was read of files, kept in memory: files never change."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar, cast

from lake.range_query.question import UnsuitedError

POOL_BYTES = 256 << 20
"""What the pool of a process may hold, where nothing else is said."""


class Sized(Protocol):
    """What knows how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes, about."""
        ...


T = TypeVar("T", bound=Sized)


class Pool:
    """Values by key; what was used least recently goes when there is too much. Thread-safe.

    Two who need the same at once may both make it.

    >>> import numpy as np
    >>> pool = Pool(100)
    >>> _ = pool.get("a", lambda: np.zeros(10)), pool.get("b", lambda: np.zeros(10))
    >>> pool.nbytes
    80
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self.nbytes = 0

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key; made if it is not there."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return cast("T", self._held[key])
        made = make()
        with self._lock:
            if key not in self._held:
                self._held[key] = made
                self.nbytes += made.nbytes
                self._shrink()
        return made

    def limit(self, most: int) -> None:
        """Let it hold so many bytes from now on; with none, every query is an engine's."""
        with self._lock:
            self.most = most
            self._shrink()

    def check(self, nbytes: int) -> None:
        """Let a query read so much.

        Raises:
            UnsuitedError: it would put out all that others need.
        """
        if nbytes > self.most // 2 or not self.most:
            raise UnsuitedError

    def _shrink(self) -> None:
        while self.nbytes > self.most:
            self.nbytes -= self._held.popitem(last=False)[1].nbytes

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held


shared = Pool(POOL_BYTES)
"""That of this process: keys name the file."""
