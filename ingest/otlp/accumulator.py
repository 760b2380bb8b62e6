"""Deltas made cumulative: the total of each series so far.

Start times decide, as in OpenTelemetry's data model: a delta that begins where the last one ended,
or later (something was lost on the way, or the sender began anew), is added; one that reaches back
into time already added is refused, since it would be counted twice. A total begins at its first
delta, so after a restart of this process it begins anew; that is written down as a 0 (`metrics`).
"""

import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from ingest.errors import UnsupportedSampleError
from ingest.otlp.distribution import Distribution
from lake import Clock, utc_now

Amount: TypeAlias = float | Distribution

MAX_NUMBERS = 1_000_000
"""Numbers held, at about 100 bytes each: a quarter of a million counters."""

OVERHEAD = 4
"""Numbers beside the buckets of a series: total, time, key and what keeps them."""

IDLE = timedelta(hours=1)
"""Senders of deltas export each minute or so; what was silent this long has probably ended."""


@dataclass(slots=True, eq=False)
class _Total:
    """What a series has come to.

    Attributes:
        amount: so far.
        until_ns: up to when all is added.
        touched: when that happened.
        cluster: whose it is.
        void: the delta that made it was not stored, though another was added on top of it.
        before: what then counts in its place.
    """

    amount: Amount
    until_ns: int
    touched: float
    cluster: str
    void: bool = False
    before: "_Total | None" = None


class Accumulator:
    """Totals by series. Thread-safe; memory is bounded.

    Args:
        max_numbers: how much may be held; beyond it new series are refused.
        idle: a series that was silent this long is forgotten.
        clock: the time of receipt, by which silence is measured.
        max_of_cluster: how much of it one cluster may have; None = half.
    """

    def __init__(
        self,
        max_numbers: int = MAX_NUMBERS,
        idle: timedelta = IDLE,
        clock: Clock = utc_now,
        max_of_cluster: int | None = None,
    ) -> None:
        self._max_numbers = max_numbers
        self._max_of_cluster = max_numbers // 2 if max_of_cluster is None else max_of_cluster
        self._idle = idle.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        # In the order in which they were last touched, so that the silent ones come first.
        self._totals: OrderedDict[bytes, _Total] = OrderedDict()
        self._numbers: Counter[str] = Counter()
        self._held = 0

    def __len__(self) -> int:
        return len(self._totals)

    def draft(self) -> "Draft":
        """What one request adds, and can take back."""
        return Draft(self)

    def add(
        self, key: bytes, cluster: str, start_ns: int, end_ns: int, delta: Amount
    ) -> tuple[_Total | None, _Total]:
        """Add what was measured from `start_ns` (0 = not known) to `end_ns`: before and after.

        A histogram whose bounds have changed begins anew.

        Raises:
            UnsupportedSampleError: it reaches into time already added, or there is no room.
        """
        now = self._clock().timestamp()
        with self._lock:
            self._forget(now)
            known = self._totals.get(key)
            amount = delta
            if known is not None:
                _check_time(known.until_ns, start_ns, end_ns)
                amount = _together(known.amount, delta)
            size = _size(amount) - (_size(known.amount) if known is not None else 0)
            if size > 0:
                self._check_room(cluster, size)
            after = _Total(amount, end_ns, now, cluster)
            self._put(key, after)
        return known, after

    def restore(self, key: bytes, before: _Total | None, after: _Total) -> None:
        """Take an addition back, as if it had never come.

        Where another was added on top of it in the meantime, its amount stays in that one's.
        """
        with self._lock:
            while before is not None and before.void:
                before = before.before
            if self._totals.get(key) is after:
                self._put(key, before)
            else:
                after.void, after.before = True, before

    def _check_room(self, cluster: str, size: int) -> None:
        for held, most, whose in (
            (self._held, self._max_numbers, ""),
            (self._numbers[cluster], self._max_of_cluster, f" of cluster {cluster[:80]!r}"),
        ):
            if held + size > most:
                raise UnsupportedSampleError(
                    f"{held} numbers{whose} are held to add deltas to, at most {most} may be: "
                    "let the sender add them (cumulative temporality)"
                )

    def _put(self, key: bytes, total: _Total | None) -> None:
        old = self._totals.get(key)
        if old is not None:
            self._count(old, -_size(old.amount))
        if total is None:
            self._totals.pop(key, None)
            return
        self._totals[key] = total
        self._totals.move_to_end(key)
        self._count(total, _size(total.amount))

    def _count(self, total: _Total, size: int) -> None:
        self._held += size
        self._numbers[total.cluster] += size
        if not self._numbers[total.cluster]:
            del self._numbers[total.cluster]

    def _forget(self, now: float) -> None:
        while self._totals:
            key, oldest = next(iter(self._totals.items()))
            if now - oldest.touched <= self._idle:
                return
            self._put(key, None)


class Draft:
    """Additions of one request, until it is known what was stored of it.

    They count at once, for the next request of a sender does not wait for the disk; what is not
    stored is taken back. One thread at a time.
    """

    def __init__(self, totals: Accumulator) -> None:
        self._totals = totals
        self._done: list[tuple[bytes, _Total | None, _Total]] = []

    def __bool__(self) -> bool:
        return bool(self._done)

    def add(
        self, key: bytes, cluster: str, start_ns: int, end_ns: int, delta: Amount
    ) -> tuple[Amount, bool]:
        """The new total, and whether it begins with this delta; errors as `Accumulator.add`."""
        before, after = self._totals.add(key, cluster, start_ns, end_ns, delta)
        self._done.append((key, before, after))
        return after.amount, before is None or after.amount is delta

    def undo(self, last: int | None = None) -> None:
        """Take back the last additions, or all."""
        for _ in range(len(self._done) if last is None else last):
            self._totals.restore(*self._done.pop())

    def keep(self, *, begun: bool = True) -> None:
        """All was stored; unless `begun`, totals that began here are given up and begin anew."""
        done, self._done = self._done, []
        given_up = {key for key, before, _ in done if before is None} if not begun else set()
        for key, before, after in reversed(done):
            if key in given_up:
                self._totals.restore(key, before, after)


def _check_time(until_ns: int, start_ns: int, end_ns: int) -> None:
    if end_ns <= until_ns:
        raise UnsupportedSampleError(
            f"its delta ends at {end_ns} ns, but up to {until_ns} ns all is added: "
            "it came late or twice, or two senders share the series"
        )
    if 0 < start_ns < until_ns:
        raise UnsupportedSampleError(
            f"its delta begins at {start_ns} ns, but up to {until_ns} ns all is added: "
            "two senders share the series"
        )


def _together(one: Amount, other: Amount) -> Amount:
    if isinstance(one, Distribution) and isinstance(other, Distribution):
        return one + other if one.bounds == other.bounds else other
    if isinstance(one, float) and isinstance(other, float):
        return one + other
    return other


def _size(amount: Amount) -> int:
    return OVERHEAD + (len(amount.buckets) if isinstance(amount, Distribution) else 0)
