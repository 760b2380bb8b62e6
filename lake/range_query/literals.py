"""Times and lengths of time as SQL writes them, in microseconds."""

import re
from datetime import UTC, datetime, timedelta, timezone

from lake.range_query.question import UnsuitedError
from lake.timerange import to_micros

UNITS = {
    **dict.fromkeys(("second", "seconds"), 1_000_000),
    **dict.fromkeys(("minute", "minutes"), 60_000_000),
    **dict.fromkeys(("hour", "hours"), 3_600_000_000),
}
"""Days and longer are the calendar's."""

SPELLED = re.compile(r"([1-9]\d{0,5}) ([a-z]+)", re.ASCII)

MOST = 1_000_000
"""Of a unit."""

MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,6})?)?(?:(Z)|([+-]\d\d)(?::(\d\d))?)?)?",
    re.ASCII,
)

FARTHEST_ZONE = 14 * 60
"""Minutes from UTC."""


def interval(number: int, unit: str) -> int:
    """The length of an interval.

    >>> interval(5, "minutes")
    300000000

    Raises:
        UnsuitedError: it is none that is surely understood.
    """
    if unit not in UNITS or not 0 < number < MOST:
        raise UnsuitedError
    return number * UNITS[unit]


def spelled(text: str) -> int:
    """The same, of a text such as `5 minutes`."""
    found = SPELLED.fullmatch(text)
    if found is None:
        raise UnsuitedError
    return interval(int(found[1]), found[2])


def moment(text: str) -> int:
    """A time as text, in microseconds since 1970; without a zone, in UTC.

    >>> moment("2026-03-01 05:17:00+02") == moment("2026-03-01T03:17Z")
    True

    Raises:
        UnsuitedError: it is none that is surely understood.
    """
    found = MOMENT.fullmatch(text)
    if found is None:
        raise UnsuitedError
    day, clock, seconds, _, hours, minutes = found.groups()
    ahead = 0
    if hours is not None:
        ahead = int(hours[1:]) * 60 + int(minutes or 0)
        if ahead > FARTHEST_ZONE or int(minutes or 0) > 59:
            raise UnsuitedError
        ahead = -ahead if hours[0] == "-" else ahead
    try:
        at = datetime.fromisoformat(f"{day}T{clock or '00:00'}{seconds or ':00'}")
    except ValueError as error:
        raise UnsuitedError from error  # the engine says what is wrong with it
    zone = timezone(timedelta(minutes=ahead)) if ahead else UTC
    return to_micros(at.replace(tzinfo=zone))
