"""The two rounds of maintenance over a whole lake: a quick one every few minutes, a slow one.

A table that fails does not keep the others from their turn; what went wrong is in the report.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from lake.errors import LakeError, LeaseHeldError
from lake.maintenance import retention
from lake.maintenance.compaction import Compacted, compact
from lake.maintenance.log import LogState, state, tidy
from lake.maintenance.policy import Keep, Policy
from lake.maintenance.retention import Drop, Dropped, retain
from lake.maintenance.series_retention import GoneSeries, gone_series, retain_series
from lake.maintenance.tables import Tables
from lake.maintenance.vacuum import Vacuum, look, vacuum
from lake.rollups import RollupReport, roll_up

ToldOf = Callable[[str, int, int], None]
"""Called with what is worked at, how much of it is done, and of how much; may raise."""


def never() -> bool:
    """Nobody asks to stop."""
    return False


def unheard(_what: str, _done: int, _whole: int) -> None:
    """Nobody wants to know how far it is."""


@dataclass
class Merged:
    """What the quick round did, by table.

    Attributes:
        rollup: None where it failed.
        tables: what was merged.
        failures: by table, or "rollups", what went wrong.
    """

    rollup: RollupReport | None = None
    tables: dict[str, Compacted] = field(default_factory=dict)
    failures: dict[str, LakeError] = field(default_factory=dict)


@dataclass
class Cleaned:
    """What the slow round did, by table."""

    dropped: dict[str, Dropped] = field(default_factory=dict)
    vacuumed: dict[str, Vacuum] = field(default_factory=dict)
    logs: dict[str, LogState] = field(default_factory=dict)
    failures: dict[str, LakeError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What the slow round would do with a table.

    Attributes:
        drops: files of days past their time; those not `whole` may turn out to hold no such row.
        series: that nothing names any more.
        vacuum: files to delete.
        log: as it lies there.
    """

    drops: tuple[Drop, ...]
    series: GoneSeries | None
    vacuum: Vacuum
    log: LogState


def merge_round(
    lake: Tables,
    policy: Policy,
    now: datetime,
    *,
    stopping: Callable[[], bool] = never,
    told: ToldOf = unheard,
) -> Merged:
    """Bring the rollups up to date, then merge files.

    Args:
        lake: the lake.
        policy: sizes.
        now: the time.
        stopping: asked between merges, and while one is written.
        told: called with the table, and rows merged.
    """
    done = Merged()
    try:
        done.rollup = roll_up(lake, now, stopping=stopping)
    except LeaseHeldError:
        raise
    except LakeError as error:
        done.failures["rollups"] = error
    compact_tables(lake, policy, now, done, stopping=stopping, told=told)
    return done


def compact_tables(
    lake: Tables,
    policy: Policy,
    now: datetime,
    done: Merged,
    *,
    stopping: Callable[[], bool] = never,
    told: ToldOf = unheard,
) -> None:
    """Merge the files of each table until its plan is empty, and note in `done` what happened."""
    for name, table in lake.tables.items():
        if stopping():
            break
        try:
            merged = compact(
                table, policy.compaction, now, stopping=stopping, told=partial(told, name)
            )
        except LeaseHeldError:
            raise
        except LakeError as error:
            done.failures[name] = error
            continue
        done.tables[name] = merged
        if merged.damaged:
            done.failures[name] = merged.damaged[0]


def clean_round(
    lake: Tables,
    policy: Policy,
    now: datetime,
    *,
    stopping: Callable[[], bool] = never,
    told: ToldOf = unheard,
) -> Cleaned:
    """Take out what is too old, delete what nobody needs, tidy the logs, table after table.

    Args:
        lake: the lake.
        policy: how long what is kept.
        now: the time.
        stopping: asked between tables.
        told: called with a table and what is done to it, and files or rows that are done.
    """
    done = Cleaned()
    for name, table in lake.tables.items():
        if stopping():
            break
        dropping = partial(told, f"{name}: drop")
        try:
            if table.spec.day_of is not None:
                keep = policy.keep.get(name, Keep())
                done.dropped[name] = retain(table, keep, now, policy.compaction, dropping)
            elif name == "series":
                done.dropped[name] = retain_series(table, policy, now, dropping)
            done.vacuumed[name] = vacuum(table, policy.grace, now, partial(told, f"{name}: delete"))
            done.logs[name] = tidy(table, policy)
        except LeaseHeldError:
            raise
        except LakeError as error:
            done.failures[name] = error
    return done


def clean_plan(lake: Tables, policy: Policy, now: datetime) -> dict[str, Cleaning]:
    """What `clean_round` would do now, by table; nothing is changed.

    Raises:
        LakeError: a table cannot be read.
    """
    found = {}
    for name, table in lake.tables.items():
        _, files = table.files()
        drops = retention.plan(files, policy.keep.get(name, Keep()), now.date())
        series = gone_series(table, policy, now) if name == "series" else None
        planned = look(table, policy.grace, now)
        found[name] = Cleaning(tuple(drops), series, planned, state(table))
    return found
