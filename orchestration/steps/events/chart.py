"""The chart of an anomaly of events: what came in each column, and what was normal."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from detectors.events import learn, normal_range
from lake import Lake, TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.events.lines import Lines
from orchestration.steps.events.memory import Memory
from orchestration.steps.events.parts import DENIALS, FIRST
from orchestration.steps.events.rows import id_of
from orchestration.steps.events.view import Streams, View, is_line, streams, view
from orchestration.steps.look import Look

Float64 = npt.NDArray[np.float64]


ONE_COLUMN_IN = 1e-3
"""How rarely a normal column leaves the band that is drawn. What is judged are windows of up to an
hour, whose range is in the row: a rise that lasts may be hardly out of this one, all the time."""


@dataclass(frozen=True, slots=True)
class EventChart:
    """Columns around an anomaly; of denials, shares of decisions, NaN where there were none."""

    times: list[datetime]
    actual: Float64
    expected: Float64
    lower: Float64
    upper: Float64


def event_chart(
    lake: Lake, settings: DetectionSettings, anomaly: Row, between: TimeRange
) -> EventChart | None:
    """The stream of an anomaly in a range, with the band by what came before the anomaly.

    None where the stream is gone: its events are too old, or its line has another template now.
    """
    snapshot = lake.snapshot()
    look = Look(snapshot, between, settings, between.end, clusters=[anomaly["cluster"]])
    seen = view(look, Memory(settings.step))
    at = (anomaly["start"] - seen.moment(0)) // settings.step
    own = _streams_of(seen, at, anomaly)
    if own is None:
        return None
    begin = at // seen.block * seen.block
    times = [seen.moment(column) for column in range(seen.first, seen.end)]
    if anomaly["detector"] == DENIALS:
        return _shares(seen, own, anomaly, times)
    counts = own.loud if anomaly["direction"] == "above" else own.events
    actual = counts.dense(seen.first, seen.end).sum(axis=0)
    if anomaly["detector"] == FIRST:
        return EventChart(times, actual, *(np.zeros(actual.size) for _ in range(3)))
    since = np.maximum(own.began, begin - seen.history)
    baseline = learn(counts, since, begin, seen.least, seen.columns_a_day)
    normal = normal_range(baseline, seen.first, seen.end, ONE_COLUMN_IN, seen.columns_a_day)
    return EventChart(times, actual, *normal)


def _streams_of(seen: View, at: int, anomaly: Row) -> Streams | None:
    """The streams that an anomaly is about: one, or all namespaces of a new reason."""
    plain = seen.frame.filter(~is_line())
    begin = (seen.origin + at) // seen.period * seen.period - seen.origin
    lines, _ = Lines().of_period(seen, begin, seen.end)
    for frame in (plain, lines):
        if frame.is_empty():
            continue
        every = streams(frame, seen)
        names = every.labels.rows()
        if anomaly["detector"] == FIRST:
            names = [(*name[:3], None) for name in names]
        wanted = [id_of(name, anomaly["detector"]) == anomaly["series_id"] for name in names]
        if any(wanted):
            return every.only(np.array(wanted))
    return None


def _shares(seen: View, own: Streams, anomaly: Row, times: list[datetime]) -> EventChart:
    denied, decided = (one.dense(seen.first, seen.end)[0] for one in (own.loud, own.events))
    share = np.divide(denied, decided, out=np.full(denied.shape, np.nan), where=decided > 0)
    flat = (np.full(share.size, anomaly[name]) for name in ("expected", "lower", "upper"))
    return EventChart(times, share, *flat)
