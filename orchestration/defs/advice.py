"""Advice: an asset of no partition, with a schedule for where no server makes it."""

import dagster as dg

from lake import utc_now
from orchestration.defs.resources import LakeParam
from orchestration.errors import AdviceError
from orchestration.steps.advice.make import due_at, make_advice

CRON = "12 * * * *"


@dg.asset(
    deps=["metrics"],
    group_name="advice",
    kinds={"deltalake"},
    description="What would save, or risk less, as of now; repeatable.",
)
def advice(lake: LakeParam) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of the newest time that is due; what is known already is not written again."""
    settings = lake.settings.advice
    done = make_advice(lake.open(), settings, due_at(utc_now(), settings))
    if done.failed:
        raise AdviceError(done.failed)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": done.written,
            "made_at": done.made_at.isoformat(),
            "given": dict(done.given),
            "abstained": done.abstained,
            "withdrawn": done.withdrawn,
        }
    )


ASSETS = [advice]

_MAKE = dg.define_asset_job("advise", selection=dg.AssetSelection.assets(advice))
JOBS = [_MAKE]


def schedules(*, resident: bool) -> list[dg.ScheduleDefinition]:
    """Of the job; it does not run by itself where the server makes the advice."""
    status = dg.DefaultScheduleStatus.STOPPED if resident else dg.DefaultScheduleStatus.RUNNING
    return [
        dg.ScheduleDefinition(
            name="make_advice", job=_MAKE, cron_schedule=CRON, default_status=status
        )
    ]
