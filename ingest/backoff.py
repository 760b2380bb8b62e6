"""How long to wait before a request is repeated."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What may pass by itself; any other status is the server's last word."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling waits, spread so that many who failed together do not come back together.

    Attributes:
        first: seconds of the first wait, at most.
        most: seconds of any wait, also of one that the server asks for.
    """

    first: float = 1.0
    most: float = 60.0

    def seconds(
        self, attempt: int, rng: np.random.Generator, retry_after: float | None = None
    ) -> float:
        """The wait after failure number `attempt`, from 0.

        >>> rng = np.random.default_rng(7)
        >>> [0.5 <= Backoff().seconds(0, rng) <= 1.0, 4 <= Backoff().seconds(3, rng) <= 8]
        [True, True]
        >>> Backoff().seconds(0, rng, retry_after=7.0) >= 7.0
        True
        >>> Backoff().seconds(30, rng, retry_after=86_400.0)
        60.0
        """
        # The exponent is bounded: 2 ** 1024 is no float.
        wait = min(self.most, self.first * 2.0 ** min(attempt, 32))
        wait *= 0.5 + 0.5 * rng.uniform()
        return min(self.most, max(wait, retry_after or 0.0))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a `Retry-After` asks for, stated as seconds or as a date; None = it asks none.

    >>> retry_after({"Retry-After": "12"}, datetime(2026, 3, 1, tzinfo=UTC))
    12.0
    >>> date = "Sun, 01 Mar 2026 00:00:30 GMT"
    >>> retry_after({"Retry-After": date}, datetime(2026, 3, 1, tzinfo=UTC))
    30.0
    >>> retry_after({"Retry-After": "soon"}, datetime(2026, 3, 1, tzinfo=UTC))
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - now).total_seconds())
