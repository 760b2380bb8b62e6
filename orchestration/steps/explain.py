"""What an anomaly looked like: its series with the normal band, and what happened around it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from detectors import DetectorsError
from lake import Lake, TimeRange
from lake.timerange import from_micros
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.errors import SettingsError
from orchestration.steps import browse, budget, models
from orchestration.steps.anomaly_rows import label
from orchestration.steps.browse import Row
from orchestration.steps.groups import Group
from orchestration.steps.panels import SERIES_BY_ID, align, info, read_panel
from orchestration.steps.training import flagged

MARGIN = timedelta(hours=2)
LONGEST = timedelta(hours=24)
"""A chart of more columns than a screen has pixels helps nobody."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chart:
    """One series around an anomaly; arrays of one length, NaN = no data.

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

    None where the anomaly is not of a single series, or the series is gone.
    """
    rows = lake.sql(SERIES_BY_ID, {"id": anomaly["series_id"]}).to_pylist()
    if not rows:
        return None
    series = info(rows[0])
    start = align(anomaly["start"] - margin, settings.step)
    end = min(align(anomaly["end"] + margin, settings.step), start + LONGEST)
    name = anomaly["detector"].partition(" by ")[0]
    chosen = next(
        (one for one in settings.detectors if label(one) == anomaly["detector"]),
        DetectorSettings(name=name),
    )
    group = Group(None, [series])
    snapshot = lake.snapshot()
    try:
        known = flagged(snapshot, chosen, TimeRange(start - settings.history, start))
        rate = budget.rate_of_series(snapshot, settings, start)
        fitted = models.fit(snapshot, [group], chosen, settings, start, known, rate)
        model = fitted[0][1] if fitted else None
    except (DetectorsError, SettingsError):
        # The settings have changed since, and with them what the name means.
        model = None
    context = timedelta(0) if model is None else model.detector.context * settings.step
    panel = read_panel(snapshot, [series], TimeRange(start - context, end), settings.step)
    if panel.n_series == 0:
        return None
    first = context // settings.step
    times = [from_micros(int(at)) for at in panel.times[first:]]
    actual = panel.values[0, first:]
    if model is None:
        return Chart(times, actual, None, None, None)
    scores = model.detector.score(panel)
    expected, lower, upper = (
        None if band is None else band[0, first:]
        for band in (scores.expected, scores.lower, scores.upper)
    )
    return Chart(times, actual, expected, lower, upper)


def events_around(
    lake: Lake, anomaly: Row, margin: timedelta = MARGIN, most: int = 50
) -> list[Row]:
    """Events of the anomaly's cluster around it, its own namespace's first, then by time."""
    between = TimeRange(anomaly["start"] - margin, anomaly["end"] + margin)
    wanted = browse.Filter(between, clusters=[anomaly["cluster"]])
    rows = browse.events(lake, wanted, browse.MAX_PAGE).rows
    own = anomaly["namespace"]
    rows.sort(
        key=lambda row: (
            row["namespace"] != own or own is None,
            row["type"] == "Normal",
            row["time"],
        )
    )
    return rows[:most]
