"""Fits and scores a costly detector for the candidates that a cheap one has found."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps import anomaly_rows, budget
from orchestration.steps.candidates import Screen
from orchestration.steps.discoveries import told
from orchestration.steps.groups import Group, blocks, groups
from orchestration.steps.isolation import Failures
from orchestration.steps.model import Fitted
from orchestration.steps.models import fit
from orchestration.steps.panels import SeriesInfo
from orchestration.steps.scoring import look
from orchestration.steps.siblings.shared import Sharing
from orchestration.steps.training import flagged


def second_looks(settings: DetectionSettings) -> "list[SecondLook]":
    """Those of the settings."""
    return [SecondLook(one, settings) for one in settings.detectors if one.candidates]


class SecondLook:
    """One costly detector; a series' model is fitted when it first becomes a candidate.

    It learns from the range that the cheap detector's model of the series learned from, so that
    it is the same whenever it is fitted.
    """

    def __init__(self, chosen: DetectorSettings, settings: DetectionSettings) -> None:
        self.chosen = chosen
        self._unfitted = Failures()
        self._settings = settings
        self._models: dict[int, Fitted] = {}
        self._fitted_at: dict[int, datetime] = {}
        self._rates: dict[datetime, float] = {}

    def screen(self) -> Screen:
        """A new one, for one range."""
        assert self.chosen.candidates is not None  # noqa: S101 - see `second_looks`
        return Screen(self.chosen.candidates)

    def find(
        self,
        snapshot: Snapshot,
        screen: Screen,
        between: TimeRange,
        failures: Failures,
        sharing: Sharing,
    ) -> Iterator[anomaly_rows.Found]:
        """The intervals of the candidates in a range.

        Args:
            snapshot: where the samples are.
            screen: has noted the range.
            between: the range.
            failures: told what could not be scored.
            sharing: knows the siblings.
        """
        self._fit_new(snapshot, screen)
        # What other candidates were fitted with is scored only where it is one itself.
        own: dict[int, tuple[list[SeriesInfo], Fitted]] = {}
        for one, candidate in screen.candidates.items():
            fitted = self._models.get(one)
            if fitted is not None:
                own.setdefault(id(fitted[1]), ([], fitted))[0].append(candidate.series)
        parts = [(Group(None, series), model) for series, (_, model) in own.values()]
        name = anomaly_rows.label(self.chosen)
        failures.merge(self._unfitted)
        looked = look(snapshot, parts, between, self._settings, name, {}, failures, only=screen)
        yield from told(list(looked), None, self._settings, sharing)

    def _fit_new(self, snapshot: Snapshot, screen: Screen) -> None:
        settings = self._settings
        new: dict[datetime, list[SeriesInfo]] = defaultdict(list)
        for one, candidate in screen.candidates.items():
            if self._fitted_at.get(one) != candidate.fitted_at:
                new[candidate.fitted_at].append(candidate.series)
                self._fitted_at[one] = candidate.fitted_at
                self._models.pop(one, None)
        for until, series in new.items():
            # As if everything were scored: see `candidates`.
            rate = self._rate(snapshot, until)
            known = flagged(snapshot, self.chosen, TimeRange(until - settings.history, until))
            for block in blocks(
                groups(series, self.chosen, settings.block_series), settings.block_series
            ):
                for group, model in fit(
                    snapshot, block, self.chosen, settings, until, known, rate,
                    self._unfitted,
                ):  # fmt: skip
                    self._models |= {each.series_id: (group, model) for each in group.series}

    def _rate(self, snapshot: Snapshot, until: datetime) -> float:
        if until not in self._rates:
            rates = budget.rates(snapshot, self._settings, until)
            self._rates[until] = rates[self._settings.detectors.index(self.chosen)]
        return self._rates[until]
