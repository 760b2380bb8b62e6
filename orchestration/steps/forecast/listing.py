"""Reading the forecasts that hold now: what is past its threshold, then what fills soonest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from detectors.forecasting import Reason
from lake import Lake, TimeRange
from orchestration.steps import paging
from orchestration.steps.forecast.objectives import SPENT

HELD_FOR = timedelta(days=1)
"""A forecast that was not made again for so long no longer holds: its resource is gone, or nobody
makes forecasts."""

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Sorts what has no time behind all that has one."""

PASSED = (Reason.ALREADY_PASSED.text, SPENT)
"""Reasons that abstain since nothing is left to be foretold."""

NEWEST = """
WITH newest AS (
    SELECT * EXCLUDE (date) FROM forecasts
    WHERE date >= $first_day AND date <= $last_day AND made_at > $since AND made_at <= $now
    QUALIFY row_number() OVER (PARTITION BY forecast_id ORDER BY made_at DESC) = 1
), asked AS (
    SELECT * FROM newest
    WHERE ($clusters IS NULL OR list_contains($clusters, cluster))
      AND ($namespace IS NULL OR namespace = $namespace)
      AND ($kinds IS NULL OR list_contains($kinds, resource))
)
"""
"""What holds of the resources that are asked for."""

CURRENT = f"""
{NEWEST}, sorted AS (
    -- What is past comes first, and of that the latest: its time as far before 1970 as it is after.
    SELECT *, coalesce(list_contains($past, reason), false) AS is_past,
           CASE WHEN is_past THEN make_timestamptz(-coalesce(epoch_us(eta_upper), 0))
                ELSE coalesce(eta, $never) END AS due
    FROM asked
), placed AS (
    SELECT *, row_number() OVER (ORDER BY due, forecast_id) AS place FROM sorted WHERE is_past
    UNION ALL BY NAME
    SELECT * FROM sorted
    WHERE NOT is_past AND (($abstained AND abstained)
          OR (eta <= $until AND coalesce(eta_upper, eta) >= $now))
)
SELECT * EXCLUDE (is_past, place) FROM placed
WHERE ($most_past IS NULL OR place IS NULL OR place <= $most_past)
  AND ($after_time IS NULL OR (due, forecast_id) > ($after_time, $after_id))
ORDER BY due, forecast_id LIMIT $rows
"""  # noqa: S608 - the text is ours

KINDS = f"""
{NEWEST}
SELECT DISTINCT resource FROM asked
"""  # noqa: S608 - the text is ours


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listing is narrowed to; empty or None = everything.

    Attributes:
        within: reached within so long from now.
        clusters: only these.
        namespace: only this.
        kinds: only these kinds of resources.
        abstained: also that of which nothing can be told, last.
        most_past: of what is past its threshold at most so many, the latest; None = all of it.
        visible: clusters that the reader may see at all, None = all.
    """

    within: timedelta
    clusters: Sequence[str] = ()
    namespace: str | None = None
    kinds: Sequence[str] = ()
    abstained: bool = False
    most_past: int | None = None
    visible: Collection[str] | None = None


def current(
    lake: Lake, wanted: Wanted, now: datetime, limit: int = 100, cursor: str | None = None
) -> paging.Page:
    """The newest forecast of each resource: what is past its threshold first, then the soonest.

    Raises:
        FilterError: the cursor is not from this listing, or the limit is out of range.
    """
    between = held(now)
    params = asked(wanted, now) | {
        "until": now + wanted.within,
        "never": NEVER,
        "abstained": wanted.abstained,
        "most_past": wanted.most_past,
        "past": list(PASSED),
        **paging.after(cursor),
        "rows": paging.size(limit) + 1,
    }
    page = paging.page(lake, CURRENT, params, between, limit, ("due", "forecast_id"))
    for row in page.rows:
        del row["due"]
    return page


def is_past(row: Mapping[str, Any]) -> bool:
    """Whether it is past its threshold, spent or expired; `eta_upper` says since when, if known."""
    return row["reason"] in PASSED


def holds(row: Mapping[str, Any], now: datetime) -> bool:
    """Whether what was `current` at a time still is at a later one, if nothing new was made."""
    last = row["eta_upper"] or row["eta"]
    return bool(row["made_at"] > held(now).start and (is_past(row) or last >= now))


def held(now: datetime) -> TimeRange:
    """When a forecast that holds now was made."""
    return TimeRange(now - HELD_FOR, now + timedelta(minutes=1))


def asked(wanted: Wanted, now: datetime) -> dict[str, object]:
    """Parameters of `NEWEST`."""
    clusters: Collection[str] | None = wanted.clusters or None
    if wanted.visible is not None:
        seen = wanted.visible
        clusters = seen if clusters is None else [one for one in clusters if one in seen]
    since = held(now).start
    return {
        "first_day": since.date(),
        "last_day": now.date(),
        "since": since,
        "now": now,
        "clusters": None if clusters is None else sorted(clusters),
        "namespace": wanted.namespace,
        "kinds": sorted(wanted.kinds) or None,
    }
