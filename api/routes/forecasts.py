"""What fills, and when."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.caller import CallerDep
from api.dependencies import ServiceDep
from orchestration.steps.forecast.kinds import kinds_named
from orchestration.steps.forecast.known import Known, known
from orchestration.steps.forecast.listing import Wanted, current
from orchestration.steps.forecast.sentence import sentence
from orchestration.steps.paging import MAX_PAGE

router = APIRouter(prefix="/api/v1", tags=["read"])

LONGEST = timedelta(days=3650)

Within = Annotated[
    timedelta | None,
    Query(
        gt=timedelta(0),
        le=LONGEST,
        description="reached within so long, ISO 8601 as `PT4H`; by default the horizon of "
        "forecasts, beyond which nothing is foretold",
    ),
]


class Forecast(BaseModel):
    """When one resource reaches its threshold, or why that cannot be told."""

    cluster: str
    forecast_id: str = Field(description="the same for the same resource at any time")
    resource: str
    series_id: int | None
    metric: str | None
    namespace: str | None
    workload: str | None
    pod: str | None
    container: str | None
    node: str | None
    service: str | None
    job: str | None
    instance: str | None
    subject: str | None = Field(description="which of several, as a mount point")
    made_at: datetime
    value: float | None = Field(description="what was used, in the metric's unit")
    capacity: float | None
    threshold: float | None
    eta: datetime | None
    eta_lower: datetime | None
    eta_upper: datetime | None
    horizon_seconds: float
    chance: float | None = Field(description="of reaching it within the horizon")
    coverage: float | None = Field(
        description="share of past passages that were within their 80 % interval"
    )
    method: str | None
    abstained: bool
    reason: str | None
    lake_version: int
    text: str = Field(description="the same as a sentence")


class KnownForecasts(BaseModel):
    """What there are forecasts of, whether they reach something or not."""

    resources: int = Field(description="with a limit, a time or an objective")
    abstained: dict[str, int] = Field(description="how many of them cannot be told, by reason")
    made_at: datetime | None = Field(
        description="of the newest row, as one is where something is new, and once a day; null = "
        "nobody makes forecasts"
    )
    horizon_seconds: float | None = Field(description="how far ahead what fills is foretold")


class ForecastPage(BaseModel):
    """Forecasts: what is past its threshold first, the latest of it first, then the soonest."""

    items: list[Forecast]
    known: KnownForecasts
    note: str | None = Field(description="what the list cannot tell of what was asked for")
    next_cursor: str | None
    lake_versions: dict[str, int] = Field(description="table versions that were read")


@router.get("/forecasts")
def get_forecasts(
    service: ServiceDep,
    caller: CallerDep,
    within: Within = None,
    cluster: Annotated[list[str], Query(description="only these clusters")] = [],  # noqa: B006
    namespace: str | None = None,
    resource: Annotated[
        str | None, Query(description="only this kind, as in `resource` or in `text`")
    ] = None,
    abstained: Annotated[
        bool, Query(description="also that of which nothing can be told, with the reason")
    ] = False,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="rows a page")] = 100,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
) -> ForecastPage:
    """What is past its threshold, then what reaches it within a time from now, soonest first.

    What is past it has a `reason`, no `eta`, and in `eta_upper` since when, where that is known.
    What fills is foretold no further than the forecasts' horizon: `note` says so where `within` is
    longer.
    """
    now, settings = service.clock(), service.settings.forecasts
    kinds: Sequence[str] = ()
    if resource is not None:
        kinds = kinds_named(service.lake, settings, resource, now, caller.clusters)
    wanted = Wanted(
        within or settings.horizon, cluster, namespace, kinds, abstained, visible=caller.clusters
    )
    page = current(service.lake, wanted, now, limit, cursor)
    there = known(service.lake, wanted, now)
    return ForecastPage(
        items=[Forecast(**row, text=sentence(row)) for row in page.rows],
        known=_told(there),
        note=there.beyond(wanted.within),
        next_cursor=page.next_cursor,
        lake_versions=dict(page.versions),
    )


def _told(there: Known) -> KnownForecasts:
    return KnownForecasts(
        resources=there.resources,
        abstained=dict(there.abstained),
        made_at=there.made_at,
        horizon_seconds=there.horizon and there.horizon.total_seconds(),
    )
