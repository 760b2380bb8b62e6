"""What fills next, as sentences: made now and read back."""

from collections.abc import Sequence
from datetime import datetime

from lake import Lake
from orchestration.forecast_settings import SLOT, ForecastSettings
from orchestration.steps.forecast.listing import Wanted, current
from orchestration.steps.forecast.make import make_forecasts
from orchestration.steps.forecast.sentence import sentence
from orchestration.steps.panels import align


def soonest(lake: Lake, settings: ForecastSettings, now: datetime) -> Sequence[str]:
    """A sentence for each resource that is past its last level, then for those that reach one.

    Args:
        lake: holds the resources, takes the forecasts.
        settings: of what, and how far ahead.
        now: what is later is not looked at.
    """
    make_forecasts(lake, settings, align(now, SLOT))
    page = current(lake, Wanted(settings.horizon), now)
    return [sentence(row) for row in page.rows]
