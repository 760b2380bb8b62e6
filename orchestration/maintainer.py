"""The resident maintainer: merges every few minutes, cleans every hour, in a thread of its own.

It yields to whoever receives and asks: one thread at a lower priority, one core for sorting, no
lock of a table but for the moment of a commit.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from lake import Clock, Lake, LakeError
from lake.errors import LeaseHeldError
from lake.maintenance import Cleaned, Merged
from orchestration.failures import Failure, note
from orchestration.maintenance_settings import MaintenanceSettings
from orchestration.rounds import ENDED, Rounds
from orchestration.steps.maintain import clean_lake, merge_lake

logger = logging.getLogger(__name__)


@dataclass
class MaintenanceStatistics:
    """What was done since start."""

    rounds: Counter[str] = field(default_factory=Counter)
    """By kind of round: `merge` or `clean`."""
    failures: Counter[str] = field(default_factory=Counter)
    """By table, `rollups`, or kind of round."""
    held: int = 0
    """Rounds left out, since another process was at it."""
    merges: Counter[str] = field(default_factory=Counter)
    rows_merged: Counter[str] = field(default_factory=Counter)
    rows_dropped: Counter[str] = field(default_factory=Counter)
    bytes_written: Counter[str] = field(default_factory=Counter)
    files_deleted: Counter[str] = field(default_factory=Counter)
    foreign_files: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    log_entries: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    last: dict[str, datetime] = field(default_factory=dict)
    errors: dict[str, Failure] = field(default_factory=dict)
    """By kind of round, or kind and table, what failed in the newest."""


class Maintainer:
    """Runs the rounds from `start` to `stop`; where the settings leave that to others, nothing.

    Args:
        lake: what to maintain.
        settings: when, and how.
        clock: the time.
    """

    def __init__(self, lake: Lake, settings: MaintenanceSettings, clock: Clock) -> None:
        self.statistics = MaintenanceStatistics()
        self._lake = lake
        self._settings = settings
        self._policy = settings.policy()
        self._clock = clock
        self._rounds = Rounds("maintain", self.run_if_due)
        started = clock()
        # Not at once: a start has enough to do.
        self._due = {"merge": started + settings.every, "clean": started + settings.every}

    def start(self) -> None:
        """Start the thread."""
        if self._settings.resident:
            self._rounds.start()

    def stop(self) -> None:
        """Break off the merge that is under way, and end."""
        self._rounds.stop()

    def run_if_due(self) -> None:
        """Run the rounds whose time has come."""
        for kind, run, every in (
            ("merge", self._merge, self._settings.every),
            ("clean", self._clean, self._settings.clean_every),
        ):
            if self._clock() >= self._due[kind] and not self._rounds.stopping:
                self._run(kind, run)
                self._due[kind] = self._clock() + every

    def problems(self) -> dict[str, Failure]:
        """What is wrong, by round and table: it failed the last time, or the thread has ended."""
        # A copy: the maintainer goes on meanwhile.
        errors = dict(self.statistics.errors)
        ended = {"maintenance": ENDED} if self._rounds.ended else {}
        return {f"maintenance {what}": why for what, why in errors.items()} | ended

    def _run(self, kind: str, run: Callable[[], None]) -> None:
        started = self._clock()
        try:
            run()
        except LeaseHeldError as error:
            self.statistics.held += 1
            logger.info("%s round left out", kind, extra={"reason": str(error)})
        except BaseException as error:  # noqa: BLE001 - see `_failed`
            self._failed(kind, error)
        else:
            self.statistics.errors.pop(kind, None)
        now = self._clock()
        self.statistics.rounds[kind] += 1
        self.statistics.last[kind] = now
        before = self.statistics.seconds.get(kind, 0.0)
        self.statistics.seconds[kind] = before + (now - started).total_seconds()

    def _merge(self) -> None:
        done = merge_lake(self._lake, self._policy, self._clock, lambda: self._rounds.stopping)
        self._note_merged(done)
        self._note_failures("merge", done.failures)

    def _clean(self) -> None:
        done = clean_lake(self._lake, self._policy, self._clock, lambda: self._rounds.stopping)
        self._note_cleaned(done)
        self._note_failures("clean", done.failures)

    def _note_merged(self, done: Merged) -> None:
        stats = self.statistics
        for name, one in done.tables.items():
            stats.merges[name] += one.merges
            stats.rows_merged[name] += one.rows
            stats.rows_dropped[name] += one.dropped
            stats.bytes_written[name] += one.bytes_out
            stats.files[name] = len(self._lake.tables[name].files()[1])

    def _note_cleaned(self, done: Cleaned) -> None:
        stats = self.statistics
        for name, vacuumed in done.vacuumed.items():
            stats.files_deleted[name] += len(vacuumed.expired) + len(vacuumed.orphans)
            stats.foreign_files[name] = len(vacuumed.foreign)
        for name, log in done.logs.items():
            stats.log_entries[name] = log.entries

    def _note_failures(self, kind: str, failures: dict[str, LakeError]) -> None:
        for name, error in failures.items():
            self._failed(f"{kind}/{name}", error)
        well = {what for what in self.statistics.errors if what.startswith(f"{kind}/")}
        for what in well - {f"{kind}/{name}" for name in failures}:
            del self.statistics.errors[what]

    def _failed(self, what: str, error: BaseException) -> None:
        """Note a failure. The loop outlives any, also a panic of native code (no `Exception`)."""
        self.statistics.failures[what] += 1
        note(self.statistics.errors, what, Failure.of(error, self._clock()))
        logger.error("maintenance failed: %s", what, exc_info=error)
