"""All definitions, from settings."""

from datetime import timedelta

import dagster as dg

from orchestration.defs import advice, forecasts, maintenance
from orchestration.defs.assets import build_assets
from orchestration.defs.checks import metrics_fresh, metrics_whole
from orchestration.defs.resources import LakeResource
from orchestration.settings import Settings

PULL_CRON = "7,22,37,52 * * * *"
DAILY_CRON = "23 0 * * *"
CHECK_CRON = "41 * * * *"
"""Off the full hour, where everybody's schedules are."""

NOTHING_PULLED = "no source is configured: nothing is pulled"


def build(settings: Settings) -> dg.Definitions:
    """Assets, checks, jobs and schedules.

    The schedules score only clusters that are pulled: fresh data of the others is the resident
    worker's. A backfill by hand scores all. The checks look at all clusters, and run by default.
    """
    pulled = sorted(source.cluster for source in settings.sources)
    pull = dg.define_asset_job("pull", selection=["metrics"])
    daily = dg.define_asset_job("daily", selection=["metrics", "events", "anomalies", "incidents"])
    checks = dg.AssetSelection.checks(metrics_fresh, metrics_whole)
    check = dg.define_asset_job("check", selection=checks)
    status = dg.DefaultScheduleStatus.RUNNING if pulled else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(job=pull, cron_schedule=PULL_CRON, default_status=status)
    def pull_today(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not pulled:
            return dg.SkipReason(NOTHING_PULLED)
        day = context.scheduled_execution_time.date().isoformat()
        return dg.RunRequest(partition_key=day)

    @dg.schedule(job=daily, cron_schedule=DAILY_CRON, default_status=status)
    def daily_yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not pulled:
            # An empty list of clusters means all, and all are the worker's.
            return dg.SkipReason(NOTHING_PULLED)
        day = (context.scheduled_execution_time - timedelta(days=1)).date().isoformat()
        config = {"ops": {"anomalies": {"config": {"clusters": pulled}}}}
        return dg.RunRequest(partition_key=day, run_config=config)

    check_metrics = dg.ScheduleDefinition(
        name="check_metrics",
        job=check,
        cron_schedule=CHECK_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(
        assets=[
            *build_assets(settings.first_day),
            *maintenance.ASSETS,
            *forecasts.ASSETS,
            *advice.ASSETS,
        ],
        asset_checks=[metrics_fresh, metrics_whole, *maintenance.CHECKS, *forecasts.CHECKS],
        jobs=[pull, daily, check, *maintenance.JOBS, *forecasts.JOBS, *advice.JOBS],
        schedules=[
            pull_today,
            daily_yesterday,
            check_metrics,
            *maintenance.schedules(resident=settings.maintenance.resident),
            *forecasts.schedules(resident=settings.forecasts.resident),
            *advice.schedules(resident=settings.advice.resident),
        ],
        resources={"lake": LakeResource(settings)},
        # One process a run: launching more costs seconds each, and the work is in native threads.
        executor=dg.in_process_executor,
    )
