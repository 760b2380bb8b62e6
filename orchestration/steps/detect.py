"""Detection on the lake: choose series, read panels, fit, score, write intervals as anomalies.

Two callers. A *day* (Dagster, a backfill) is scored as a whole and replaces what the lake holds of
it, so it can be repeated. A *tick* (the resident worker) scores what is fresh: an interval keeps
its id and start while it grows, is `interim` while it may, and `final` after.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from detectors import Detector, Panel, build, find_intervals
from detectors.catalogue import PYOD_PREFIX
from detectors.errors import NoTrainingDataError
from lake import Lake, TimeRange
from lake.views import quote
from orchestration.errors import SettingsError
from orchestration.settings import DetectionSettings, DetectorSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.anomaly_rows import Row, Subject
from orchestration.steps.panels import SeriesInfo, align, choose_series, read_panel

logger = logging.getLogger(__name__)

Progress = Callable[[float], None]
"""Told the share of the work that is done, 0 to 1."""


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


def detect_day(
    lake: Lake,
    settings: DetectionSettings,
    day: date,
    *,
    now: datetime,
    clusters: Sequence[str] = (),
    progress: Progress = lambda _: None,
) -> Detected:
    """Score one UTC day with models fitted on the history before it; repeating it changes nothing.

    Args:
        lake: where samples are and anomalies go.
        settings: what to score and how.
        day: the day; of the running day only what is past is scored.
        now: the time.
        clusters: only these; empty = all.
        progress: told how far it is.
    """
    whole = TimeRange.of_day(day)
    end = min(whole.end, align(now - settings.delay, settings.step))
    if end <= whole.start:
        return Detected(None, 0, 0, f"day {day} has not begun")
    return detect_range(
        lake, settings, TimeRange(whole.start, end), now=now, clusters=clusters, progress=progress
    )


def detect_range(
    lake: Lake,
    settings: DetectionSettings,
    between: TimeRange,
    *,
    now: datetime,
    clusters: Sequence[str] = (),
    progress: Progress = lambda _: None,
) -> Detected:
    """Score a range with models fitted on the history before it, replacing its anomalies.

    All anomalies that *start* in the range, of these detectors and clusters, are replaced. Ranges
    from one day must not be scored by two callers at once.
    """
    lake_version = lake.samples.version()
    reason = _warming_up(lake, settings, between)
    if reason is not None:
        return Detected(None, 0, 0, reason)
    series = choose_series(lake, settings, between.start, clusters)
    gap = settings.merge_gap * settings.step
    rows: list[Row] = []
    for index, chosen in enumerate(settings.detectors):
        parts = list(groups(series, chosen, settings.block_series))
        for done, group in enumerate(parts):
            model = fit(lake, group, chosen, settings, between.start, lake_version)
            if model is not None:
                found = score(lake, group, model, between, settings)
                rows += anomaly_rows.rows(found, chosen, lake_version, now - gap)
            progress((index + (done + 1) / len(parts)) / len(settings.detectors))
    for chosen in settings.detectors:
        own = [row for row in rows if row["detector"] == anomaly_rows.label(chosen)]
        lake.anomalies.replace(
            anomaly_rows.table(own), _predicate(between, anomaly_rows.label(chosen), clusters)
        )
    return Detected(between, len(series), len(rows))


def _warming_up(lake: Lake, settings: DetectionSettings, between: TimeRange) -> str | None:
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


def _predicate(between: TimeRange, detector: str, clusters: Sequence[str]) -> str:
    days = f"date >= '{between.start.date()}' AND date <= '{between.end.date()}'"
    start, end = (f"'{moment.isoformat()}'" for moment in (between.start, between.end))
    predicate = f"{days} AND start >= {start} AND start < {end} AND detector = {quote(detector)}"
    if clusters:
        predicate += f" AND cluster IN ({', '.join(map(quote, clusters))})"
    return predicate


class Ticker:
    """Scores what is fresh, minute by minute; models live as long as the process.

    Args:
        lake: where samples are and anomalies go.
        settings: what to score and how.
        but_not: clusters that are pulled, and so scored by the schedule.

    Raises:
        DetectorsError, SettingsError: a detector of the settings cannot be used; see `unfitted`.
    """

    def __init__(
        self, lake: Lake, settings: DetectionSettings, but_not: Sequence[str] = ()
    ) -> None:
        for chosen in settings.detectors:
            unfitted(chosen)
        self.lake = lake
        self.settings = settings
        self._but_not = tuple(but_not)
        self._models: list[tuple[DetectorSettings, Group, Model]] = []
        self._fitted_at: datetime | None = None
        self._scored_to: datetime | None = None
        self._looked_to: datetime | None = None

    def due(self, now: datetime) -> bool:
        """Whether a column has closed since the last tick."""
        return self._looked_to is None or self._closed(now) > self._looked_to

    def _closed(self, now: datetime) -> datetime:
        return align(now - self.settings.delay, self.settings.step)

    def tick(self, now: datetime) -> Detected:
        """Score every column that has closed since the last tick."""
        if not self.due(now):
            return Detected(None, 0, 0, "no column has closed since the last tick")
        end = self._closed(now)
        done = self._tick(end)
        self._looked_to = end
        return done

    def _tick(self, end: datetime) -> Detected:
        settings = self.settings
        # Far enough back for an interval to become long enough, or to end, in several ticks.
        reach = (settings.min_length + settings.merge_gap) * settings.step
        start = (self._scored_to or end) - reach
        between = TimeRange(start, end)
        reason = _warming_up(self.lake, settings, between)
        if reason is not None:
            return Detected(None, 0, 0, reason)
        if self._fitted_at is None or end - self._fitted_at >= settings.refit_every:
            self._refit(start, end)
        rows: list[Row] = []
        lake_version = self.lake.samples.version()
        for chosen, group, model in self._models:
            found = score(self.lake, group, model, between, settings)
            rows += anomaly_rows.rows(
                found, chosen, lake_version, end - settings.merge_gap * settings.step
            )
        changed = anomaly_rows.carry_on(self.lake, rows, between, lake_version, settings)
        self.lake.anomalies.append(anomaly_rows.table(changed))
        self._scored_to = end
        return Detected(between, sum(len(g.series) for _, g, _ in self._models), len(rows))

    def _refit(self, until: datetime, now: datetime) -> None:
        series = choose_series(self.lake, self.settings, until, but_not=self._but_not)
        version = self.lake.samples.version()
        self._models = []
        for chosen in self.settings.detectors:
            for group in groups(series, chosen, self.settings.block_series):
                model = fit(self.lake, group, chosen, self.settings, until, version)
                if model is not None:
                    self._models.append((chosen, group, model))
        self._fitted_at = now
