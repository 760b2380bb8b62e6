"""Settings of rightsizing: what may be risked, and what it is worth not to."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RightsizingSettings(BaseModel):
    """How large containers are advised to be; see advice.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_history: timedelta = Field(
        timedelta(days=1),
        ge=timedelta(hours=1),
        description="containers that are younger get no figure",
    )
    release_history: timedelta = Field(
        timedelta(days=7),
        ge=timedelta(hours=1),
        description="from this age on a release counts alone, without what was used before it",
    )
    startup: timedelta = Field(
        timedelta(minutes=10),
        ge=timedelta(0),
        description="after a start, what counts apart: memory and limits hold it, requests for CPU "
        "need not",
    )
    cpu_over: float = Field(
        0.05,
        ge=0.0,
        lt=1.0,
        description="share of past minutes that may be above a request for CPU",
    )
    cpu_worth: float = Field(
        10.0,
        ge=0.0,
        description="cores that it may cost to have none of a workload's minutes above; a "
        "hundredth of it for each per cent less",
    )
    cpu_worth_share: float = Field(
        4.0,
        ge=0.0,
        description="as `cpu_worth`, as a multiple of the lowest request that `cpu_over` allows; "
        "the smaller counts",
    )
    memory_over: float = Field(
        0.2,
        gt=0.0,
        le=1.0,
        description="chance that a limit of memory may have of being exceeded in as long a time as "
        "was looked at, by what is known of how containers vary",
    )
    memory_worth_gib: float = Field(
        10.0, ge=0.0, description="memory that it may cost to be sure of that"
    )
    oom_bump: float = Field(
        0.25, ge=0.0, description="above the limit at which a container was killed"
    )
    burst: float = Field(
        0.25,
        ge=0.0,
        description="of a limit for CPU above the highest mean of five minutes, for bursts within "
        "them; and above the limit under which a container was throttled",
    )
    throttled: float = Field(
        0.05, gt=0.0, le=1.0, description="share of periods from which a container is throttled"
    )
    loose: float = Field(
        2.0,
        ge=1.0,
        description="a limit reserves nothing, so it is lowered only where it is so many times "
        "what is needed",
    )
    hpa: Literal["skip", "retarget"] = Field(
        "skip",
        description="of workloads that are scaled by their use in per cent of the request: "
        "nothing, or also the target that keeps the same use",
    )
    keep_class: bool = Field(
        True,
        description="a Guaranteed container stays so, and BestEffort ones get no request",
    )
    least_cpu: float = Field(0.01, gt=0.0, description="cores, the smallest request")
    least_memory_mib: int = Field(32, gt=0, description="the smallest request")
    least_change: float = Field(
        0.1,
        ge=0.0,
        description="what would change by less than this share of what is set is not advised",
    )
