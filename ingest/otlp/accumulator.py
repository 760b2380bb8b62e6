"""Deltas made cumulative: the total of each series so far.

Start times decide, as in OpenTelemetry's data model: a delta that begins where the last one ended,
or later (something was lost on the way, or the sender began anew), is added; one that reaches back
into time already added is refused, since it would be counted twice. A total begins at its first
delta, so that after a restart of this process, or of the sender after a pause, a counter resets:
`rate` knows what to do about that.
"""

import threading
from collections import OrderedDict
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


@dataclass(slots=True)
class _Total:
    amount: Amount
    until_ns: int
    touched: float


class Accumulator:
    """Totals by series. Thread-safe; memory is bounded.

    Args:
        max_numbers: how much may be held; beyond it new series are refused.
        idle: a series that was silent this long is forgotten.
        clock: the time of receipt, by which silence is measured.
    """

    def __init__(
        self, max_numbers: int = MAX_NUMBERS, idle: timedelta = IDLE, clock: Clock = utc_now
    ) -> None:
        self._max_numbers = max_numbers
        self._idle = idle.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        # In the order in which they were last touched, so that the silent ones come first.
        self._totals: OrderedDict[bytes, _Total] = OrderedDict()
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._totals)

    def add(self, key: bytes, start_ns: int, end_ns: int, delta: Amount) -> Amount:
        """Add what was measured from `start_ns` (0 = not known) to `end_ns`; the new total.

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
            if size > 0 and self._numbers + size > self._max_numbers:
                raise UnsupportedSampleError(
                    f"{self._numbers} numbers are held to add deltas to, at most "
                    f"{self._max_numbers} may be: let the sender add them (cumulative temporality)"
                )
            self._numbers += size
            self._totals[key] = _Total(amount, end_ns, now)
            self._totals.move_to_end(key)
        return amount

    def _forget(self, now: float) -> None:
        while self._totals:
            key, oldest = next(iter(self._totals.items()))
            if now - oldest.touched <= self._idle:
                return
            del self._totals[key]
            self._numbers -= _size(oldest.amount)


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
