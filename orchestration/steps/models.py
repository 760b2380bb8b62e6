"""Models of the fleet: which series go together, fitting, scoring; from panels to intervals."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from detectors import Detector, Panel, build, find_intervals
from detectors.catalogue import PYOD_PREFIX
from detectors.errors import NoTrainingDataError
from lake import Lake, TimeRange
from orchestration.errors import SettingsError
from orchestration.settings import DetectionSettings, DetectorSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.anomaly_rows import Subject
from orchestration.steps.panels import SeriesInfo, read_panel

logger = logging.getLogger(__name__)

OUTSIDE_NAMESPACES = frozenset({"node", "instance"})
"""Entities that belong to no namespace, although series of one may name several."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What a detection run did. `reason` says why nothing was scored, where nothing was."""

    scored: TimeRange | None
    series: int
    anomalies: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Series that one model scores: many at once each alone, or one entity's together."""

    subject: Subject | None
    series: Sequence[SeriesInfo]


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted detector and what it was fitted on."""

    detector: Detector
    version: str
    fitted_at: datetime


def unfitted(chosen: DetectorSettings) -> Detector:
    """The detector of the settings.

    Raises:
        UnknownDetectorError, InvalidParameterError: see `detectors.build`.
        SettingsError: it scores single series and is to score entities, or the other way round.
    """
    scope = "series" if chosen.by is None else "entity"
    given = {"scope": scope} if chosen.name.startswith(PYOD_PREFIX) else {}
    detector = build(chosen.name, **(given | chosen.parameters))
    if detector.scope != scope:
        hint = "leave `by` out" if chosen.by else "say `by: pod` or the like"
        raise SettingsError(
            f"detector {chosen.name!r} does not score one {scope} at a time: {hint}"
        )
    return detector


def fit(
    lake: Lake,
    group: Group,
    chosen: DetectorSettings,
    settings: DetectionSettings,
    until: datetime,
    lake_version: int,
) -> Model | None:
    """Fit a detector on the history before `until`; None where there is too little of it.

    Raises:
        DetectorsError, SettingsError: see `unfitted`.
    """
    detector = unfitted(chosen)
    between = TimeRange(until - settings.history, until)
    panel = read_panel(lake, group.series, between, settings.step)
    if panel.n_series == 0:
        return None
    try:
        detector.fit(panel)
    except NoTrainingDataError as error:
        logger.info("not fitted", extra={"subject": str(group.subject), "why": str(error)})
        return None
    version = anomaly_rows.model_version(chosen, between, lake_version)
    return Model(detector, version, until)


def groups(series: Sequence[SeriesInfo], chosen: DetectorSettings, block: int) -> Iterator[Group]:
    """Cut the series into what is scored at once: blocks, or the entities of `chosen.by`."""
    if chosen.by is None:
        for start in range(0, len(series), block):
            yield Group(None, series[start : start + block])
        return
    members: dict[tuple[str, str | None, str], list[SeriesInfo]] = defaultdict(list)
    for one in series:
        name = one.entity[chosen.by]
        if name:
            namespace = None if chosen.by in OUTSIDE_NAMESPACES else one.entity["namespace"]
            members[one.cluster, namespace, name].append(one)
    for (cluster, namespace, name), own in members.items():
        yield Group(Subject(cluster, chosen.by, name, namespace), own)


def score(
    lake: Lake, group: Group, model: Model, between: TimeRange, settings: DetectionSettings
) -> Iterator[anomaly_rows.Found]:
    """The intervals of a group that lie in the range, by a fitted model."""
    context = model.detector.context * settings.step
    panel = read_panel(
        lake, group.series, TimeRange(between.start - context, between.end), settings.step
    )
    if panel.n_series == 0:
        return
    scores = model.detector.score(panel)
    first = (between.start - (between.start - context)) // settings.step
    scores = anomaly_rows.from_column(scores, first)
    panel = Panel(
        panel.values[:, first:], panel.start + first * panel.step, panel.step, panel.series_id
    )
    intervals = find_intervals(scores, settings.min_length, settings.merge_gap)
    by_id = {one.series_id: one for one in group.series}
    yield from anomaly_rows.found(panel, scores, intervals, by_id, group.subject, model.version)


def warming_up(lake: Lake, settings: DetectionSettings, between: TimeRange) -> str | None:
    """Why a range cannot be scored yet; None = there is history enough."""
    first = min(
        (file.first for file in lake.snapshot().tables["samples"].files if file.first),
        default=None,
    )
    if first is None:
        return "the lake holds no samples yet"
    history = between.start - first
    if history < settings.least_history:
        held = max(history, timedelta(0))
        return f"warming up: {held} of history, {settings.least_history} needed"
    return None
