"""Rollups, merged files, a cleaned lake: assets of no partition, and checks that they keep up."""

from datetime import timedelta

import dagster as dg

from lake import utc_now
from lake.errors import LeaseHeldError
from orchestration.defs.resources import LakeParam
from orchestration.steps.maintain import (
    clean_lake,
    compact_lake,
    crowded_days,
    logs,
    raise_failures,
    roll_up_lake,
    rollups_behind,
)

SHOWN = 20

UNMERGED = 120
"""Files that may come between two rounds: each eight seconds for a quarter of an hour."""

LATE = timedelta(minutes=30)
"""Twice as long as Dagster's schedule leaves between two rounds."""

LONG_LOG = 50_000
"""Entries: those of more than five days of flushes, by when opening a table takes seconds."""


def _held(error: LeaseHeldError) -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(metadata={"left_out": str(error)})


@dg.asset(
    deps=["metrics"],
    group_name="maintenance",
    kinds={"deltalake"},
    description="Samples as buckets of five minutes and an hour, late ones included.",
)
def rollups(lake: LakeParam) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Left out where another process, such as the server, is at it."""
    try:
        done = roll_up_lake(lake.open(), utc_now)
    except LeaseHeldError as error:
        return _held(error)
    return dg.MaterializeResult(metadata={"samples_version": done.version})


@dg.asset(
    deps=[rollups, "events", "anomalies"],
    group_name="maintenance",
    kinds={"deltalake"},
    description="Each day's files merged into few sorted ones, each row once.",
)
def compacted(lake: LakeParam) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Left out where another process, such as the server, is at it."""
    try:
        done = compact_lake(lake.open(), lake.settings.maintenance.policy(), utc_now)
    except LeaseHeldError as error:
        return _held(error)
    raise_failures(done.failures)
    return dg.MaterializeResult(
        metadata={
            "merges": {name: one.merges for name, one in done.tables.items()},
            "duplicates": sum(one.dropped for one in done.tables.values()),
        }
    )


@dg.asset(
    deps=[compacted],
    group_name="maintenance",
    kinds={"deltalake"},
    description="Rows past their time dropped, files nobody needs deleted, logs tidied.",
)
def cleaned(lake: LakeParam) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Left out where another process, such as the server, is at it."""
    try:
        done = clean_lake(lake.open(), lake.settings.maintenance.policy(), utc_now)
    except LeaseHeldError as error:
        return _held(error)
    raise_failures(done.failures)
    return dg.MaterializeResult(
        metadata={
            "rows_dropped": sum(one.rows for one in done.dropped.values()),
            "bytes_deleted": sum(one.bytes for one in done.vacuumed.values()),
            "foreign_files": [
                file.path for one in done.vacuumed.values() for file in one.foreign[:SHOWN]
            ],
        }
    )


@dg.asset_check(asset=compacted, description="No day has more files than merging leaves.")
def few_files(lake: LakeParam) -> dg.AssetCheckResult:
    """Fails with the days that have more."""
    found = crowded_days(lake.open(), lake.settings.maintenance.policy(), UNMERGED)
    shown = [f"{one.table} {one.day}: {one.files} files, at most {one.most}" for one in found]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"days": len(found), "first": shown[:SHOWN]},
    )


@dg.asset_check(asset=rollups, description=f"The rollups lack nothing older than {LATE}.")
def rollups_current(lake: LakeParam) -> dg.AssetCheckResult:
    """Fails where roll-up has not run, or keeps failing."""
    behind = rollups_behind(lake.open(), utc_now())
    return dg.AssetCheckResult(
        passed=behind <= LATE,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"seconds_behind": round(behind.total_seconds())},
    )


@dg.asset_check(asset=cleaned, description=f"No table's log has over {LONG_LOG} entries.")
def short_logs(lake: LakeParam) -> dg.AssetCheckResult:
    """Fails with the tables whose log is long."""
    found = {name: one.entries for name, one in logs(lake.open()).items()}
    long = {name: entries for name, entries in found.items() if entries > LONG_LOG}
    return dg.AssetCheckResult(
        passed=not long,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"entries": found, "long": long},
    )


ASSETS = [rollups, compacted, cleaned]
CHECKS = [few_files, rollups_current, short_logs]

MERGE_CRON = "3,18,33,48 * * * *"
CLEAN_CRON = "53 * * * *"
CHECK_CRON = "44 * * * *"

_MERGE = dg.define_asset_job("merge", selection=dg.AssetSelection.assets(rollups, compacted))
_CLEAN = dg.define_asset_job("clean", selection=dg.AssetSelection.assets(cleaned))
_CHECK = dg.define_asset_job("check_maintenance", selection=dg.AssetSelection.checks(*CHECKS))
JOBS = [_MERGE, _CLEAN, _CHECK]


def schedules(*, resident: bool) -> list[dg.ScheduleDefinition]:
    """Of the three jobs; where the server maintains the lake, only the checks run by themselves."""
    running, stopped = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
    rounds = stopped if resident else running
    return [
        dg.ScheduleDefinition(name=name, job=job, cron_schedule=cron, default_status=status)
        for name, job, cron, status in (
            ("merge_files", _MERGE, MERGE_CRON, rounds),
            ("clean_lake", _CLEAN, CLEAN_CRON, rounds),
            ("check_lake", _CHECK, CHECK_CRON, running),
        )
    ]
