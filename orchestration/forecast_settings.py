"""Settings of forecasts: which resources have a limit, how far ahead, how often."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestration.patterns import compiles

SLOT = timedelta(minutes=5)
"""Of the rollups: columns are whole multiples of it."""

RESOLUTION = 48
"""Columns that a horizon should have: see `detectors.forecasting`."""

HEAVIER_MOST = 200
HEAVIER_BUDGET = timedelta(minutes=1)

Share = Literal["namespace", "workload", "service", "job"]


class ResourceSettings(BaseModel):
    """One kind of resource: a metric, and how much of it there may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="what it is called; one of the same name takes the place of a built-in one",
    )
    metric: str = Field(description="the metric, exact name")
    reads: Literal["used", "free", "expires_at", "expires_in"] = Field(
        "used",
        description="what the metric tells: what is used, what is left, or of a certificate the "
        "time (seconds since 1970) or the seconds until it expires",
    )
    limit: str | None = Field(
        None, description="the metric that tells how much there is, exact name"
    )
    threshold: float | None = Field(
        None, description="in place of `limit`: a value not to be reached, in the metric's unit"
    )
    below: bool = Field(
        default=False, description="whether the threshold is reached from above, by falling"
    )
    match: tuple[str, ...] = Field(
        (), description="labels that a value and its limit have in common, beside the cluster"
    )
    labels: dict[str, str] = Field(
        default_factory=dict,
        description="only series whose labels match these regular expressions, whole value",
    )
    but_not: dict[str, str] = Field(
        default_factory=dict, description="and not those of which one matches one of these"
    )
    limit_labels: dict[str, str] = Field(
        default_factory=dict, description="as `labels`, of the limit"
    )
    levels: tuple[float, ...] = Field(
        (), description="shares of the limit that are foretold; empty = `forecasts.levels`"
    )
    subject: tuple[str, ...] = Field(
        (), description="labels that say which of several it is, as `mountpoint`"
    )

    @field_validator("labels", "but_not", "limit_labels")
    @classmethod
    def _compile(cls, patterns: dict[str, str]) -> dict[str, str]:
        return {name: compiles(pattern) for name, pattern in patterns.items()}

    @field_validator("levels")
    @classmethod
    def _ascend(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        return ascending(levels)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        said = [what for what in ("limit", "threshold") if getattr(self, what) is not None]
        if self.expires and said:
            raise ValueError(
                f"resource {self.name!r} expires and has a {said[0]} too: leave it out"
            )
        if not self.expires and len(said) != 1:
            raise ValueError(f"resource {self.name!r} needs either a limit or a threshold")
        if self.reads == "free" and self.limit is None:
            raise ValueError(
                f"resource {self.name!r} tells what is free: it needs a limit, or `below` with "
                "`reads: used`"
            )
        if self.below and self.threshold is None:
            raise ValueError(f"resource {self.name!r} falls: it needs a threshold")
        return self

    @property
    def expires(self) -> bool:
        """Whether its time is told and need not be foretold."""
        return self.reads in {"expires_at", "expires_in"}


class ObjectiveSettings(BaseModel):
    """One service-level objective: of all requests, so many succeed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="what it is called")
    target: float = Field(gt=0.0, lt=1.0, description="share that has to succeed, as 0.999")
    window: timedelta = Field(
        timedelta(days=30), ge=timedelta(hours=1), description="over which it is counted"
    )
    total: str = Field(description="counter of requests, exact name")
    errors: str | None = Field(
        None, description="counter of those that failed; unset = `total`, by `error_labels`"
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="regular expressions of labels, whole value, of both"
    )
    error_labels: dict[str, str] = Field(
        default_factory=dict, description="as `labels`, of those that failed: `code: 5..`"
    )
    by: tuple[Share, ...] = Field(
        (), description="an objective for each; empty = one for each cluster"
    )

    @field_validator("labels", "error_labels")
    @classmethod
    def _compile(cls, patterns: dict[str, str]) -> dict[str, str]:
        return {name: compiles(pattern) for name, pattern in patterns.items()}

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.errors is None and not self.error_labels:
            raise ValueError(
                f"objective {self.name!r} does not say what fails: `errors` or `error_labels`"
            )
        return self


class ForecastSettings(BaseModel):
    """What is foretold of the lake's resources."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resident: bool = Field(
        True, description="the server does it, in a thread; else Dagster's schedule"
    )
    every: timedelta = Field(timedelta(minutes=15), ge=SLOT, description="how often")
    horizon: timedelta = Field(
        timedelta(hours=4),
        ge=timedelta(hours=1),
        description="how far ahead; a resource needs a history as long",
    )
    history: timedelta = Field(
        timedelta(days=7), ge=timedelta(hours=1), description="how far back is looked"
    )
    levels: tuple[float, ...] = Field(
        (0.8, 0.9, 1.0),
        min_length=1,
        description="shares of a limit; the lowest that is not reached yet is foretold",
    )
    resources: tuple[ResourceSettings, ...] = Field(
        (), description="kinds of resources beside the built-in ones: see forecasts.md"
    )
    built_in: bool = Field(
        True, description="whether the built-in kinds of resources are looked for"
    )
    objectives: tuple[ObjectiveSettings, ...] = Field((), description="service-level objectives")
    gauges: int = Field(
        500,
        ge=0,
        le=1000,
        description="most `fleetlake_seconds_to_threshold` on `/metrics`, soonest first",
    )

    heavier: str | None = Field(
        None,
        min_length=1,
        description="a heavier model for what is reached soonest, as `statsforecast` (extra "
        "`forecasts`) or that of another installed package; unset = none, see forecasts.md",
    )
    heavier_most: int = Field(
        HEAVIER_MOST,
        ge=1,
        le=10_000,
        description="resources that it is asked of in a round, soonest first",
    )
    heavier_budget: timedelta = Field(
        HEAVIER_BUDGET,
        ge=timedelta(seconds=1),
        description="what a round may take of it; what is not asked by then keeps its forecast",
    )

    @field_validator("levels")
    @classmethod
    def _ascend(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        return ascending(levels)

    @model_validator(mode="after")
    def _one_a_name(self) -> Self:
        for what in ("resources", "objectives"):
            names = [one.name for one in getattr(self, what)]
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{what}: {min(twice)!r} is there twice")
        if self.history < self.horizon:
            raise ValueError(
                f"history {self.history} is shorter than the horizon {self.horizon}: nothing could "
                "be told"
            )
        return self

    @property
    def step(self) -> timedelta:
        """Width of a column: a 48th of the horizon, in whole slots of the rollups."""
        return max(1, round(self.horizon / RESOLUTION / SLOT)) * SLOT


def ascending(levels: tuple[float, ...]) -> tuple[float, ...]:
    """The levels, if they rise.

    Raises:
        ValueError: they do not, or one is not positive.
    """
    if any(level <= 0.0 for level in levels) or list(levels) != sorted(set(levels)):
        raise ValueError(f"levels {levels} must be positive and rise")
    return levels
