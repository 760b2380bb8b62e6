"""Detection of a past range or day: fit on the history before it, score it, replace its anomalies.

Scored as a whole and written in place of what the lake holds of it, so it can be repeated: for
Dagster, backfills and the demo. What is fresh is scored by `orchestration.steps.tick`.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime

from lake import Lake, TimeRange
from lake.views import quote
from orchestration.detection_settings import DetectionSettings
from orchestration.steps import anomaly_rows, budget, carry_on, champions
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.claims import claimed
from orchestration.steps.discoveries import tested, told
from orchestration.steps.finders import finders
from orchestration.steps.groups import blocks, groups
from orchestration.steps.isolation import Failures
from orchestration.steps.lawful import require_lawful
from orchestration.steps.look import Look
from orchestration.steps.looked import Looked
from orchestration.steps.models import Detected, fit, warming_up
from orchestration.steps.panels import align, choose_series
from orchestration.steps.pools import Pools
from orchestration.steps.scoring import look
from orchestration.steps.second_look import second_looks
from orchestration.steps.siblings.shared import Sharing
from orchestration.steps.siblings.told_once import told_once
from orchestration.steps.training import flagged

Progress = Callable[[float], None]
"""Told the share of the work that is done, 0 to 1."""


def detect_day(
    lake: Lake,
    settings: DetectionSettings,
    day: date,
    *,
    now: datetime,
    clusters: Sequence[str] = (),
    progress: Progress = lambda _: None,
) -> Detected:
    """Score one UTC day with models fitted on the history before it; repeating it changes nothing.

    Args:
        lake: where samples are and anomalies go.
        settings: what to score and how.
        day: the day; of the running day only what is past is scored.
        now: the time.
        clusters: only these; empty = all.
        progress: told how far it is.
    """
    whole = TimeRange.of_day(day)
    end = min(whole.end, align(now - settings.delay, settings.step))
    if end <= whole.start:
        return Detected(None, 0, 0, f"day {day} has not begun")
    return detect_range(
        lake, settings, TimeRange(whole.start, end), now=now, clusters=clusters, progress=progress
    )


def detect_range(
    lake: Lake,
    settings: DetectionSettings,
    between: TimeRange,
    *,
    now: datetime,
    clusters: Sequence[str] = (),
    progress: Progress = lambda _: None,
) -> Detected:
    """Score a range with models fitted on the history before it, replacing its anomalies.

    All anomalies that *start* in the range, of these detectors and clusters, are replaced. Ranges
    from one day must not be scored by two callers at once.

    An interval is one row although it goes on past the range's end. As far as there is data, so
    much after the end is scored that it gets its true end if that is near. If it is later, the
    next range finds the rest and moves the row's end; so days are to be scored in order, and where
    the day before was not scored, its interval begins at midnight.
    """
    for chosen in settings.detectors:
        require_lawful(chosen)
    snapshot = lake.snapshot()
    reason = warming_up(snapshot, settings, between)
    if reason is not None:
        return Detected(None, 0, 0, reason)
    settings = champions.applied(snapshot, settings)
    lake_version = snapshot.versions["samples"]
    series = choose_series(snapshot, settings, between.start, clusters)
    gap = settings.merge_gap * settings.step
    closed = align(now - settings.delay, settings.step)
    ahead = between.end + settings.min_length * settings.step + gap
    scored = TimeRange(between.start, max(between.end, min(ahead, closed)))
    trained = TimeRange(between.start - settings.history, between.start)
    rates = budget.rates(snapshot, settings, between.start)
    rows: list[Row] = []
    failed = Failures()
    seconds = second_looks(settings)
    screens = [second.screen() for second in seconds]
    sharing = Sharing(snapshot, scored, settings, failures=failed)
    for index, (chosen, rate) in enumerate(zip(settings.detectors, rates, strict=True)):
        if chosen.candidates is not None:
            continue
        name = anomaly_rows.label(chosen)
        watching = [screen for screen in screens if screen.of == name]
        pools = Pools()
        known = flagged(snapshot, chosen, trained)
        taken = claimed(series, chosen, settings.detectors)
        parts = list(blocks(groups(taken, chosen, settings.block_series), settings.block_series))
        count = tested(group for block in parts for group in block)
        looked: list[Looked] = []
        for done, block in enumerate(parts):
            # What is scored for a day by one model must be known better than by its first hour.
            least = settings.least_history
            fitted = fit(
                snapshot, block, chosen, settings, between.start, known, rate, failed, pools, least
            )
            looked += look(snapshot, fitted, scored, settings, name, count, failed, watching)
            progress((index + (done + 1) / len(parts)) / len(settings.detectors))
        found = told(looked, count, settings, sharing)
        rows += anomaly_rows.rows(found, chosen, lake_version, now - gap)
    for second, screen in zip(seconds, screens, strict=True):
        found = second.find(snapshot, screen, scored, failed, sharing)
        rows += anomaly_rows.rows(found, second.chosen, lake_version, now - gap)
    rows = told_once(snapshot, rows, settings, scored, between.start, now - gap)
    failed.log()
    view = Look(snapshot, scored, settings, now - gap, clusters)
    also = finders(settings)
    for finder in also:
        rows += finder.find(view)
    rows = [row for row in rows if row["start"] < between.end]
    rows, earlier = carry_on.across(snapshot, rows, between, scored.end, gap, now - gap)
    lake.anomalies.append(anomaly_rows.table(earlier))
    # Two of one name have different metrics: what both found is one replacement.
    detectors = dict.fromkeys(anomaly_rows.label(chosen) for chosen in settings.detectors)
    for detector in [*detectors, *(name for finder in also for name in finder.detectors)]:
        own = [row for row in rows if row["detector"] == detector]
        lake.anomalies.replace(anomaly_rows.table(own), _predicate(between, detector, clusters))
    many = len(rows) + len(earlier)
    return Detected(between, len(series), many, None, failed.counts, failed.first)


def _predicate(between: TimeRange, detector: str, clusters: Sequence[str]) -> str:
    days = f"date >= '{between.start.date()}' AND date <= '{between.end.date()}'"
    start, end = (f"'{moment.isoformat()}'" for moment in (between.start, between.end))
    predicate = f"{days} AND start >= {start} AND start < {end} AND detector = {quote(detector)}"
    if clusters:
        predicate += f" AND cluster IN ({', '.join(map(quote, clusters))})"
    return predicate
