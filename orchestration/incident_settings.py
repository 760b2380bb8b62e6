"""Settings of incidents: which anomalies belong together, and where causes are looked for."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field


class Call(BaseModel):
    """One workload that calls another, where no mesh tells it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(description="who calls, as `namespace/workload`")
    target: str = Field(description="who is called, as `namespace/workload`")
    cluster: str | None = Field(None, description="in this cluster alone; unset = in all")


class IncidentSettings(BaseModel):
    """How anomalies become incidents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap: timedelta = Field(
        timedelta(minutes=30),
        description="between anomalies of the same workload or node that still are one incident; "
        "an incident is resolved after it",
    )
    onset: timedelta = Field(
        timedelta(minutes=15),
        description="between the begins of anomalies of neighbours (caller and callee, pod and "
        "node) that are one incident",
    )
    same: timedelta = Field(
        timedelta(minutes=5),
        description="between the begins of anomalies that have a neighbour in common, or are of "
        "the same workload in two clusters",
    )
    calls: tuple[Call, ...] = Field((), description="who calls whom, beside what a mesh tells")
    baseline: timedelta = Field(
        timedelta(hours=6), description="before an incident, what its causes are compared with"
    )
    changes: timedelta = Field(
        timedelta(hours=2), description="before an incident, how far back changes are looked for"
    )
    again: timedelta = Field(
        timedelta(days=7),
        description="before an incident, how far back one is looked for that it is again",
    )
    remember: timedelta = Field(
        timedelta(days=90),
        description="how long a pattern that somebody called false makes its like quieter",
    )
