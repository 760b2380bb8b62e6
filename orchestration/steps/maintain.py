"""Maintenance of the lake as steps: rolled up, merged, cleaned; and whether it keeps up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from lake import Clock, Lake, LakeError
from lake.maintenance import (
    Cleaned,
    LogState,
    Merged,
    Policy,
    clean_round,
    lease,
    merge_round,
    most_files,
    state,
)
from lake.maintenance.levels import by_day
from lake.maintenance.rounds import compact_tables, never
from lake.rollups import RollupReport, roll_up, rolled_up_to
from orchestration.errors import MaintenanceError

COMMITS_A_DAY = 8640
"""One each ten seconds: what the bound on a day's files is worked out for."""


def roll_up_lake(lake: Lake, clock: Clock) -> RollupReport:
    """Bring the rollups up to date.

    Raises:
        LeaseHeldError: another process maintains the lake.
    """
    with lease(lake, clock):
        return roll_up(lake, clock())


def compact_lake(lake: Lake, policy: Policy, clock: Clock) -> Merged:
    """Merge files of every table.

    Raises:
        LeaseHeldError: another process maintains the lake.
        MaintenanceError: some table failed; the others are done.
    """
    done = Merged()
    with lease(lake, clock):
        compact_tables(lake, policy, clock(), done)
    _raise(done.failures)
    return done


def merge_lake(
    lake: Lake, policy: Policy, clock: Clock, stopping: Callable[[], bool] = never
) -> Merged:
    """Bring the rollups up to date, then merge files; failures are in the report.

    Raises:
        LeaseHeldError: another process maintains the lake.
    """
    with lease(lake, clock) as renew:
        return merge_round(lake, policy, clock(), stopping=_renewing(renew, stopping))


def clean_lake(
    lake: Lake, policy: Policy, clock: Clock, stopping: Callable[[], bool] = never
) -> Cleaned:
    """Drop what is too old, delete files nobody needs, tidy the logs; failures are in the report.

    Raises:
        LeaseHeldError: another process maintains the lake.
    """
    with lease(lake, clock) as renew:
        return clean_round(lake, policy, clock(), stopping=_renewing(renew, stopping))


def _renewing(renew: Callable[[], None], stopping: Callable[[], bool]) -> Callable[[], bool]:
    def asked() -> bool:
        renew()
        return stopping()

    return asked


def _raise(failures: Mapping[str, LakeError]) -> None:
    if failures:
        raise MaintenanceError({name: str(error) for name, error in failures.items()})


@dataclass(frozen=True, slots=True)
class CrowdedDay:
    """A day with more files than merging should leave."""

    table: str
    day: date | None
    files: int
    most: int


def crowded_days(lake: Lake, policy: Policy, unmerged: int) -> list[CrowdedDay]:
    """Days whose files are more than the plan's bound, and the commits between two rounds.

    Args:
        lake: the lake.
        policy: its sizes.
        unmerged: files that may have come since the last round.
    """
    found = []
    for name, table in lake.tables.items():
        for day, files in by_day(table.files()[1]).items():
            size = sum(file.size for file in files)
            most = most_files(COMMITS_A_DAY, size, policy.compaction) + unmerged
            if len(files) > most:
                found.append(CrowdedDay(name, day, len(files), most))
    return found


def rollups_behind(lake: Lake, now: datetime) -> timedelta:
    """How old the oldest commit to `samples` is that the rollups lack; zero = they lack none."""
    done = rolled_up_to(lake)
    known = 0
    if done is not None:
        if done == lake.samples.version():
            return timedelta(0)
        known = max((file.modified_ms for file in lake.samples.files(done)[1]), default=0)
    newer = [file.modified_ms for file in lake.samples.files()[1] if file.modified_ms > known]
    if not newer:
        return timedelta(0)
    return now - datetime.fromtimestamp(min(newer) / 1000, UTC)


def logs(lake: Lake) -> dict[str, LogState]:
    """The log of every table."""
    return {name: state(table) for name, table in lake.tables.items()}
