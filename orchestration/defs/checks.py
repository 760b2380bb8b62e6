"""Is the data fresh, and is it whole?"""

from datetime import timedelta

import dagster as dg

from lake import utc_now
from orchestration.defs.resources import LakeResource
from orchestration.steps import browse
from orchestration.steps.inventory import gaps

LATE = timedelta(minutes=15)
LONGEST_GAP = timedelta(minutes=10)
"""Twice Prometheus' look-back: shorter ones no query shows."""

SHOWN = 50


@dg.asset_check(asset="metrics", description=f"Every cluster reported within {LATE}.")
def metrics_fresh(lake: LakeResource) -> dg.AssetCheckResult:
    """Fails with the clusters that are late."""
    rows = browse.clusters(lake.open(), utc_now())
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


@dg.asset_check(asset="metrics", description=f"No cluster was silent for over {LONGEST_GAP} today.")
def metrics_whole(lake: LakeResource) -> dg.AssetCheckResult:
    """Fails with the gaps of yesterday and today."""
    opened, now = lake.open(), utc_now()
    found = [
        gap
        for day in (now.date() - timedelta(days=1), now.date())
        for gap in gaps(opened, day, now, LONGEST_GAP)
    ]
    shown = [
        f"{gap.cluster}: {gap.start.isoformat()} to {gap.end.isoformat()}" for gap in found[:SHOWN]
    ]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"gaps": len(found), "first": shown},
    )
