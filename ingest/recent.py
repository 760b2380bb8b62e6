"""Requests seen lately, so that one that is sent again is stored once.

A sender that got no answer (the receiver died after `fsync`, the connection broke) sends the very
same bytes again. The samples are in the log already; a second copy would stay in the lake until
compaction. So the answer to the first is given again.
"""

import threading
from collections import OrderedDict
from concurrent.futures import Future

import xxhash

CAPACITY = 4096
"""More than the records of one group commit, which is what a crash can leave unanswered."""


class RecentRequests:
    """Outcomes of the newest requests by their content. Thread-safe."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._outcomes: OrderedDict[bytes, Future[int]] = OrderedDict()

    def find(self, key: bytes) -> "Future[int] | None":
        """The outcome of the same request, which may be still to come; None = it is new."""
        with self._lock:
            return self._outcomes.get(key)

    def remember(self, key: bytes, outcome: "Future[int]") -> None:
        """Keep an outcome; one that fails is forgotten, so that its repeat is tried."""
        with self._lock:
            self._outcomes[key] = outcome
            while len(self._outcomes) > self._capacity:
                self._outcomes.popitem(last=False)
        outcome.add_done_callback(lambda done: self._forget_failed(key, done))

    def _forget_failed(self, key: bytes, outcome: "Future[int]") -> None:
        if outcome.exception() is not None:
            with self._lock:
                self._outcomes.pop(key, None)


def key_of(kind: int, cluster: str, body: bytes) -> bytes:
    """What makes two requests the same: their kind, their context and every byte."""
    digest = xxhash.xxh3_128(body)
    digest.update(b"\xff" + cluster.encode() + bytes([kind]))
    return digest.digest()
