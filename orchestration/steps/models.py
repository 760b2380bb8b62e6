"""Models of the fleet: from history to fitted detectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from detectors import Detector, Panel
from detectors.borrowed import PooledDetector
from detectors.catalogue import build_for
from detectors.families import Limits
from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.errors import SettingsError
from orchestration.steps import anomaly_rows, budget, season
from orchestration.steps.groups import Group, series_of
from orchestration.steps.isolation import Failure, Failures, fitted_parts, rows_of
from orchestration.steps.model import Fitted, Model
from orchestration.steps.panels import read_panel
from orchestration.steps.pools import Pools
from orchestration.steps.training import Flagged, learnable


@dataclass(frozen=True, slots=True)
class Detected:
    """What a detection run did.

    Attributes:
        scored: the range.
        series: how many.
        anomalies: rows that were found.
        reason: why nothing was scored, where nothing was.
        failed: how many series or entities each detector could not learn or score.
        failures: the first few of them.
    """

    scored: TimeRange | None
    series: int
    anomalies: int
    reason: str | None = None
    failed: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()


def unfitted(chosen: DetectorSettings) -> Detector:
    """The detector of the settings.

    Raises:
        UnknownDetectorError, OwnDetectorError, InvalidParameterError: see `detectors.build`.
        SettingsError: it scores single series and is to score entities, or the other way round.
    """
    scope: Literal["series", "entity"] = "series" if chosen.by is None else "entity"
    detector = build_for(scope, chosen.name, **chosen.parameters)
    if detector.scope != scope:
        hint = "leave `by` out" if chosen.by else "say `by: pod` or the like"
        raise SettingsError(
            f"detector {chosen.name!r} does not score one {scope} at a time: {hint}"
        )
    return detector


def least_history(chosen: DetectorSettings, settings: DetectionSettings) -> timedelta:
    """How long a series must have been there for a detector to score it.

    A pooled model knows what its family is like, so that it needs little of a new series.
    """
    detector = unfitted(chosen)
    if isinstance(detector, PooledDetector):
        return min(detector.young * settings.step, settings.least_history)
    return settings.least_history


def fit(
    snapshot: Snapshot,
    block: Sequence[Group],
    chosen: DetectorSettings,
    settings: DetectionSettings,
    until: datetime,
    known: Flagged,
    rate: float,
    failures: Failures | None = None,
    pools: Pools | None = None,
    least: timedelta | None = None,
) -> list[Fitted]:
    """Fit a detector for each group of a block on the history before `until`, by one query.

    Groups with too little history are left out, and so is what the detector raises on.

    Args:
        snapshot: where the history is.
        block: what to fit for.
        chosen: the detector.
        settings: how much history, in which step.
        until: the end of the history.
        known: what no model should learn.
        rate: of false alarms, the most that the fleet's budget grants (`steps.budget`).
        failures: told what could not be fitted.
        pools: models of families that are there already; those that are fitted are added.
        least: history that a series needs; None = as little as the detector can do with.

    Raises:
        DetectorsError, SettingsError: see `unfitted`.
    """
    failures = Failures() if failures is None else failures
    pools = Pools() if pools is None else pools
    between = TimeRange(until - settings.history, until)
    whole = read_panel(snapshot, series_of(block), between, settings.step)
    lake_version = snapshot.versions["samples"]
    given = budget.within(unfitted(chosen), chosen, rate).get_params()
    determined = chosen.model_copy(update={"parameters": given})
    of_series = _things(block, chosen)
    weeks = season.fit_block(snapshot, series_of(block), of_series, chosen, settings, until, rate)
    left_out = known.digest + (weeks.digest if weeks else "")
    version = anomaly_rows.model_version(determined, between, lake_version, left_out)
    least = least_history(chosen, settings) if least is None else least
    name = anomaly_rows.label(chosen)

    def make() -> Detector:
        return budget.within(unfitted(chosen), chosen, rate)

    def taught(group: Group, panel: Panel) -> Panel:
        things = _things([group], chosen)
        own = [things[one] for one in panel.series_id.tolist()]
        return learnable(panel, own, known, least)

    fitted = []
    for group in block:
        panel = rows_of(whole, group.ids)
        if panel.n_series == 0:
            continue
        learn = taught(group, panel)
        if group.pooled is not None:
            sample = Group(None, group.pooled.sample)

            def read(sample: Group = sample) -> Panel:
                found = read_panel(snapshot, sample.series, between, settings.step)
                return taught(sample, found)

            parts = pools.fitted(group, make, learn, read, failures, name)
        else:
            parts = fitted_parts(make, learn, failures, name, group.subject)
        limits = Limits.of([one.family for one in group.series], group.ids)
        for detector, part in parts:
            own = weeks.season if weeks else None
            model = Model(detector, version, until, limits, settings.min_length, own)
            fitted.append((_part(group, part), model))
    return fitted


def _part(group: Group, panel: Panel) -> Group:
    """The group, or what of it is in the panel where that is a part of it."""
    if group.subject is not None:
        return group
    ids = set(panel.series_id.tolist())
    own = [one for one in group.series if one.series_id in ids]
    return Group(None, own, group.pooled)


def _things(block: Sequence[Group], chosen: DetectorSettings) -> dict[int, anomaly_rows.Thing]:
    """What the anomalies of each series are filed under, by its id; each is of one group."""
    label = anomaly_rows.label(chosen)
    return {
        one.series_id: anomaly_rows.thing(
            {"cluster": one.cluster, "detector": label, "series_id": one.series_id}
        )
        if group.subject is None
        else anomaly_rows.thing_of_subject(group.subject, label)
        for group in block
        for one in group.series
    }


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
