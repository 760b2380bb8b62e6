"""Forecasts of resources with a limit: an asset of no partition, and a check on its intervals."""

import dagster as dg

from lake import utc_now
from orchestration.defs.resources import LakeParam
from orchestration.steps.forecast.coverage import STATED, Verdict, judge
from orchestration.steps.forecast.make import due_at, make_forecasts

TOLERANCE = 0.1
"""How far off the stated share may be; of twenty passages one share in six is further off."""

CRON = "2,17,32,47 * * * *"
CHECK_CRON = "47 * * * *"


@dg.asset(
    deps=["metrics"],
    group_name="forecasts",
    kinds={"deltalake"},
    description="When resources with a limit reach it, of now; repeatable.",
)
def forecasts(lake: LakeParam) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of the newest time that is due: what another process made of it is not made twice."""
    settings = lake.settings.forecasts
    done = make_forecasts(lake.open(), settings, due_at(utc_now(), settings))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": done.written,
            "made_at": done.made_at.isoformat(),
            "resources": done.resources,
            "passing": done.passing,
            "abstained": done.abstained,
        }
    )


@dg.asset_check(
    asset=forecasts,
    description=f"Stated {STATED:.0%} intervals held what came true in the last week.",
)
def intervals_hold(lake: LakeParam) -> dg.AssetCheckResult:
    """Passes too where too few passages came to tell: the metadata say so."""
    verdicts = judge(lake.open().snapshot(), lake.settings.forecasts, utc_now())
    whole = sum(verdicts.values(), Verdict())
    held = whole.coverage
    return dg.AssetCheckResult(
        passed=held is None or abs(held - STATED) <= TOLERANCE,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "coverage": "too few passages came to tell" if held is None else round(held, 3),
            "forecasts": whole.told,
            "came": whole.came,
            "held": whole.held,
            "by_resource": {
                name: f"{one.held} of {one.came}" for name, one in sorted(verdicts.items())
            },
        },
    )


ASSETS = [forecasts]
CHECKS = [intervals_hold]

_MAKE = dg.define_asset_job("forecast", selection=dg.AssetSelection.assets(forecasts))
_CHECK = dg.define_asset_job("check_forecasts", selection=dg.AssetSelection.checks(*CHECKS))
JOBS = [_MAKE, _CHECK]


def schedules(*, resident: bool) -> list[dg.ScheduleDefinition]:
    """Of both jobs; where the server makes the forecasts, only the check runs by itself."""
    running, stopped = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
    return [
        dg.ScheduleDefinition(
            name="make_forecasts",
            job=_MAKE,
            cron_schedule=CRON,
            default_status=stopped if resident else running,
        ),
        dg.ScheduleDefinition(
            name="check_intervals", job=_CHECK, cron_schedule=CHECK_CRON, default_status=running
        ),
    ]
