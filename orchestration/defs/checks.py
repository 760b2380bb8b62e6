"""Is the data fresh, and is it whole?"""

from datetime import timedelta

import dagster as dg

from lake import TimeRange, utc_now
from orchestration.defs.resources import LakeParam
from orchestration.steps import browse
from orchestration.steps.inventory import gaps

LATE = timedelta(minutes=15)
LONGEST_GAP = timedelta(minutes=10)
"""Twice Prometheus' look-back: shorter ones no query shows."""

SHOWN = 50


RETIRED = timedelta(days=2)
"""A cluster that has been silent for so long is no longer expected."""


@dg.asset_check(
    asset="metrics",
    description=f"Every cluster seen in the last {RETIRED.days} days reported within {LATE}.",
)
def metrics_fresh(lake: LakeParam) -> dg.AssetCheckResult:
    """Fails with the clusters that are late, and where there is none at all."""
    rows = [
        row
        for row in browse.clusters(lake.open(), utc_now())
        if row["freshness_seconds"] <= RETIRED.total_seconds()
    ]
    late = {
        row["cluster"]: round(row["freshness_seconds"])
        for row in rows
        if row["freshness_seconds"] > LATE.total_seconds()
    }
    return dg.AssetCheckResult(
        passed=bool(rows) and not late,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"clusters": len(rows), "seconds_late": late},
    )


@dg.asset_check(
    asset="metrics",
    description=f"No cluster was silent for over {LONGEST_GAP} yesterday or today.",
)
def metrics_whole(lake: LakeParam) -> dg.AssetCheckResult:
    """Fails with the gaps of yesterday and today, those across midnight as one."""
    now = utc_now()
    yesterday = TimeRange.of_day(now.date() - timedelta(days=1)).start
    found = gaps(lake.open(), TimeRange(yesterday, now), LONGEST_GAP)
    shown = [
        f"{gap.cluster}: {gap.start.isoformat()} to {gap.end.isoformat()}" for gap in found[:SHOWN]
    ]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"gaps": len(found), "first": shown},
    )
