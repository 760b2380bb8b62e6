"""All definitions, from settings."""

from datetime import timedelta

import dagster as dg

from orchestration.defs.assets import build_assets
from orchestration.defs.checks import metrics_fresh, metrics_whole
from orchestration.defs.resources import LakeResource
from orchestration.settings import Settings

PULL_CRON = "7,22,37,52 * * * *"
DAILY_CRON = "23 0 * * *"
"""Off the full hour, where everybody's schedules are."""


def build(settings: Settings) -> dg.Definitions:
    """Assets, checks, jobs and schedules.

    The schedules score only clusters that are pulled: fresh data of the others is the resident
    worker's. A backfill by hand scores all.
    """
    pulled = sorted(source.cluster for source in settings.sources)
    pull = dg.define_asset_job("pull", selection=["metrics"])
    daily = dg.define_asset_job("daily", selection=["metrics", "events", "anomalies"])
    status = dg.DefaultScheduleStatus.RUNNING if pulled else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(job=pull, cron_schedule=PULL_CRON, default_status=status)
    def pull_today(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = context.scheduled_execution_time.date().isoformat()
        return dg.RunRequest(partition_key=day)

    @dg.schedule(job=daily, cron_schedule=DAILY_CRON, default_status=status)
    def daily_yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = (context.scheduled_execution_time - timedelta(days=1)).date().isoformat()
        config = {"ops": {"anomalies": {"config": {"clusters": pulled}}}}
        return dg.RunRequest(partition_key=day, run_config=config)

    return dg.Definitions(
        assets=build_assets(settings.first_day),
        asset_checks=[metrics_fresh, metrics_whole],
        jobs=[pull, daily],
        schedules=[pull_today, daily_yesterday],
        resources={"lake": LakeResource(settings_json=settings.model_dump_json())},
        # One process a run: launching more costs seconds each, and the work is in native threads.
        executor=dg.in_process_executor,
    )
