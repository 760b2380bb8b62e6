"""Intervals become rows of `anomalies`: identity and evidence."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from detectors import Intervals, Panel, Scores
from lake import TimeRange
from lake.schema import ANOMALIES, ENTITY_COLUMNS
from lake.timerange import from_micros, to_micros
from orchestration.detection_settings import DetectorSettings
from orchestration.steps.panels import SeriesInfo

Row = dict[str, Any]

Thing = tuple[object, ...]
"""What a row is about, and by which detector: rows of one thing can be one interval."""

LONGEST_INTERVAL = timedelta(days=30)
"""An interval is filed under the day it starts: whoever asks what goes on looks back this far. By
default a model has learned a lasting change after a day, so few get older than that."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An entity that was scored as one: `by` is the entity column that holds `name`."""

    cluster: str
    by: str
    name: str
    namespace: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """One interval and what it is about; times are half-open."""

    cluster: str
    series: SeriesInfo | None
    subject: Subject | None
    start: datetime
    end: datetime
    peak_time: datetime
    score: float
    p_value: float
    actual: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    model_version: str


def found(
    panel: Panel,
    scores: Scores,
    intervals: Intervals,
    series: Mapping[int, SeriesInfo],
    subject: Subject | None,
    model_version: str,
) -> Iterator[Found]:
    """The intervals with their times and the values at their peaks.

    Args:
        panel: what was scored; for a subject, all its series.
        scores: of the same columns.
        intervals: of those scores.
        series: what is known of each series of the panel.
        subject: the entity, where it was scored as one.
        model_version: of the model that scored.
    """
    for index in range(len(intervals.row)):
        row, peak = int(intervals.row[index]), int(intervals.peak[index])
        one = series[int(panel.series_id[row])]
        about: SeriesInfo | None = one
        of = row
        if subject:
            of = _driver(panel, scores, peak)
            about = None if of < 0 else series[int(panel.series_id[of])]
        yield Found(
            cluster=one.cluster,
            series=about,
            subject=subject,
            start=from_micros(panel.start + int(intervals.start[index]) * panel.step),
            end=from_micros(panel.start + int(intervals.end[index]) * panel.step),
            peak_time=from_micros(panel.start + peak * panel.step),
            score=float(intervals.score[index]),
            p_value=float(intervals.p_value[index]),
            actual=None if of < 0 else _cell(panel.values, of, peak),
            expected=_cell(scores.expected, row, peak),
            lower=_cell(scores.lower, row, peak),
            upper=_cell(scores.upper, row, peak),
            model_version=model_version,
        )


def _driver(panel: Panel, scores: Scores, column: int) -> int:
    """The row of an entity's panel that drove its score, -1 = none.

    A detector that does not tell (PyOD's) leaves it to how far each metric is from its own middle,
    in its own spread.
    """
    if scores.driver is not None:
        return int(scores.driver[0, column])
    values = panel.values.astype(np.float64)
    known = np.flatnonzero(np.isfinite(values[:, column]))
    if not known.size:
        return -1
    middle = np.nanmedian(values[known], axis=1)
    spread = np.nanmedian(np.abs(values[known] - middle[:, None]), axis=1)
    moved = np.abs(values[known, column] - middle) / (spread + 0.01 * np.abs(middle) + 1e-9)
    return int(known[int(np.argmax(moved))])


def _cell(array: np.ndarray[Any, Any] | None, row: int, column: int) -> float | None:
    if array is None or not np.isfinite(array[row, column]):
        return None
    return float(array[row, column])


def rows(
    intervals: Iterable[Found],
    chosen: DetectorSettings,
    lake_version: int,
    final_before: datetime,
) -> list[Row]:
    """Rows of `anomalies`; one that ends before `final_before` can grow no more."""
    return [
        _row(one, label(chosen), lake_version, "final" if one.end < final_before else "interim")
        for one in intervals
    ]


def _row(one: Found, detector: str, lake_version: int, state: str) -> Row:
    entity: dict[str, str | None] = {}
    if one.subject is not None:
        entity = {one.subject.by: one.subject.name, "namespace": one.subject.namespace}
    elif one.series is not None:
        entity = dict(one.series.entity)
    series_id = one.series.series_id if one.series and not one.subject else None
    direction = None
    if one.actual is not None and one.expected is not None:
        direction = "above" if one.actual >= one.expected else "below"
    return {
        "cluster": one.cluster,
        "anomaly_id": anomaly_id(one, detector),
        "series_id": series_id,
        "metric": one.series.metric if one.series else None,
        **entity,
        "start": one.start,
        "end": one.end,
        "peak_time": one.peak_time,
        "score": one.score,
        "p_value": one.p_value,
        "actual": one.actual,
        "expected": one.expected,
        "lower": one.lower,
        "upper": one.upper,
        "direction": direction,
        "detector": detector,
        "model_version": one.model_version,
        "lake_version": lake_version,
        "state": state,
        "incident_id": None,
    }


def anomaly_id(one: Found, detector: str) -> str:
    """The same interval of the same thing by the same detector has the same id."""
    about: list[object] = [one.cluster, detector, to_micros(one.start)]
    if one.subject is not None:
        about += [one.subject.by, one.subject.namespace, one.subject.name]
    elif one.series is not None:
        about.append(one.series.series_id)
    return xxhash.xxh3_128_hexdigest(json.dumps(about).encode())


def label(chosen: DetectorSettings) -> str:
    """The detector's name as it stands in `anomalies`.

    >>> label(DetectorSettings(name="pyod.KNN", by="pod"))
    'pyod.KNN by pod'
    """
    return chosen.name if chosen.by is None else f"{chosen.name} by {chosen.by}"


def thing(row: Row) -> Thing:
    """What a row is about: its series, or its entity."""
    if row.get("series_id") is not None:
        return (row["cluster"], row["detector"], row["series_id"])
    return (row["cluster"], row["detector"], *(row.get(name) for name in ENTITY_COLUMNS))


def thing_of_subject(subject: Subject, detector: str) -> Thing:
    """`thing` of the rows about a subject."""
    entity = {"namespace": subject.namespace, subject.by: subject.name}
    return thing({"cluster": subject.cluster, "detector": detector, **entity})


def model_version(
    chosen: DetectorSettings, trained: TimeRange, lake_version: int, left_out: str = ""
) -> str:
    """Names a model by all that determines it: detector, parameters, data, what of it was left out.

    >>> trained = TimeRange(from_micros(0), from_micros(1))
    >>> model_version(DetectorSettings(), trained, lake_version=1)
    '6f7c9845bd1cdf21'
    """
    text = json.dumps(
        [
            chosen.name,
            chosen.by,
            chosen.parameters,
            trained.start.isoformat(),
            trained.end.isoformat(),
            lake_version,
            left_out,
        ],
        sort_keys=True,
        default=str,
    )
    return xxhash.xxh3_64_hexdigest(text.encode())


def table(own: list[Row]) -> pa.Table:
    """Rows as a table of the lake's schema; absent columns are null."""
    return pa.table(
        {
            field.name: pa.array([row.get(field.name) for row in own], field.type)
            for field in ANOMALIES.schema
        },
        schema=ANOMALIES.schema,
    )
