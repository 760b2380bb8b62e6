"""Which states of alerts are stored, so that one which is told every minute is stored once.

A Prometheus repeats a firing alert every minute for as long as it fires, and a resolved one for a
quarter of an hour; an Alertmanager repeats by its `repeat_interval`. What is forgotten here, for
want of room or by a restart, is stored once more: with the same time, uid and count, so that
readers see it once all the same.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

CAPACITY = 65_536
"""States, in about 8 MB. A large fleet has some thousand alerts that fire at a time."""


class AlertMemory:
    """The states that were told of last, at most `capacity`. Thread-safe."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._stored: OrderedDict[bytes, None] = OrderedDict()

    def unknown(self, states: Sequence[bytes]) -> list[bool]:
        """Of each state, whether it is not known to be stored. Asking keeps a state known."""
        with self._lock:
            for state in states:
                if state in self._stored:
                    self._stored.move_to_end(state)
            return [state not in self._stored for state in states]

    def add(self, states: Iterable[bytes], ended: Iterable[bytes] = ()) -> None:
        """Note what is stored, and forget what that ends."""
        with self._lock:
            for state in ended:
                self._stored.pop(state, None)
            for state in states:
                self._stored[state] = None
                self._stored.move_to_end(state)
            while len(self._stored) > self._capacity:
                self._stored.popitem(last=False)
