"""What routes ask for: the service, and the range of time of a listing.

They are coroutines although they wait for nothing: FastAPI calls plain functions in a thread each,
which costs more than they do.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import HTTPConnection

from api.results.queries import Queries
from lake import TimeRange
from lake.errors import TimeRangeError
from orchestration.service import Service

DEFAULT_WINDOW = timedelta(hours=24)
FIRST_YEAR, LAST_YEAR = 1900, 9000


async def service(connection: HTTPConnection) -> Service:
    """The service that this app was built around."""
    found: Service = connection.app.state.service
    return found


ServiceDep = Annotated[Service, Depends(service)]


async def queries(connection: HTTPConnection) -> Queries:
    """The slots for SQL of this app."""
    found: Queries = connection.app.state.queries
    return found


QueriesDep = Annotated[Queries, Depends(queries)]


async def between(
    found: ServiceDep,
    start: Annotated[datetime | None, Query(description="RFC 3339; a day ago by default")] = None,
    end: Annotated[
        datetime | None, Query(description="RFC 3339, exclusive; now by default")
    ] = None,
) -> TimeRange:
    """The range asked for, half-open; times without a zone are UTC.

    Raises:
        TimeRangeError: it ends before it starts, or is out of this world.
    """
    until = _utc(end) if end else found.clock() + timedelta(minutes=1)
    since = _utc(start) if start else until - DEFAULT_WINDOW
    return TimeRange(since, until)


def _utc(moment: datetime) -> datetime:
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # Python's own time ends soon before and after: what is added to a bound must not pass it.
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise TimeRangeError(
            f"time {moment.isoformat()} is outside the years {FIRST_YEAR} to {LAST_YEAR}"
        )
    return known.astimezone(UTC)


BetweenDep = Annotated[TimeRange, Depends(between)]
