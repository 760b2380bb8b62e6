"""What the page reads from the lake. Everything here blocks: call it in a thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lake import TimeRange
from orchestration.service import Service
from orchestration.steps import browse, explain, paging
from orchestration.steps.advice import browse as advice_browse
from orchestration.steps.forecast.known import Known, known
from orchestration.steps.forecast.listing import Wanted, current, is_past
from orchestration.steps.incidents import browse as incident_browse
from orchestration.steps.paging import Row

MOST_INCIDENTS = 100
"""On the page: who has more looks for the worst by other means."""

MOST_ADVICE = 20
MOST_FORECASTS = 20
MOST_PASSED = 10
"""Past their thresholds, which quotas may be for months: they must not hide what fills."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """What fills.

    Attributes:
        passed: of `forecast.listing.current`, past their thresholds, the latest first.
        rows: of the same, those that are ahead, soonest first.
        more: there are more of these than are here.
        known: of how many resources there are forecasts at all.
        within: how far ahead is looked.
    """

    passed: Sequence[Row]
    rows: Sequence[Row]
    more: bool
    known: Known
    within: timedelta


@dataclass(frozen=True, slots=True)
class Overview:
    """All that is not about one anomaly.

    Attributes:
        at: when it was read.
        between: the window.
        clusters: every cluster, whatever the filter.
        anomalies: those that the filter lets through, latest first.
        more: there are more than are here.
        incidents: of the clusters that the filter lets through, latest first.
        forecasts: of these clusters.
        advice: of these clusters, what is worth most first.
        more_advice: there is more than is here.
        density: of the heat map, whatever the filter.
        versions: of the tables that were read.
        note: why detection scored nothing the last time, if so.
        errors: failing loops and rounds, what is wrong with them and since when.
    """

    at: datetime
    between: TimeRange
    clusters: Sequence[Row]
    anomalies: Sequence[Row]
    more: bool
    incidents: Sequence[Row]
    forecasts: Foretold
    advice: Sequence[Row]
    more_advice: bool
    density: Sequence[Row]
    versions: Mapping[str, int]
    note: str | None
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Detail:
    """One anomaly, its curve (None = it is not about a single series), its events."""

    anomaly: Row
    chart: explain.Chart | None
    events: Sequence[Row]


def read_overview(
    service: Service,
    window: timedelta,
    bucket: timedelta,
    clusters: Sequence[str],
    min_score: float,
) -> Overview:
    """Read the lake for the page's tables and heat map."""
    now = service.clock()
    # An anomaly that starts this very minute belongs to "the last 24 hours" too.
    between = TimeRange(now - window, now + timedelta(minutes=1))
    wanted = browse.Filter(between, clusters, min_score=min_score)
    page = browse.anomalies(service.lake, wanted, paging.MAX_PAGE)
    grouped = incident_browse.Wanted(between, clusters)
    incidents = incident_browse.incidents(service.lake, grouped, MOST_INCIDENTS)
    advised = advice_browse.listing(service.lake, advice_browse.Wanted(clusters), MOST_ADVICE)
    health = service.worker.health
    failing = service.worker.problems() | service.failing_rounds()
    return Overview(
        at=now,
        between=between,
        clusters=browse.clusters(service.lake, now),
        anomalies=page.rows,
        more=page.next_cursor is not None,
        incidents=incidents.rows,
        forecasts=_foretold(service, clusters, now),
        advice=advised.rows,
        more_advice=advised.next_cursor is not None,
        density=browse.density(service.lake, between, bucket),
        versions=page.versions,
        note=health.last_detected.reason if health.last_detected else None,
        errors={name: one.told(whole=True) for name, one in failing.items()},
    )


def _foretold(service: Service, clusters: Sequence[str], now: datetime) -> Foretold:
    wanted = Wanted(service.settings.forecasts.horizon, clusters)
    there = known(service.lake, wanted, now)
    if there.horizon is not None:
        # Whoever made them may have other settings.
        wanted = replace(wanted, within=there.horizon)
    wanted = replace(wanted, most_past=MOST_PASSED)
    rows = current(service.lake, wanted, now, MOST_PASSED + MOST_FORECASTS + 1).rows
    passed = [row for row in rows if is_past(row)]
    ahead = rows[len(passed) :]
    return Foretold(
        passed, ahead[:MOST_FORECASTS], len(ahead) > MOST_FORECASTS, there, wanted.within
    )


def read_detail(service: Service, anomaly_id: str) -> Detail:
    """Read one anomaly with its surroundings.

    Raises:
        NotFoundError: there is no such anomaly.
    """
    anomaly = browse.anomaly(service.lake, anomaly_id)
    return Detail(
        anomaly=anomaly,
        chart=explain.chart(service.lake, service.settings.detection, anomaly),
        events=explain.events_around(service.lake, anomaly),
    )
