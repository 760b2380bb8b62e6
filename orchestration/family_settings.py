"""What somebody says of metrics of his own, or against the presets."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class FamilySettings(BaseModel):
    """What is known of some metrics; whatever is not said stays as the presets have it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: str = Field(description="regular expression of metrics, whole name")
    labels: dict[str, str] = Field(
        default_factory=dict,
        description="of those, series with such labels: name to regular expression, whole value",
    )
    reading: Literal["rate", "level", "age"] | None = Field(
        None,
        description="`rate` = a counter, per second; `level` = as it is; `age` = seconds since the "
        "Unix time that it holds",
    )
    direction: Literal["both", "above", "below"] | None = Field(
        None, description="the side of what is expected on which a deviation does harm"
    )
    least_absolute: float | None = Field(
        None, ge=0.0, description="least deviation that counts, in the unit of the reading"
    )
    least_relative: float | None = Field(
        None, ge=0.0, description="least deviation that counts, as a part of what is expected"
    )
    ignore: bool | None = Field(
        None, description="`true` = not scored; `false` = scored, whatever the presets say"
    )

    @field_validator("metrics")
    @classmethod
    def _metrics_compile(cls, pattern: str) -> str:
        return _compiled(pattern)

    @field_validator("labels")
    @classmethod
    def _labels_compile(cls, labels: dict[str, str]) -> dict[str, str]:
        return {name: _compiled(pattern) for name, pattern in labels.items()}


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern
