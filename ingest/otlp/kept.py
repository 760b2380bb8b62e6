"""Answers kept for senders that try again."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from ingest.otlp.metrics import Translation
from ingest.outcome import Outcome

KEPT = 4_096
"""Requests: of 5,000 senders that export once a minute, those of 50 s."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A request that was handed in: what it became, without the body, and what becomes of that."""

    translation: Translation
    outcome: Outcome


class Kept:
    """What requests became; the oldest go where there are too many. Thread-safe.

    One that failed is forgotten, for its deltas were taken back: its repeat is tried anew.
    """

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, Future[Handed]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def once(self, key: bytes, act: Callable[[], Handed]) -> Handed:
        """What a request became, by `act` if it did not come before.

        Of two that come with the same bytes at a time, one waits: only one may add its deltas.
        Other requests go on meanwhile.
        """
        mine: Future[Handed] = Future()
        with self._lock:
            known = self._entries.get(key)
            if known is None:
                self._entries[key] = mine
                while len(self._entries) > self._most:
                    self._entries.popitem(last=False)
        if known is not None:
            return known.result()
        try:
            done = act()
        except BaseException as error:
            self._forget(key, mine)
            mine.set_exception(error)
            raise
        mine.set_result(done)
        done.outcome.add_done_callback(
            lambda outcome: self._forget(key, mine) if outcome.exception() else None
        )
        return done

    def _forget(self, key: bytes, mine: "Future[Handed]") -> None:
        with self._lock:
            if self._entries.get(key) is mine:
                del self._entries[key]
