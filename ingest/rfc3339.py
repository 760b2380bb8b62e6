"""Times as JSON APIs write them."""

from datetime import UTC, datetime

from ingest.errors import InvalidEventError


def parse_time(text: str) -> datetime:
    """An RFC 3339 time, in UTC.

    >>> parse_time("2026-03-01T12:00:00+02:00").isoformat()
    '2026-03-01T10:00:00+00:00'

    Raises:
        InvalidEventError: it is no such time, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidEventError(f"time {text!r} is not RFC 3339") from error
    if moment.tzinfo is None:
        raise InvalidEventError(f"time {text!r} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidEventError(f"time {text!r} is not between the years 1 and 9999") from error
