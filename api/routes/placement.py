"""Where and when a job that needs GPUs should be submitted."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.caller import CallerDep
from api.dependencies import ServiceDep
from api.errors import ManyQuestionsError
from orchestration.steps.advice.placement.ask import Asked, place

router = APIRouter(prefix="/api/v1/advice", tags=["advice"])

ONE_AT_A_TIME = threading.Lock()
"""A question may take a second of a processor, of the process that takes data."""

LONGEST_WAIT = 5.0
"""Seconds that a question waits for those before it."""

MOST_WAITING = 4
"""Questions, each of which holds one of the threads that answer everything else."""

_waiting = threading.BoundedSemaphore(MOST_WAITING)


class WantedJob(BaseModel):
    """A job: a gang that gets all its GPUs at once or none."""

    model_config = ConfigDict(extra="forbid")

    gpus: int = Field(description="at least 1")
    hours: float = Field(description="that it runs once it has its data; a rough figure")
    memory_bytes: float = Field(0.0, description="that it needs on each GPU; 0 = any")
    dataset: Annotated[
        str | None,
        Field(max_length=500, description="Fluid's `namespace/name`, or the name alone"),
    ] = None
    deadline: AwareDatetime | None = Field(None, description="by when it has to be done")


class PoolName(BaseModel):
    """Where GPUs are given out."""

    cluster: str
    queue: str = Field(description="Volcano's queue, or Kueue's cluster queue")
    node_pool: str | None = Field(
        description="Kueue's resource flavor, Volcano names none; and of a queue that gives out "
        "several sorts of GPUs, the resource"
    )


class FreeAhead(BaseModel):
    """GPUs that will be free without the job: 8 of 10 times between lower and upper."""

    time: datetime
    lower: float
    median: float
    upper: float


class JobPlace(PoolName):
    """What becomes of the job there, if it is submitted now."""

    wait_hours: float | None = Field(description="as likely less as more; none = beyond horizon")
    wait_hours_lower: float | None
    wait_hours_upper: float | None = Field(
        description="8 of 10 waits should be between lower and upper; none = beyond horizon"
    )
    mean_wait_hours: float
    starts_at_once: float = Field(description="chance")
    start: datetime | None
    done: datetime | None
    done_lower: datetime | None
    done_upper: datetime | None
    transfer_hours: float | None = Field(
        description="until its data set is there, during which it holds its GPUs; none = unknown"
    )
    in_time: float | None = Field(description="chance to be done by the deadline")
    cost: float | None = Field(description="of its GPUs, by the settings' prices")
    gpus: float
    gpus_free: float
    gpus_free_ahead: list[FreeAhead]
    jobs_running: int
    jobs_waiting: int | None = Field(description="none = it is not told")
    mean_wait_hours_last_day: float | None
    horizon_hours: float
    reason: str


class RefusedPool(PoolName):
    """A pool in which the job has no place, or of which nothing can be said."""

    reason: str


class LaterHour(PoolName):
    """A later hour that does as well, and is cheaper or finds more GPUs free."""

    submit: datetime
    in_time: float
    starts_at_once: float
    starts_at_once_now: float
    cost: float | None
    saving: float | None
    reason: str


class Placement(BaseModel):
    """The answer, the best place first."""

    made_at: datetime
    text: str = Field(description="the answer as a sentence")
    places: list[JobPlace] = Field(description="the soonest done first; empty = none")
    later: LaterHour | None = Field(description="none = submit it now, or it has no deadline")
    refused: list[RefusedPool]
    dataset: str | None = Field(description="its full name; none = unknown, or none was asked for")
    notes: list[str]
    lake_versions: dict[str, int] = Field(description="table versions that were read")


@router.post("/placement")
def post_placement(service: ServiceDep, caller: CallerDep, job: WantedJob) -> Placement:
    """Rank queues of GPUs for a job, by when it would be done; nothing is submitted or kept."""
    asked = Asked(**job.model_dump())
    snapshot = service.lake.snapshot()
    with _turn():
        found = place(snapshot, asked, service.clock(), service.settings.advice, caller.clusters)
    return Placement(**found, lake_versions=found["versions"])


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for one's own; raises `ManyQuestionsError` where it does not come."""
    if not _waiting.acquire(blocking=False):
        raise ManyQuestionsError(LONGEST_WAIT, MOST_WAITING)
    try:
        come = ONE_AT_A_TIME.acquire(timeout=LONGEST_WAIT)
    finally:
        _waiting.release()
    if not come:
        raise ManyQuestionsError(LONGEST_WAIT, MOST_WAITING)
    try:
        yield
    finally:
        ONE_AT_A_TIME.release()
