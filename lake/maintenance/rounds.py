"""The two rounds of maintenance over a whole lake: a quick one every few minutes, a slow one.

A table that fails does not keep the others from their turn; what went wrong is in the report.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from lake.errors import LakeError
from lake.maintenance.compaction import Compacted, compact
from lake.maintenance.log import LogState, tidy
from lake.maintenance.policy import Keep, Policy
from lake.maintenance.retention import Dropped, retain
from lake.maintenance.series_retention import retain_series
from lake.maintenance.tables import Tables
from lake.maintenance.vacuum import Vacuum, vacuum
from lake.rollups import RollupReport, roll_up


def never() -> bool:
    """Nobody asks to stop."""
    return False


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


def merge_round(
    lake: Tables, policy: Policy, now: datetime, *, stopping: Callable[[], bool] = never
) -> Merged:
    """Bring the rollups up to date, then merge files.

    Args:
        lake: the lake.
        policy: sizes.
        now: the time.
        stopping: asked between merges.
    """
    done = Merged()
    try:
        done.rollup = roll_up(lake, now, stopping=stopping)
    except LakeError as error:
        done.failures["rollups"] = error
    compact_tables(lake, policy, now, done, stopping=stopping)
    return done


def compact_tables(
    lake: Tables,
    policy: Policy,
    now: datetime,
    done: Merged,
    *,
    stopping: Callable[[], bool] = never,
) -> None:
    """Merge the files of each table until its plan is empty, and note in `done` what happened."""
    for name, table in lake.tables.items():
        if stopping():
            break
        try:
            merged = compact(table, policy.compaction, now, stopping=stopping)
        except LakeError as error:
            done.failures[name] = error
            continue
        done.tables[name] = merged
        if merged.damaged:
            done.failures[name] = merged.damaged[0]


def clean_round(
    lake: Tables, policy: Policy, now: datetime, *, stopping: Callable[[], bool] = never
) -> Cleaned:
    """Take out what is too old, delete what nobody needs, tidy the logs, table after table.

    Args:
        lake: the lake.
        policy: how long what is kept.
        now: the time.
        stopping: asked between tables.
    """
    done = Cleaned()
    for name, table in lake.tables.items():
        if stopping():
            break
        try:
            if table.spec.day_of is not None:
                keep = policy.keep.get(name, Keep())
                done.dropped[name] = retain(table, keep, now, policy.compaction)
            elif name == "series":
                done.dropped[name] = retain_series(table, policy, now)
            done.vacuumed[name] = vacuum(table, policy.grace, now)
            done.logs[name] = tidy(table, policy)
        except LakeError as error:
            done.failures[name] = error
    return done
