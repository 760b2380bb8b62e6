"""Half-open ranges of time, and their days."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

from lake.errors import TimeRangeError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exact (no float on the way).

    >>> to_micros(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970.

    >>> from_micros(86_400_000_000)
    datetime.datetime(1970, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return EPOCH + timedelta(microseconds=micros)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """`[start, end)` in UTC, never empty.

    >>> day = TimeRange.of_day(date(2026, 3, 1))
    >>> day.end.isoformat()
    '2026-03-02T00:00:00+00:00'
    >>> [d.isoformat() for d in TimeRange(day.start, day.end + DAY).days()]
    ['2026-03-01', '2026-03-02']

    Raises:
        TimeRangeError: a bound has no time zone, or `end` is not after `start`.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            moment = getattr(self, name)
            if moment.tzinfo is None:
                raise TimeRangeError(f"{name} {moment.isoformat()} has no time zone: use UTC")
            object.__setattr__(self, name, moment.astimezone(UTC))
        if self.end <= self.start:
            raise TimeRangeError(
                f"time range ends at {self.end.isoformat()}, "
                f"not after its start {self.start.isoformat()}"
            )

    @classmethod
    def of_day(cls, day: date) -> Self:
        """The UTC day as a range."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return cls(start, start + DAY)

    def days(self) -> Iterator[date]:
        """Every UTC day that the range touches, in order."""
        day = self.start.date()
        last = (self.end - MICROSECOND).date()
        while day <= last:
            yield day
            day += DAY
