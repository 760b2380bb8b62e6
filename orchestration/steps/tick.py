"""Detection of what is fresh, minute by minute, for the resident worker.

An interval keeps its id and start while it grows, is `interim` while it may, and `final` after.
How far was scored is kept in the lake: after a restart the ticker goes on from there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from lake import CommitKey, Lake, TimeRange
from lake.snapshot import Snapshot
from lake.timerange import EPOCH
from orchestration.detection_settings import DetectionSettings
from orchestration.steps import anomaly_rows, champions
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.carry_on import carry_on
from orchestration.steps.finders import finders
from orchestration.steps.isolation import Failures, found_by
from orchestration.steps.lawful import require_lawful
from orchestration.steps.look import Listening, Look
from orchestration.steps.models import Detected, warming_up
from orchestration.steps.panels import align
from orchestration.steps.roster import Roster

STREAM = "ticker"
SECOND = timedelta(seconds=1)

REMEMBER_EVERY = timedelta(minutes=15)
"""How far was scored goes with the rows; without rows it is a commit of its own, so only now and
then. What is scored again after a restart changes nothing."""

LONGEST_STEP = timedelta(hours=1)
"""Of what was missed, so much at a time: the worker flushes and reports between two steps."""

NEW_EVERY = timedelta(minutes=15)
"""Between two looks for series that have come of age since the last fit."""


class Ticker:
    """Scores what is fresh, minute by minute; models live as long as the process.

    Args:
        lake: where samples are and anomalies go.
        settings: what to score and how.
        but_not: clusters that are pulled, and so scored by the schedule.

    Raises:
        DetectorsError, SettingsError: a detector of the settings cannot be used, or breaks a law;
            see `require_lawful`.
    """

    def __init__(
        self, lake: Lake, settings: DetectionSettings, but_not: Sequence[str] = ()
    ) -> None:
        for chosen in settings.detectors:
            require_lawful(chosen)
        self.lake = lake
        self._given = self.settings = settings
        self._but_not = tuple(but_not)
        self._finders = finders(settings)
        self._roster = Roster(settings, self._but_not)
        self._failed = Failures()
        self._fitted_at: datetime | None = None
        self._looked_for_new_at: datetime | None = None
        self._scored_to = self._remembered()
        self._looked_to: datetime | None = None
        self._open_since: datetime | None = None
        self._listening: Listening | None = None

    def due(self, now: datetime) -> bool:
        """Whether a column has closed that no tick has looked at."""
        return self._looked_to is None or self._closed(now) > self._looked_to

    def _closed(self, now: datetime) -> datetime:
        return align(now - self.settings.delay, self.settings.step)

    def _remembered(self) -> datetime | None:
        seconds = self.lake.anomalies.committed_position(STREAM)
        return None if seconds is None else align(EPOCH + seconds * SECOND, self.settings.step)

    def tick(self, now: datetime) -> Detected:
        """Score every column that has closed since the last tick.

        After a pause, at most `history` back and `LONGEST_STEP` at a time: `due` stays true until
        all is scored.
        """
        if not self.due(now):
            return Detected(None, 0, 0, "no column has closed since the last tick")
        end = closed = self._closed(now)
        if self._listening is None:
            self._listening = Listening(closed, self._scored_to)
        if self._scored_to is not None:
            # A clock that was ahead once may have left a time to come.
            since = min(max(self._scored_to, closed - self.settings.history), closed)
            end = min(closed, since + max(LONGEST_STEP, self.settings.step))
            self._scored_to = since
        done = self._tick(end)
        self._looked_to = end if done.reason is None else closed
        return done

    def _tick(self, end: datetime) -> Detected:
        settings = self.settings
        # Far enough back for an interval to become long enough, or to end, in several ticks.
        reach = (settings.min_length + settings.merge_gap) * settings.step
        start = (self._scored_to or end) - reach
        between = TimeRange(start, end)
        snapshot = self.lake.snapshot()
        reason = warming_up(snapshot, settings, between)
        if reason is not None:
            return Detected(None, 0, 0, reason)
        if self._fitted_at is None or end - self._fitted_at >= settings.refit_every:
            settings = self.settings = champions.applied(snapshot, self._given)
            self._roster, self._fitted_at = Roster(settings, self._but_not), None
            self._fit_new(snapshot, start, end)
            self._fitted_at = end
        elif self._looked_for_new_at is None or end - self._looked_for_new_at >= NEW_EVERY:
            self._fit_new(snapshot, start, end)
        lake_version = snapshot.versions["samples"]
        final_before = end - settings.merge_gap * settings.step
        failed = Failures()
        rows = self._roster.score(snapshot, between, final_before, failed)
        look = Look(
            snapshot,
            between,
            settings,
            final_before,
            but_not=self._but_not,
            listening=self._listening,
        )
        for finder in self._finders:
            rows += found_by(finder, look, failed)
        carried = carry_on(snapshot, rows, between, lake_version, settings, self._open_since)
        self._write(carried.rows, end)
        self._scored_to = end
        self._open_since = carried.open_since or start
        failed.merge(self._roster.unfitted)
        failed.log(but_not=self._failed)
        self._failed = failed
        scored = len(self._roster.series)
        return Detected(between, scored, len(rows), None, failed.counts, failed.first)

    def _write(self, rows: list[Row], end: datetime) -> None:
        committed = self.lake.anomalies.committed_position(STREAM)
        position = (end - EPOCH) // SECOND
        key = None
        # A key that is not after the last would make the append do nothing.
        if committed is None or position > committed:
            recent = committed is not None and (position - committed) * SECOND < REMEMBER_EVERY
            if not rows and recent:
                return
            key = CommitKey(STREAM, position)
        self.lake.anomalies.append(anomaly_rows.table(rows), key)

    def _fit_new(self, snapshot: Snapshot, until: datetime, now: datetime) -> None:
        self._roster.fit_new(snapshot, until)
        self._looked_for_new_at = now
