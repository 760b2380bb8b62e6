"""Who is still under way: so that what they may hold is not given to others meanwhile."""

import itertools
import threading


class Tickets:
    """Numbers drawn in order, and the oldest that is not yet given back. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._next = next(self._numbers)
        self._out: dict[int, None] = {}

    def draw(self) -> int:
        """A ticket; to be given back by `done` once, whatever happens."""
        with self._lock:
            ticket = self._next
            self._next = next(self._numbers)
            self._out[ticket] = None
            return ticket

    def done(self, ticket: int) -> None:
        """Give a ticket back."""
        with self._lock:
            del self._out[ticket]

    def oldest(self) -> int:
        """All tickets before this one have been given back."""
        with self._lock:
            return next(iter(self._out), self._next)

    def next(self) -> int:
        """The ticket that will be drawn next."""
        return self._next
