"""Settings of the finder of absence."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestration.patterns import compiles


class AbsenceSettings(BaseModel):
    """When what has fallen silent is a finding."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least: timedelta = Field(
        timedelta(minutes=10),
        gt=timedelta(0),
        description="nothing is missed sooner; what reports more seldom may be silent for longer",
    )
    forget: timedelta = Field(
        timedelta(hours=24),
        gt=timedelta(0),
        description="what has been silent for so long has ended for good: its anomaly ends",
    )
    ignore: str = Field(
        "",
        description="regular expression of jobs, instances, workloads and nodes that nobody misses",
    )

    @field_validator("ignore")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        return compiles(pattern)
