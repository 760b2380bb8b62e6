"""What routes ask for: the service, and the range of time of a listing."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import HTTPConnection

from lake import TimeRange
from orchestration.service import Service

DEFAULT_WINDOW = timedelta(hours=24)


def service(connection: HTTPConnection) -> Service:
    """The service that this app was built around."""
    found: Service = connection.app.state.service
    return found


ServiceDep = Annotated[Service, Depends(service)]


def between(
    found: ServiceDep,
    start: Annotated[datetime | None, Query(description="RFC 3339; a day ago by default")] = None,
    end: Annotated[
        datetime | None, Query(description="RFC 3339, exclusive; now by default")
    ] = None,
) -> TimeRange:
    """The range asked for, half-open; times without a zone are UTC.

    Raises:
        TimeRangeError: it ends before it starts.
    """
    until = _utc(end) if end else found.clock() + timedelta(minutes=1)
    since = _utc(start) if start else until - DEFAULT_WINDOW
    return TimeRange(since, until)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


BetweenDep = Annotated[TimeRange, Depends(between)]
