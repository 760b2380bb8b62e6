"""Settings of detection: what scores what, how often, and how many alerts it may raise."""

from collections import Counter
from datetime import timedelta
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class DetectorSettings(BaseModel):
    """One detector that scores the fleet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("window_memory", description="`window_memory`, `pyod.ECOD`, …")
    by: Literal["namespace", "workload", "pod", "node", "service", "instance"] | None = Field(
        None, description="score all series of one such entity together; unset = each alone"
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of the detector"
    )


# Self-descriptions of processes, labels written as metrics, and histogram buckets (their _count and
# _sum are scored): constant or redundant, at many series each.
DEFAULT_EXCLUDE = (
    r"(.*_(info|created|labels|annotations|bucket)|(go|process|promhttp|scrape|prometheus)_.*)"
)


# For columns of a minute. A window remembers a fault for its own length after it is over: half an
# hour, where the detector's own longest would be 96 minutes. One day of history cannot show how
# much days differ, hence the margin. Simulated fleet, seed 7 at eight times of day: two false
# intervals in 24 cluster-days, all 48 faults found; seeds 12 and 13: two at most in a cluster-day.
MINUTE_COLUMNS: dict[str, Any] = {"lengths": [2, 32], "margin": 2.5}


FinderName = Literal["absence", "event_rate", "siblings"]
"""What finds anomalies without a model of each series: see `orchestration.steps.finders`."""


class DetectionSettings(BaseModel):
    """How the fleet is scored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detectors: tuple[DetectorSettings, ...] = Field(
        (DetectorSettings(parameters=MINUTE_COLUMNS),),
        min_length=1,
        description="each scores every chosen series",
    )
    also: tuple[FinderName, ...] = Field(
        (), description="what else looks for anomalies, beside the detectors; empty = nothing"
    )
    step: timedelta = Field(timedelta(minutes=1), description="width of a panel column")
    history: timedelta = Field(timedelta(hours=24), description="training data before a model")
    least_history: timedelta = Field(
        timedelta(hours=6),
        ge=timedelta(0),
        description="series with shorter history than this are not scored: warm-up",
    )
    refit_every: timedelta = Field(
        timedelta(hours=6), gt=timedelta(0), description="age at which a model is refitted"
    )
    delay: timedelta = Field(
        timedelta(seconds=15),
        ge=timedelta(0),
        description="columns younger than this wait for late samples",
    )
    false_alerts_a_day: float = Field(
        10.0,
        gt=0.0,
        description="budget: false alerts a day of the whole fleet, at most; thresholds rise with "
        "the number of series to keep it",
    )
    min_length: int = Field(5, ge=1, description="columns over the threshold that make an interval")
    merge_gap: int = Field(30, ge=0, description="columns between intervals that still are one")
    include: str = Field(".*", description="regular expression of metrics to score, whole name")
    exclude: str = Field(DEFAULT_EXCLUDE, description="of those, metrics not to score")
    block_series: int = Field(5_000, gt=0, description="series in memory at once")

    @field_validator("include", "exclude")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        # Arrow's expressions are RE2's, as are DuckDB's, which will run it: no look-around.
        try:
            pc.match_substring_regex(pa.array([""]), pattern)
        except pa.ArrowInvalid as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.step <= timedelta(0):
            raise ValueError(f"step is {self.step}, must be positive")
        if self.least_history > self.history:
            raise ValueError(
                f"least_history {self.least_history} is longer than history {self.history}"
            )
        # Their anomalies are told apart by these two alone.
        (name, by), times = Counter((one.name, one.by) for one in self.detectors).most_common(1)[0]
        if times > 1:
            raise ValueError(f"two detectors are {name!r} by {by}: their anomalies would mix")
        if len(set(self.also)) < len(self.also):
            raise ValueError(f"also names one twice: {', '.join(self.also)}")
        return self
