"""What is read: clusters, anomalies, events."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.caller import CallerDep
from api.dependencies import BetweenDep, ServiceDep
from orchestration.steps import browse, paging

router = APIRouter(prefix="/api/v1", tags=["read"])

Clusters = Annotated[list[str], Query(alias="cluster", description="only these clusters")]
Limit = Annotated[int, Query(ge=1, le=paging.MAX_PAGE, description="rows a page")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]


class Cluster(BaseModel):
    """One cluster and how fresh its data is."""

    cluster: str
    series: int
    nodes: int
    namespaces: int
    workloads: int
    last_sample: datetime
    freshness_seconds: float = Field(description="age of the newest sample")
    samples: int = Field(description="of the last 24 hours")
    anomalies: int = Field(description="of the last 24 hours")
    open_anomalies: int


class Anomaly(BaseModel):
    """One anomalous interval `[start, end)`; score 1.0 is the threshold."""

    cluster: str
    anomaly_id: str
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
    start: datetime
    end: datetime
    peak_time: datetime
    score: float
    p_value: float | None
    actual: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    direction: str | None
    detector: str
    model_version: str
    lake_version: int
    state: str
    incident_id: str | None


class Event(BaseModel):
    """One thing that happened."""

    cluster: str
    time: datetime
    source: str
    type: str | None
    reason: str | None
    kind: str | None
    namespace: str | None
    name: str | None
    uid: str
    message: str | None
    count: int
    attributes: dict[str, str | None]


class AnomalyPage(BaseModel):
    """Anomalies, latest start first."""

    items: list[Anomaly]
    next_cursor: str | None
    lake_versions: dict[str, int] = Field(description="table versions that were read")


class EventPage(BaseModel):
    """Events, latest first."""

    items: list[Event]
    next_cursor: str | None
    lake_versions: dict[str, int]


@router.get("/clusters")
def get_clusters(service: ServiceDep, caller: CallerDep) -> list[Cluster]:
    """Every cluster, with the freshness of its data."""
    rows = browse.clusters(service.lake, service.clock(), visible=caller.clusters)
    return [Cluster(**row) for row in rows]


@router.get("/anomalies")
def get_anomalies(
    service: ServiceDep,
    caller: CallerDep,
    between: BetweenDep,
    cluster: Clusters = [],  # noqa: B006 - FastAPI copies it
    namespace: str | None = None,
    metric: str | None = None,
    min_score: Annotated[float, Query(ge=0)] = 0.0,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AnomalyPage:
    """Anomalies that overlap the range. Ids are stable; an open one grows under its id."""
    wanted = browse.Filter(between, cluster, namespace, metric, min_score, visible=caller.clusters)
    page = browse.anomalies(service.lake, wanted, limit, cursor)
    return AnomalyPage(
        items=[Anomaly(**row) for row in page.rows],
        next_cursor=page.next_cursor,
        lake_versions=dict(page.versions),
    )


@router.get("/anomalies/{anomaly_id}")
def get_anomaly(service: ServiceDep, caller: CallerDep, anomaly_id: str) -> Anomaly:
    """One anomaly."""
    return Anomaly(**browse.anomaly(service.lake, anomaly_id, caller.clusters))


@router.get("/events")
def get_events(
    service: ServiceDep,
    caller: CallerDep,
    between: BetweenDep,
    cluster: Clusters = [],  # noqa: B006 - FastAPI copies it
    namespace: str | None = None,
    source: str | None = None,
    reason: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> EventPage:
    """Events in the range."""
    wanted = browse.Filter(
        between, cluster, namespace, source=source, reason=reason, visible=caller.clusters
    )
    page = browse.events(service.lake, wanted, limit, cursor)
    return EventPage(
        items=[Event(**row) for row in page.rows],
        next_cursor=page.next_cursor,
        lake_versions=dict(page.versions),
    )
