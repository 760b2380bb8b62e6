"""Settings of placement: what metrics do not tell of pools of GPUs."""

from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestration.patterns import compiles

HOURS_OF_DAY = 24


class GpuPoolSettings(BaseModel):
    """One pool of GPUs, or several that have this in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str = Field(".*", description="regular expression of its cluster, whole name")
    queue: str = Field(".*", description="of its queue")
    node_pool: str = Field(
        ".*",
        description="of its node pool, which is Kueue's resource flavor; of a queue of several "
        "sorts of GPUs also with the resource, as `h100 nvidia.com/gpu`",
    )
    nodes: str | None = Field(
        None,
        description="of the nodes whose GPUs it gives out, as DCGM names them; unset = all of the "
        "cluster",
    )
    gpu_memory_bytes: float | None = Field(
        None, gt=0.0, description="memory of a GPU; unset = as DCGM tells it"
    )
    strict: bool = Field(
        default=False, description="whether a job that does not fit holds up those behind it"
    )
    gpu_hour: float | None = Field(
        None, ge=0.0, description="a GPU for an hour; unset = `advice.prices.gpu_hour`"
    )
    gpu_hour_by_hour: tuple[float, ...] = Field(
        (), description="the same by hour of the day (UTC), 24 of them, in place of `gpu_hour`"
    )
    bandwidth_bytes_per_second: float | None = Field(
        None, gt=0.0, description="at which data sets come; unset = the most that was measured"
    )

    @field_validator("cluster", "queue", "node_pool", "nodes")
    @classmethod
    def _compile(cls, pattern: str | None) -> str | None:
        return None if pattern is None else compiles(pattern)

    @model_validator(mode="after")
    def _whole_day(self) -> Self:
        hours = len(self.gpu_hour_by_hour)
        if hours not in (0, HOURS_OF_DAY):
            raise ValueError(f"gpu_hour_by_hour has {hours} prices: a day has {HOURS_OF_DAY} hours")
        if any(price < 0.0 for price in self.gpu_hour_by_hour):
            raise ValueError("gpu_hour_by_hour has a negative price")
        return self


class PlacementSettings(BaseModel):
    """How jobs that need GPUs are placed, and what of their pools deserves a look."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource: str = Field(
        r".*/gpu",
        description="regular expression of the resource that is a GPU, as queues name it",
    )
    pools: tuple[GpuPoolSettings, ...] = Field(
        (), description="what metrics do not tell; of those that match a pool, the first counts"
    )
    estimate_spread: float = Field(
        0.3,
        ge=0.0,
        le=2.0,
        description="how far off people are who say how long their job runs: standard deviation "
        "of the logarithm",
    )
    bandwidth_bytes_per_second: float = Field(
        500e6, gt=0.0, description="at which data sets come, where it was never measured"
    )
    unused_after: timedelta = Field(
        timedelta(hours=6),
        ge=timedelta(hours=1),
        description="a GPU that somebody holds and nobody uses for so long is told",
    )
    unused_percent: float = Field(
        1.0, ge=0.0, le=50.0, description="utilisation up to which a GPU counts as not used"
    )
    crowded_share: float = Field(
        0.5,
        gt=0.0,
        le=1.0,
        description="a queue in which jobs wait for this share of a week, or of what there is of "
        "it, has too few GPUs",
    )

    @field_validator("resource")
    @classmethod
    def _compile(cls, pattern: str) -> str:
        return compiles(pattern)
