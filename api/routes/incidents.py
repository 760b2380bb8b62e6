"""Incidents: what is read of them, and what people say of them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.caller import CallerDep
from api.dependencies import BetweenDep, ServiceDep
from api.routes.listings import Anomaly, Clusters, Cursor, Limit
from orchestration.steps.incidents import browse

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])

Severity = Literal["critical", "major", "minor", "low"]
State = Literal["open", "resolved", "merged", "withdrawn"]
States = Annotated[
    list[State], Query(alias="state", description="only these; open and resolved by default")
]


class Evidence(BaseModel):
    """One reason for a cause."""

    kind: str
    what: str
    reason: str
    size: float
    onset: datetime | None
    actual: float | None
    expected: float | None
    series: dict[str, str]


class Cause(BaseModel):
    """An entity that may be the cause."""

    rank: int
    cluster: str
    entity: str
    score: float = Field(description="comparable within one incident only")
    confidence: float
    onset: datetime | None
    reason: str
    evidence: list[Evidence]
    against: list[str] = Field(description="what speaks against it")


class Symptom(BaseModel):
    """What an incident does to one entity."""

    cluster: str
    entity: str
    what: str
    metric: str | None
    score: float
    actual: float | None
    expected: float | None
    start: datetime


class Impact(BaseModel):
    """What an incident does, the worst first."""

    peak: float
    anomalies: int
    entities: dict[str, int] = Field(description="by cluster, how many behave unusually")
    symptoms: list[Symptom]
    again: str | None = Field(None, description="id of the incident that it is again")


class Incident(BaseModel):
    """Anomalies that belong together, and what may have caused them."""

    incident_id: str
    cluster: str
    clusters: list[str]
    start: datetime
    end: datetime
    state: State
    merged_into: str | None
    severity: Severity
    title: str
    anomaly_ids: list[str]
    entities: list[str]
    causes: list[Cause]
    abstained: str | None = Field(description="why no cause is named")
    impact: Impact
    quieted: str | None = Field(description="why it is less severe than it would be")
    lake_version: int
    updated_at: datetime


class IncidentPage(BaseModel):
    """Incidents, latest start first."""

    items: list[Incident]
    next_cursor: str | None
    lake_versions: dict[str, int]


class Moment(BaseModel):
    """One line of a timeline."""

    time: datetime
    about: str
    what: str


class Said(BaseModel):
    """What somebody said of an incident."""

    time: datetime
    verdict: str
    cause: str | None
    by: str | None
    note: str | None


class IncidentDetail(Incident):
    """An incident with its anomalies, its timeline, and what was said of it."""

    anomalies: list[Anomaly]
    timeline: list[Moment]
    feedback: list[Said]


class Feedback(BaseModel):
    """What is to be said of an incident."""

    model_config = ConfigDict(extra="forbid")

    verdict: browse.Verdict = Field(description="`confirmed`: it was one; `false`: it was none")
    cause: str | None = Field(None, max_length=500, description="what caused it")
    note: str | None = Field(None, max_length=browse.LONGEST_NOTE)
    by: str | None = Field(None, max_length=200, description="who says it")


@router.get("")
def get_incidents(
    service: ServiceDep,
    caller: CallerDep,
    between: BetweenDep,
    cluster: Clusters = [],  # noqa: B006 - FastAPI copies it
    state: States = ["open", "resolved"],  # noqa: B006
    severity: Annotated[Severity | None, Query(description="this one or worse")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> IncidentPage:
    """Incidents that overlap the range. Ids are stable; an open one grows under its id."""
    wanted = browse.Wanted(between, cluster, state, severity, caller.clusters)
    page = browse.incidents(service.lake, wanted, limit, cursor)
    return IncidentPage(
        items=[Incident(**row) for row in page.rows],
        next_cursor=page.next_cursor,
        lake_versions=dict(page.versions),
    )


@router.get("/{incident_id}")
def get_incident(service: ServiceDep, caller: CallerDep, incident_id: str) -> IncidentDetail:
    """One incident: causes, evidence, impact, anomalies, timeline, what was said."""
    said = service.feedback.said
    return IncidentDetail(**browse.incident(service.lake, incident_id, caller.clusters, said))


@router.post("/{incident_id}/feedback")
def post_feedback(
    service: ServiceDep, caller: CallerDep, incident_id: str, feedback: Feedback
) -> IncidentDetail:
    """Say whether it was one, and what caused it. Incidents like one called false are quieter."""
    row = browse.give_feedback(
        service.lake,
        incident_id,
        feedback.verdict,
        service.clock(),
        cause=feedback.cause,
        note=feedback.note,
        by=feedback.by,
        visible=caller.clusters,
        said=service.feedback.said,
    )
    return IncidentDetail(**row)
