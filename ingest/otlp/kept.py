"""Translations kept for senders that try again."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from ingest.otlp.metrics import Translation
from ingest.outcome import Outcome

KEPT_BYTES = 32 << 20
"""Bodies of requests that are not stored yet, or could not be."""

KEPT = 4_096
"""Requests, stored or not: of 5,000 senders that export once a minute, those of 50 s."""


class Kept:
    """Translations by their request; the oldest go where there are too many. Thread-safe.

    One that goes before its request is sent again loses nothing: its deltas are in the totals, and
    the next point of each series has them. Those of the repeat are refused, as added already.
    """

    def __init__(self, most_bytes: int = KEPT_BYTES, most: int = KEPT) -> None:
        self._most_bytes, self._most = most_bytes, most
        self._lock = threading.Lock()
        self._translating = threading.Lock()
        self._entries: OrderedDict[bytes, Translation] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def once(self, key: bytes, translate: Callable[[], Translation]) -> Translation:
        """The translation of a request, made now if it was not before.

        Others wait meanwhile: of two that come with the same bytes, only one may add its deltas.
        `release` does not, for it is called by the thread that writes the log.
        """
        with self._translating:
            with self._lock:
                known = self._entries.get(key)
            if known is None:
                known = translate()
                with self._lock:
                    self._put(key, known)
            return known

    def release(self, key: bytes, outcome: Outcome) -> None:
        """Give up the body once it is on disk; the receiver knows the answer to a repeat."""

        def settle(done: Outcome) -> None:
            if done.exception() is None:
                with self._lock:
                    if key in self._entries:
                        self._put(key, self._entries[key].stored())

        outcome.add_done_callback(settle)

    def _put(self, key: bytes, translation: Translation) -> None:
        before = self._entries.get(key)
        self._bytes += _size(translation) - (_size(before) if before is not None else 0)
        self._entries[key] = translation
        while len(self._entries) > self._most or self._bytes > self._most_bytes:
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(translation: Translation) -> int:
    return len(translation.body or b"")
