"""Detection of what is fresh, minute by minute, for the resident worker.

An interval keeps its id and start while it grows, is `interim` while it may, and `final` after.
"""

from collections.abc import Sequence
from datetime import datetime

from lake import Lake, TimeRange
from orchestration.settings import DetectionSettings, DetectorSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.models import (
    Detected,
    Group,
    Model,
    fit,
    groups,
    score,
    unfitted,
    warming_up,
)
from orchestration.steps.panels import align, choose_series


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
        reason = warming_up(self.lake, settings, between)
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
