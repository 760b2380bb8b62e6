"""Settings of maintenance: how files are merged, and how long what is kept."""

from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lake.maintenance import CompactionPolicy, Keep, Policy
from lake.schema import TABLES


class KeepSettings(BaseModel):
    """How long rows of one table are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int | None = Field(None, ge=1, description="whole UTC days; unset = for ever")
    clusters: dict[str, int | None] = Field(
        default_factory=dict, description="of single clusters, days of their own; null = for ever"
    )

    @model_validator(mode="after")
    def _positive(self) -> Self:
        for cluster, days in self.clusters.items():
            if days is not None and days < 1:
                raise ValueError(f"cluster {cluster!r} is kept for {days} days, must be at least 1")
        return self


class MaintenanceSettings(BaseModel):
    """How the lake is kept small and quick."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resident: bool = Field(
        True,
        description="the server does it, in a thread; else Dagster's schedules: see maintenance.md",
    )
    every: timedelta = Field(
        timedelta(minutes=5), gt=timedelta(0), description="rolling up and merging files"
    )
    clean_every: timedelta = Field(
        timedelta(hours=1), gt=timedelta(0), description="retention, vacuum, tidying of logs"
    )
    target_mb: int = Field(128, ge=1, description="about the size at which a merged file is cut")
    memory_mb: int = Field(512, ge=128, description="memory for sorting; beyond, it goes to disk")
    grace: timedelta = Field(
        timedelta(days=1),
        ge=timedelta(hours=1),
        description="how long files and versions stay that nothing new reads: the reach of `AS OF`",
    )
    keep: dict[str, KeepSettings] = Field(
        default_factory=dict,
        description="by table (`samples`, `samples_5m`, `events`, …), how long; unset = for ever",
    )

    @model_validator(mode="after")
    def _known_tables(self) -> Self:
        for name in self.keep:
            if name == "series" or name not in TABLES:
                known = sorted(set(TABLES) - {"series"})
                raise ValueError(f"keep: {name!r} is none of {', '.join(known)}")
        return self

    def policy(self) -> Policy:
        """The same as the lake takes it."""
        return Policy(
            CompactionPolicy(target_bytes=self.target_mb << 20, memory_bytes=self.memory_mb << 20),
            {name: Keep(one.days, one.clusters) for name, one in self.keep.items()},
            self.grace,
        )
