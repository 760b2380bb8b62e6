"""Advice: what would save or risk less, and what people say of it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.caller import CallerDep
from api.dependencies import ServiceDep
from api.routes.listings import Clusters, Cursor, Limit
from orchestration.steps.advice import browse
from orchestration.steps.advice.feedback import LONGEST_NOTE, Verdict, give_feedback

router = APIRouter(prefix="/api/v1/advice", tags=["advice"])

Figure = float | int | str | bool | None


class Fact(BaseModel):
    """One fact that an advice rests on."""

    what: str
    value: Figure
    unit: str
    over: str | None = Field(description="of which time")
    metric: str | None = Field(description="where it was read")


class Said(BaseModel):
    """What somebody said of an advice."""

    time: datetime
    verdict: Verdict
    by: str | None
    note: str | None


class Advice(BaseModel):
    """What is, what is proposed, what that saves and risks, and why."""

    advice_id: str = Field(description="the same for the same thing at any time")
    cluster: str
    adviser: str
    kind: str
    entity: str
    namespace: str | None
    workload: str | None
    workload_kind: str | None
    container: str | None
    node: str | None
    title: str
    current: dict[str, Figure] = Field(description="units are in the names; null = not set")
    proposed: dict[str, Figure]
    saving_cpu_cores: float | None = Field(description="negative = more is needed")
    saving_memory_bytes: float | None
    saving_gpus: float | None
    saving_cost: float | None = Field(description="a month, by the settings' prices")
    risk: float | None = Field(
        description="share of past minutes that would have been throttled or killed"
    )
    current_risk: float | None = Field(description="the same of what is set now")
    confidence: float | None
    reason: str
    evidence: list[Fact]
    abstained: bool = Field(description="nothing can be proposed; `reason` says why")
    state: browse.State
    feedback: list[Said]
    effect: dict[str, Any] | None = Field(
        description="of one that was followed: what was predicted, and what was measured since"
    )
    since: datetime
    made_at: datetime
    revision: int
    lake_version: int


class AdvicePage(BaseModel):
    """Advice, that which is worth most first."""

    items: list[Advice]
    next_cursor: str | None
    lake_versions: dict[str, int] = Field(description="table versions that were read")


class Feedback(BaseModel):
    """What is to be said of an advice."""

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict = Field(description="`accepted`: it will be done; `dismissed`: it will not")
    note: str | None = Field(None, max_length=LONGEST_NOTE)
    by: str | None = Field(None, max_length=200, description="who says it")


@router.get("")
def get_advice(
    service: ServiceDep,
    caller: CallerDep,
    cluster: Clusters = [],  # noqa: B006 - FastAPI copies it
    kind: Annotated[list[str], Query(description="only these kinds, as `container_cpu`")] = [],  # noqa: B006
    namespace: str | None = None,
    workload: str | None = None,
    state: Annotated[
        list[browse.State], Query(description="only these; open and accepted by default")
    ] = ["open", "accepted"],  # noqa: B006
    abstained: Annotated[
        bool, Query(description="also that which nothing can be proposed for, with the reason")
    ] = False,
    order: Annotated[
        browse.Order, Query(description="what comes first: most saved, or most risk taken away")
    ] = "saving",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AdvicePage:
    """What is advised now. Ids are stable; an advice that changes does so under its id."""
    wanted = browse.Wanted(
        cluster, kind, namespace, workload, state, abstained, order, caller.clusters
    )
    page = browse.listing(service.lake, wanted, limit, cursor)
    return AdvicePage(
        items=[Advice(**row) for row in page.rows],
        next_cursor=page.next_cursor,
        lake_versions=dict(page.versions),
    )


@router.get("/{advice_id}")
def get_one_advice(service: ServiceDep, caller: CallerDep, advice_id: str) -> Advice:
    """One advice, in whatever state."""
    return Advice(**browse.one_advice(service.lake, advice_id, caller.clusters))


@router.post("/{advice_id}/feedback")
def post_feedback(
    service: ServiceDep, caller: CallerDep, advice_id: str, feedback: Feedback
) -> Advice:
    """Say whether it will be done. What is dismissed stays quiet until it changes by much."""
    row = give_feedback(
        service.lake,
        advice_id,
        feedback.verdict,
        service.clock(),
        note=feedback.note,
        by=feedback.by,
        visible=caller.clusters,
    )
    return Advice(**row)
