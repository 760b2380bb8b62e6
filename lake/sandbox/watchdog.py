"""A limit on the time that is spent waiting for one thing, and not on the time in between."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Calls `act`, once, when the time within its `waiting` blocks is used up.

    A thread of its own does, until `close`. The blocks are entered by one thread at a time.

    Args:
        seconds: that all blocks may take together.
        act: called from the thread.
    """

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self.expired = False
        self._act = act
        self._left = seconds
        self._since: float | None = None
        self._until: float | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="query-watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time within this block counts."""
        with self._changed:
            self._since = time.monotonic()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._left -= time.monotonic() - self._since
                self._since = None

    def hurry(self, seconds: float) -> None:
        """From now on all time counts, and there are at most so many seconds left."""
        with self._changed:
            if self._until is None:
                self._until = time.monotonic() + seconds
                self._changed.notify()

    def close(self) -> None:
        """Act no more; afterwards `expired` says for good whether it did."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                remaining = self._remaining()
                if remaining is not None and remaining <= 0:
                    self.expired = True
                    break
                self._changed.wait(remaining)
            else:
                return
        self._act()

    def _remaining(self) -> float | None:
        """Seconds until it acts if nothing changes; None = it does not."""
        now = time.monotonic()
        ends = []
        if self._since is not None:
            ends.append(self._left - (now - self._since))
        if self._until is not None:
            ends.append(self._until - now)
        return min(ends, default=None)
