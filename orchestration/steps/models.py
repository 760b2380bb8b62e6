"""Models of the fleet: which series go together, fitting, scoring; from panels to intervals."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from detectors import Detector, Panel, build, find_intervals
from detectors.catalogue import PYOD_PREFIX
from detectors.errors import NoTrainingDataError
from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.errors import SettingsError
from orchestration.steps import anomaly_rows, budget
from orchestration.steps.groups import Group
from orchestration.steps.panels import SeriesInfo, read_panel
from orchestration.steps.training import Flagged, learnable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Detected:
    """What a detection run did. `reason` says why nothing was scored, where nothing was."""

    scored: TimeRange | None
    series: int
    anomalies: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted detector and what it was fitted on."""

    detector: Detector
    version: str
    fitted_at: datetime


Fitted = tuple[Group, Model]


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
    snapshot: Snapshot,
    block: Sequence[Group],
    chosen: DetectorSettings,
    settings: DetectionSettings,
    until: datetime,
    known: Flagged,
    rate: float,
) -> list[Fitted]:
    """Fit a detector for each group of a block on the history before `until`, by one query.

    Groups with too little history are left out.

    Args:
        snapshot: where the history is.
        block: what to fit for.
        chosen: the detector.
        settings: how much history, in which step.
        until: the end of the history.
        known: what no model should learn.
        rate: of false alarms, the most that the fleet's budget grants (`steps.budget`).

    Raises:
        DetectorsError, SettingsError: see `unfitted`.
    """
    between = TimeRange(until - settings.history, until)
    whole = read_panel(snapshot, _series(block), between, settings.step)
    lake_version = snapshot.versions["samples"]
    given = budget.within(unfitted(chosen), chosen, rate).get_params()
    determined = chosen.model_copy(update={"parameters": given})
    version = anomaly_rows.model_version(determined, between, lake_version, known.digest)
    fitted = []
    for group in block:
        detector = budget.within(unfitted(chosen), chosen, rate)
        panel = _of(whole, group)
        if panel.n_series == 0:
            continue
        things = _things(panel, group, anomaly_rows.label(chosen))
        try:
            detector.fit(learnable(panel, things, known, settings.least_history))
        except NoTrainingDataError as error:
            logger.info("not fitted", extra={"subject": str(group.subject), "why": str(error)})
            continue
        fitted.append((group, Model(detector, version, until)))
    return fitted


def _series(block: Iterable[Group]) -> list[SeriesInfo]:
    return list({one.series_id: one for group in block for one in group.series}.values())


def _of(panel: Panel, group: Group) -> Panel:
    """The group's rows of a block's panel."""
    wanted = np.array([one.series_id for one in group.series], np.int64)
    rows = np.flatnonzero(np.isin(panel.series_id, wanted))
    if len(rows) == panel.n_series:
        return panel
    return Panel(panel.values[rows], panel.start, panel.step, panel.series_id[rows])


def _things(panel: Panel, group: Group, label: str) -> list[anomaly_rows.Thing]:
    """What the anomalies of each row are filed under."""
    if group.subject is not None:
        return [anomaly_rows.thing_of_subject(group.subject, label)] * panel.n_series
    clusters = {one.series_id: one.cluster for one in group.series}
    ids = panel.series_id.tolist()
    return [
        anomaly_rows.thing({"cluster": clusters[one], "detector": label, "series_id": one})
        for one in ids
    ]


def score(
    snapshot: Snapshot, block: Sequence[Fitted], between: TimeRange, settings: DetectionSettings
) -> Iterator[anomaly_rows.Found]:
    """The intervals of a block's groups that lie in the range, by fitted models and one query."""
    columns = max((model.detector.context for _, model in block), default=0)
    reach = TimeRange(between.start - columns * settings.step, between.end)
    whole = read_panel(snapshot, _series(group for group, _ in block), reach, settings.step)
    for group, model in block:
        panel = _from_column(_of(whole, group), columns - model.detector.context)
        if panel.n_series == 0:
            continue
        scores = model.detector.score(panel, panel.n_times - model.detector.context)
        panel = _from_column(panel, model.detector.context)
        intervals = find_intervals(scores, settings.min_length, settings.merge_gap)
        by_id = {one.series_id: one for one in group.series}
        yield from anomaly_rows.found(panel, scores, intervals, by_id, group.subject, model.version)


def _from_column(panel: Panel, first: int) -> Panel:
    start = panel.start + first * panel.step
    return Panel(panel.values[:, first:], start, panel.step, panel.series_id)


def warming_up(snapshot: Snapshot, settings: DetectionSettings, between: TimeRange) -> str | None:
    """Why a range cannot be scored yet; None = there is history enough of some series."""
    first = min(
        (file.first for file in snapshot.tables["samples"].files if file.first),
        default=None,
    )
    if first is None:
        return "the lake holds no samples yet"
    history = between.start - first
    if history < settings.least_history:
        minutes = max(history, timedelta(0)) // timedelta(minutes=1)
        held = timedelta(minutes=minutes)
        return f"warming up: {held} of history, {settings.least_history} needed"
    return None
