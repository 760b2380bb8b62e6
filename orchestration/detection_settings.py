"""Settings of detection: what scores what, how often, and how many alerts it may raise."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestration.absence_settings import AbsenceSettings
from orchestration.event_settings import EventSettings
from orchestration.family_settings import FamilySettings
from orchestration.patterns import compiles
from orchestration.sibling_settings import SiblingsSettings


class Candidates(BaseModel):
    """What a costly detector looks at: where a cheaper one finds something suspicious."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str = Field(description="name of the detector in the list that finds them")
    share: float = Field(
        0.001,
        gt=0.0,
        le=0.05,
        description="share of normal columns that it may find suspicious: its p-value, at most",
    )
    hold: int = Field(
        30, ge=0, description="columns after a suspicious one in which a series stays a candidate"
    )


class DetectorSettings(BaseModel):
    """One detector that scores the fleet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        "window_memory",
        description="`window_memory`, `pyod.ECOD`, `pooled.IForest`, or a class of your own, "
        "`package.module:Class`",
    )
    by: Literal["namespace", "workload", "pod", "node", "service", "instance"] | None = Field(
        None, description="score all series of one such entity together; unset = each alone"
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of the detector"
    )
    candidates: Candidates | None = Field(
        None, description="score only what a cheaper detector finds suspicious; unset = everything"
    )
    metrics: str | None = Field(
        None,
        description="regular expression of the metrics that it scores, whole name; of several with "
        "the same `by` the first that matches; unset = all that none of them matches",
    )

    @field_validator("metrics")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        return None if pattern is None else compiles(pattern)


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
        description="each scores every chosen series, but for what `metrics` says",
    )
    also: tuple[FinderName, ...] = Field(
        ("absence", "event_rate", "siblings"),
        description="what else looks for anomalies, beside the detectors; empty = nothing",
    )
    use_champions: bool = Field(
        True,
        description="a metric for which `fleetlake choose --keep` has kept a detector in the lake "
        "is scored by that one, unless a detector here has `metrics` that match it",
    )
    absence: AbsenceSettings = Field(
        AbsenceSettings(), description="what stops reporting, and is missed"
    )
    events: EventSettings = Field(EventSettings(), description="what events are judged")
    siblings: SiblingsSettings = Field(
        SiblingsSettings(), description="what is the same workload in another cluster"
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
    season: timedelta = Field(
        timedelta(days=28),
        ge=timedelta(0),
        description="history of what each hour of the week usually holds; zero = not learned",
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
    families: tuple[FamilySettings, ...] = Field(
        (),
        description="what is known of metrics, before the presets: the first that matches counts",
    )
    block_series: int = Field(5_000, gt=0, description="series in memory at once")

    @field_validator("include", "exclude")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        return compiles(pattern)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.step <= timedelta(0):
            raise ValueError(f"step is {self.step}, must be positive")
        if self.least_history > self.history:
            raise ValueError(
                f"least_history {self.least_history} is longer than history {self.history}"
            )
        # Their anomalies are told apart by all but the metrics: a series must be of one of them.
        (name, by, after, metrics), times = Counter(
            (one.name, one.by, one.candidates and one.candidates.of, one.metrics)
            for one in self.detectors
        ).most_common(1)[0]
        if times > 1:
            told = f"{name!r} by {by}" + (f" after {after!r}" if after else "")
            told += f" with metrics {metrics!r}" if metrics else ""
            raise ValueError(
                f"two detectors are {told}: their anomalies would mix; give each metrics of its own"
            )
        for one in self.detectors:
            _check_candidates(one, self.detectors)
        if len(set(self.also)) < len(self.also):
            raise ValueError(f"also names one twice: {', '.join(self.also)}")
        return self


def _check_candidates(one: DetectorSettings, detectors: Sequence[DetectorSettings]) -> None:
    if one.candidates is None:
        return
    if one.by is not None or one.name.startswith("pooled."):
        what = "entities" if one.by else "a whole family of series at once"
        raise ValueError(f"{one.name!r} scores {what}: candidates are single series")
    if one.metrics is not None:
        raise ValueError(
            f"{one.name!r} has candidates and metrics: name the metrics at {one.candidates.of!r}, "
            "which finds the candidates"
        )
    screens = [each.name for each in detectors if each.by is None and each.candidates is None]
    if one.candidates.of not in screens:
        raise ValueError(
            f"candidates of {one.candidates.of!r}: must be one of the detectors that score every "
            f"series alone, which are {', '.join(map(repr, screens)) or 'none'}"
        )
