"""Times and durations as they are typed."""

import re
from datetime import UTC, datetime, timedelta

from api.errors import ApiError

LONGEST = timedelta(days=365)

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """A time, or how long ago.

    Raises:
        ApiError: if it is neither.

    >>> moment("90m", datetime(2026, 1, 1, tzinfo=UTC)).isoformat()
    '2025-12-31T22:30:00+00:00'
    """
    found = _duration(text)
    try:
        if found is not None:
            return now - found
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ApiError(f"{text!r} is no time: say 2026-11-29T08:00, or so long ago: 12h") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def ahead(text: str, now: datetime) -> datetime:
    """A time, or in how long.

    Raises:
        ApiError: if it is neither.

    >>> ahead("90m", datetime(2026, 1, 1, tzinfo=UTC)).isoformat()
    '2026-01-01T01:30:00+00:00'
    """
    found = _duration(text)
    try:
        if found is not None:
            return now + found
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ApiError(f"{text!r} is no time: say 2026-11-29T08:00, or in how long: 12h") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def how_long(text: str) -> timedelta:
    """A duration.

    Raises:
        ApiError: if it is none, or nothing.

    >>> how_long("90s"), how_long("1.5h")
    (datetime.timedelta(seconds=90), datetime.timedelta(seconds=5400))
    """
    found = _duration(text)
    if not found or found > LONGEST:
        raise ApiError(f"{text!r} is no duration of at most {LONGEST.days} days: say 90s, 5m or 2h")
    return found


def _duration(text: str) -> timedelta | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip())
    try:
        return timedelta(**{UNITS[found[2]]: float(found[1])}) if found else None
    except OverflowError:
        return None
