"""What an anomaly looked like: its series with the normal band, and what happened around it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from detectors import DetectorsError
from detectors.own_class import is_path
from lake import Lake, TimeRange
from lake.snapshot import Snapshot
from lake.timerange import from_micros
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.errors import SettingsError
from orchestration.steps import browse, budget, champions, models, paging
from orchestration.steps.absence.chart import reporting
from orchestration.steps.absence.finder import Absence
from orchestration.steps.claims import scorer
from orchestration.steps.events.chart import event_chart
from orchestration.steps.events.finder import EventFinder
from orchestration.steps.groups import Group
from orchestration.steps.judge import scores_of
from orchestration.steps.model import Model
from orchestration.steps.paging import Row
from orchestration.steps.panels import LONGEST_GAP, SeriesInfo, align, read_panel, series_by_id
from orchestration.steps.siblings.chart import sibling_chart
from orchestration.steps.siblings.finder import Siblings
from orchestration.steps.training import flagged

MARGIN = timedelta(hours=2)
LONGEST = timedelta(hours=24)
"""A chart of more columns than a screen has pixels helps nobody."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chart:
    """One series around an anomaly, or how many report; arrays of one length, NaN = no data.

    `expected`, `lower` and `upper` are None where there is too little history for a band.
    """

    times: list[datetime]
    actual: Values
    expected: Values | None
    lower: Values | None
    upper: Values | None


def chart(
    lake: Lake, settings: DetectionSettings, anomaly: Row, margin: timedelta = MARGIN
) -> Chart | None:
    """The anomaly's series and its band, by a model fitted on what came before the chart.

    The model that flagged it may have been fitted at another time: the row's own bounds are those
    that it was judged by, the band here shows where they come from.

    Of an absence: how many report. Of events: the counts of their stream, or the shares of denials.
    Of siblings: what all pods of the workload did, and what the other clusters say of that.

    None where the anomaly is not of a single series, or the series is gone.
    """
    if anomaly["detector"] in Absence.detectors:
        return _reporting(lake, anomaly, settings.step, margin)
    start = align(anomaly["start"] - margin, settings.step)
    end = min(align(anomaly["end"] + margin, settings.step), start + LONGEST)
    if anomaly["detector"] in EventFinder.detectors:
        return _of_events(lake, settings, anomaly, TimeRange(start, end))
    if anomaly["detector"] in Siblings.detectors:
        return _of_siblings(lake, settings, anomaly, TimeRange(start, end))
    snapshot = lake.snapshot()
    series = series_by_id(snapshot, settings, anomaly["series_id"])
    if series is None:
        return None
    model = _model(snapshot, settings, anomaly["detector"], series, start)
    context = timedelta(0) if model is None else model.context * settings.step
    panel = read_panel(snapshot, [series], TimeRange(start - context, end), settings.step)
    if panel.n_series == 0:
        return None
    first = context // settings.step
    times = [from_micros(int(at)) for at in panel.times[first:]]
    actual = panel.values[0, first:]
    if model is None:
        return Chart(times, actual, None, None, None)
    _, scores = scores_of(model, panel)
    expected, lower, upper = (
        None if band is None else band[0] for band in (scores.expected, scores.lower, scores.upper)
    )
    return Chart(times, actual, expected, *_drawn(actual, expected, lower, upper))


def _drawn(
    actual: Values, expected: Values | None, lower: Values | None, upper: Values | None
) -> tuple[Values | None, Values | None]:
    """A band as it is drawn: where it has no end on one side, it ends with what is drawn there."""
    if expected is None or lower is None or upper is None:
        return lower, upper
    one_sided = np.isnan(lower) != np.isnan(upper)
    if not one_sided.any():
        return lower, upper
    # Something to draw is there: one of both ends, and what is expected between them.
    all_drawn = np.concatenate([actual, expected, lower, upper])
    least, most = np.float32(np.nanmin(all_drawn)), np.float32(np.nanmax(all_drawn))
    return (
        np.where(one_sided & np.isnan(lower), least, lower),
        np.where(one_sided & np.isnan(upper), most, upper),
    )


def _model(
    snapshot: Snapshot, settings: DetectionSettings, name: str, series: SeriesInfo, until: datetime
) -> Model | None:
    """A model of the series by the detector of that name; None where there can be none."""
    settings = champions.applied(snapshot, settings)
    chosen = scorer(series.metric, name, settings.detectors)
    if chosen is None:
        plain = name.partition(" by ")[0].partition(" after ")[0]
        # What a table says must not decide which module is imported.
        if is_path(plain):
            return None
        chosen = DetectorSettings(name=plain)
    try:
        known = flagged(snapshot, chosen, TimeRange(until - settings.history, until))
        rate = budget.rate_of_series(snapshot, settings, until)
        group = Group(None, [series])
        fitted = models.fit(snapshot, [group], chosen, settings, until, known, rate)
    except (DetectorsError, SettingsError):
        # The settings have changed since, and with them what the name means.
        return None
    return fitted[0][1] if fitted else None


def _reporting(lake: Lake, anomaly: Row, step: timedelta, margin: timedelta) -> Chart:
    # Not all are scraped in each column.
    step = max(step, LONGEST_GAP)
    start = align(anomaly["start"] - margin, step)
    end = min(align(anomaly["end"] + margin, step), start + LONGEST)
    between = TimeRange(start, max(end, start + step))
    actual = reporting(lake.snapshot(), anomaly, between, step)
    times = [start + number * step for number in range(len(actual))]
    # What has not happened yet is not silence.
    later = np.array([at >= anomaly["end"] for at in times])
    heard = np.flatnonzero(actual)
    later[: heard[-1] + 1 if len(heard) else 0] = False
    actual[later] = np.nan
    return Chart(times, actual, np.full_like(actual, anomaly["expected"]), None, None)


def _of_events(
    lake: Lake, settings: DetectionSettings, anomaly: Row, between: TimeRange
) -> Chart | None:
    found = event_chart(lake, settings, anomaly, between)
    if found is None:
        return None
    arrays = (found.actual, found.expected, found.lower, found.upper)
    return Chart(found.times, *(array.astype(np.float32) for array in arrays))


def _of_siblings(
    lake: Lake, settings: DetectionSettings, anomaly: Row, between: TimeRange
) -> Chart | None:
    found = sibling_chart(lake, settings, anomaly, between)
    if found is None:
        return None
    expected, lower, upper = found.bands or (None, None, None)
    if expected is None:
        return Chart(found.times, found.actual, None, None, None)
    return Chart(found.times, found.actual, expected, *_drawn(found.actual, expected, lower, upper))


def events_around(
    lake: Lake, anomaly: Row, margin: timedelta = MARGIN, most: int = 50
) -> list[Row]:
    """Events of the anomaly's cluster around it, its own namespace's first, then by time."""
    between = TimeRange(anomaly["start"] - margin, anomaly["end"] + margin)
    wanted = browse.Filter(between, clusters=[anomaly["cluster"]])
    rows = browse.events(lake, wanted, paging.MAX_PAGE).rows
    own = anomaly["namespace"]
    rows.sort(
        key=lambda row: (
            row["namespace"] != own or own is None,
            row["type"] == "Normal",
            row["time"],
        )
    )
    return rows[:most]
