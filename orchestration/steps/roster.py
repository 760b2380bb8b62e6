"""The models that score the fleet between two refits, and what has not come of age yet."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps import anomaly_rows, budget
from orchestration.steps.anomaly_rows import Row, Subject
from orchestration.steps.claims import claimed
from orchestration.steps.discoveries import tested, told
from orchestration.steps.groups import Group, blocks, groups
from orchestration.steps.isolation import Failures
from orchestration.steps.model import Fitted
from orchestration.steps.models import fit, least_history
from orchestration.steps.panels import LONGEST_GAP, SeriesInfo, choose_series
from orchestration.steps.pools import Pools
from orchestration.steps.scoring import look
from orchestration.steps.second_look import second_looks
from orchestration.steps.siblings.shared import Sharing
from orchestration.steps.siblings.told_once import told_once
from orchestration.steps.training import flagged

Models = tuple[DetectorSettings, list[Fitted]]
"""A block of models of one detector, that score by one query."""

Key = tuple[str, str | None]
"""Of a detector: two of one name have different metrics."""


class Roster:
    """Models of every detector of the settings.

    Args:
        settings: say which detectors there are.
        but_not: clusters that are not scored.
    """

    def __init__(self, settings: DetectionSettings, but_not: Sequence[str] = ()) -> None:
        self.unfitted = Failures()
        self._settings = settings
        self._but_not = tuple(but_not)
        self._models: list[Models] = []
        self._known: dict[Key, set[int]] = defaultdict(set)
        self._young: dict[Key, set[int]] = defaultdict(set)
        self._pools: dict[Key, Pools] = defaultdict(Pools)
        self._second = second_looks(settings)
        self._rates: dict[Key, float] = {}

    @property
    def series(self) -> set[int]:
        """Every series that a model scores."""
        return {
            one.series_id for _, block in self._models for group, _ in block for one in group.series
        }

    def fit_new(self, snapshot: Snapshot, until: datetime) -> None:
        """Fit what has come of age since the last time, and the entities that it belongs to."""
        settings = self._settings
        series = choose_series(snapshot, settings, until, but_not=self._but_not)
        self._rates = {}
        for chosen in settings.detectors:
            if chosen.candidates is None:
                self._fit_detector(snapshot, chosen, series, until)

    def _fit_detector(
        self,
        snapshot: Snapshot,
        chosen: DetectorSettings,
        series: Sequence[SeriesInfo],
        until: datetime,
    ) -> None:
        settings = self._settings
        series = claimed(series, chosen, settings.detectors)
        new = self._come_of_age(chosen, series, until)
        if not new:
            return
        known = flagged(snapshot, chosen, TimeRange(until - settings.history, until))
        own = [one for one in series if chosen.by or one.series_id in new]
        parts = [
            group
            for group in groups(own, chosen, settings.block_series)
            if any(one.series_id in new for one in group.series)
        ]
        self._models = _without(
            {group.subject for group in parts} - {None}, new, chosen, self._models
        )
        rate = self._rate(snapshot, chosen, until)
        for block in blocks(parts, settings.block_series):
            fitted = fit(
                snapshot, block, chosen, settings, until, known, rate,
                self.unfitted, self._pools[_key(chosen)],
            )  # fmt: skip
            if fitted:
                self._models.append((chosen, fitted))

    def _come_of_age(
        self, chosen: DetectorSettings, series: Sequence[SeriesInfo], until: datetime
    ) -> set[int]:
        """Series that have history enough for this detector and no model, or one of their youth."""
        key, settings = _key(chosen), self._settings
        latest = until + 2 * LONGEST_GAP
        born_before = latest - least_history(chosen, settings)
        of_age = {
            one.series_id for one in series if one.first_seen and one.first_seen <= born_before
        }
        new = (of_age - self._known[key]) | self._young[key]
        grown_before = latest - settings.least_history
        self._young[key] = {
            one.series_id
            for one in series
            if one.series_id in of_age and one.first_seen and one.first_seen > grown_before
        }
        self._known[key] |= new
        return new

    def _rate(self, snapshot: Snapshot, chosen: DetectorSettings, until: datetime) -> float:
        if not self._rates:
            rates = budget.rates(snapshot, self._settings, until)
            keys = map(_key, self._settings.detectors)
            self._rates = dict(zip(keys, rates, strict=True))
        return self._rates[_key(chosen)]

    def score(
        self,
        snapshot: Snapshot,
        between: TimeRange,
        final_before: datetime,
        failures: Failures,
    ) -> list[Row]:
        """What every detector finds in a range, as rows of `anomalies`.

        Args:
            snapshot: where the samples are.
            between: the range.
            final_before: an interval that ended before can grow no more.
            failures: told what could not be scored.
        """
        lake_version = snapshot.versions["samples"]
        screens = [second.screen() for second in self._second]
        sharing = Sharing(snapshot, between, self._settings, self._but_not, failures)
        rows: list[Row] = []
        for chosen in self._settings.detectors:
            name = anomaly_rows.label(chosen)
            own = [block for of, block in self._models if of == chosen]
            watching = [screen for screen in screens if screen.of == name]
            count = tested(group for block in own for group, _ in block)
            looked = [
                one
                for block in own
                for one in look(
                    snapshot, block, between, self._settings, name, count, failures, watching
                )
            ]
            found = told(looked, count, self._settings, sharing)
            rows += anomaly_rows.rows(found, chosen, lake_version, final_before)
        for second, screen in zip(self._second, screens, strict=True):
            found = second.find(snapshot, screen, between, failures, sharing)
            rows += anomaly_rows.rows(found, second.chosen, lake_version, final_before)
        return told_once(snapshot, rows, self._settings, between, between.end, final_before)


def _key(chosen: DetectorSettings) -> Key:
    return anomaly_rows.label(chosen), chosen.metrics


def _without(
    subjects: set[Subject | None],
    ids: set[int],
    chosen: DetectorSettings,
    models: list[Models],
) -> list[Models]:
    """The models but those of these subjects, or of these series where each is scored alone."""
    kept: list[Models] = []
    for of, block in models:
        if of == chosen:
            left = [(_others(group, ids), model) for group, model in block]
            block = [one for one in left if one[0].series and one[0].subject not in subjects]
        if block:
            kept.append((of, block))
    return kept


def _others(group: Group, ids: set[int]) -> Group:
    if group.subject is not None:
        return group
    left = [one for one in group.series if one.series_id not in ids]
    return group if len(left) == len(group.series) else Group(None, left, group.pooled)
