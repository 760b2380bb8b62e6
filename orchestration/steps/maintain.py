"""Maintenance of the lake as steps: rolled up, merged, cleaned; and whether it keeps up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from lake import Clock, Lake, LakeError
from lake.files import TableFile
from lake.maintenance import (
    Cleaned,
    Deleted,
    LogState,
    Merged,
    Policy,
    clean_round,
    delete_cluster,
    lease,
    merge_round,
    most_files,
    state,
    take_out,
)
from lake.maintenance.levels import by_day
from lake.maintenance.rounds import ToldOf, compact_tables, never, unheard
from lake.rollups import RollupReport, roll_up, rolled_up_to
from orchestration.errors import MaintenanceError

COMMITS_A_DAY = 8640
"""One each ten seconds: what the bound on a day's files is worked out for."""


def roll_up_lake(lake: Lake, clock: Clock) -> RollupReport:
    """Bring the rollups up to date.

    Raises:
        LeaseHeldError: another process maintains the lake.
    """
    with lease(lake, clock) as renew:
        return roll_up(lake, clock(), stopping=_renewing(renew, never))


def compact_lake(lake: Lake, policy: Policy, clock: Clock, told: ToldOf = unheard) -> Merged:
    """Merge files of every table, telling the rows that are merged; failures are in the report.

    Raises:
        LeaseHeldError: another process maintains the lake.
    """
    done = Merged()
    with lease(lake, clock) as renew:
        stopping, told = _renewing(renew, never), _telling(renew, told)
        compact_tables(lake, policy, clock(), done, stopping=stopping, told=told)
    return done


def merge_lake(
    lake: Lake, policy: Policy, clock: Clock, stopping: Callable[[], bool] = never
) -> Merged:
    """Bring the rollups up to date, then merge files; failures are in the report.

    Raises:
        LeaseHeldError: another process maintains the lake.
    """
    with lease(lake, clock) as renew:
        stopping, told = _renewing(renew, stopping), _telling(renew, unheard)
        return merge_round(lake, policy, clock(), stopping=stopping, told=told)


def clean_lake(
    lake: Lake,
    policy: Policy,
    clock: Clock,
    stopping: Callable[[], bool] = never,
    told: ToldOf = unheard,
) -> Cleaned:
    """Drop what is too old, delete files nobody needs, tidy the logs; failures are in the report.

    Raises:
        LeaseHeldError: another process maintains the lake.
    """
    with lease(lake, clock) as renew:
        stopping, told = _renewing(renew, stopping), _telling(renew, told)
        return clean_round(lake, policy, clock(), stopping=stopping, told=told)


def delete_from_lake(
    lake: Lake, cluster: str, policy: Policy, clock: Clock, told: ToldOf = unheard
) -> Deleted:
    """Delete a cluster's rows from every table; see `lake.maintenance.delete_cluster`.

    Raises:
        LeaseHeldError: another process maintains the lake.
    """
    with lease(lake, clock) as renew:
        return delete_cluster(lake, cluster, policy, clock(), _telling(renew, told))


def take_out_of_lake(lake: Lake, path: str, clock: Clock) -> TableFile:
    """Give up a file that cannot be read; see `lake.maintenance.take_out`.

    Raises:
        LeaseHeldError: another process maintains the lake.
        FileUnknownError: no table names the file.
    """
    with lease(lake, clock):
        return take_out(lake, path)


def _renewing(renew: Callable[[], None], stopping: Callable[[], bool]) -> Callable[[], bool]:
    def asked() -> bool:
        renew()
        return stopping()

    return asked


def _telling(renew: Callable[[], None], told: ToldOf) -> ToldOf:
    """A merge may take longer than a lease: it is renewed by what tells how far it is."""

    def tell(what: str, done: int, whole: int) -> None:
        renew()
        told(what, done, whole)

    return tell


def raise_failures(failures: Mapping[str, LakeError]) -> None:
    """Fail as a whole where some table did.

    Raises:
        MaintenanceError: some did; the others are done.
    """
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
