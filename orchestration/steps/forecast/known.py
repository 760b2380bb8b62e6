"""Of how much the forecasts tell at all: how many resources, how far ahead, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lake import Lake
from orchestration.steps import paging
from orchestration.steps.forecast.listing import NEWEST, PASSED, Wanted, asked, held
from orchestration.steps.forecast.sentence import length

KNOWN = f"""
{NEWEST}
SELECT CASE WHEN abstained THEN reason END AS reason, count(*) AS "count",
       max(made_at) AS made_at, arg_max(horizon_seconds, made_at) AS horizon_seconds
FROM asked GROUP BY ALL ORDER BY "count" DESC, reason
"""  # noqa: S608 - the text is ours


@dataclass(frozen=True, slots=True)
class Known:
    """What there are forecasts of.

    Attributes:
        resources: that have a limit, a time or an objective, and of which a forecast holds.
        abstained: of these, how many cannot be told, by reason; the most first.
        made_at: of the newest forecast, None = there is none. Where nothing fills it may be of the
            day's first round: later ones said the same.
        horizon: how far ahead that one looks, None = there is none.
    """

    resources: int
    abstained: Mapping[str, int]
    made_at: datetime | None
    horizon: timedelta | None

    def left_out(self) -> list[str]:
        """What is no forecast, in a line each: what is there already, and what cannot be told.

        >>> Known(9, {"no limit known": 3, "threshold already passed": 1}, None, None).left_out()
        ['1 past their last level, spent or expired', '3 cannot be told: no limit known (3)']
        """
        untold = dict(self.abstained)
        passed = sum(untold.pop(reason, 0) for reason in PASSED)
        why = ", ".join(f"{reason} ({count:,})" for reason, count in untold.items())
        lines = [f"{passed:,} past their last level, spent or expired"] if passed else []
        return lines + ([f"{sum(untold.values()):,} cannot be told: {why}"] if untold else [])

    def beyond(self, within: timedelta) -> str | None:
        """What is to be said to somebody who asks for more than is looked ahead; None = nothing.

        >>> four = Known(3, {}, None, timedelta(hours=4))
        >>> four.beyond(timedelta(hours=4))
        >>> four.beyond(timedelta(hours=12))[:41]
        'what fills is foretold 4 h ahead, not 12 '
        """
        if self.horizon is None or within <= self.horizon:
            return None
        return (
            f"what fills is foretold {length(self.horizon)} ahead, not {length(within)} "
            "(forecasts.horizon); of what comes later only certificates and error budgets are here"
        )


def known(lake: Lake, wanted: Wanted, now: datetime) -> Known:
    """What there are forecasts of, whether they reach something within the time or not.

    Args:
        lake: holds them.
        wanted: its clusters, namespace and kinds narrow it.
        now: what was made later is not looked at.
    """
    found = paging.rows(lake.query(KNOWN, asked(wanted, now), between=held(now)).rows)
    if not found:
        return Known(0, {}, None, None)
    newest = max(found, key=lambda row: row["made_at"])
    return Known(
        sum(row["count"] for row in found),
        {row["reason"]: row["count"] for row in found if row["reason"] is not None},
        newest["made_at"],
        timedelta(seconds=newest["horizon_seconds"]),
    )
