"""Settings of what is found in events."""

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator


class EventSettings(BaseModel):
    """What events are judged; see `orchestration.steps.events`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exclude: str = Field(
        "",
        description="regular expression of metrics of anomalies that are not told, whole name: "
        "`events:kubernetes:(Unhealthy|BackOff)`, `denials:.*`",
    )

    @field_validator("exclude")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return pattern
