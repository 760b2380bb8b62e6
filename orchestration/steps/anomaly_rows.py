"""Intervals become rows of `anomalies`: identity and evidence."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from detectors import Intervals, Panel
from detectors.abnormal_cells import AbnormalCells
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


EVERYWHERE = " everywhere"
"""At the end of the direction of what all clusters show at once."""

SHARED = "shared"
"""Of a fresh row, no column: with whom it is shared, None = it is not."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What an interval is shared with: the same workload's series in the other clusters.

    Attributes:
        what: the same for all of them.
        series_id: of them all.
        above: whether it is more than expected.
        since: when the interval was long enough to be one.
    """

    what: object
    series_id: frozenset[int]
    above: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """An entity that was scored as one: `by` is the entity column that holds `name`."""

    cluster: str
    by: str
    name: str
    namespace: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Which series and columns a panel had: what is left of it once it was scored."""

    start: int
    step: int
    series_id: npt.NDArray[np.int64]

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """A panel's."""
        return cls(panel.start, panel.step, panel.series_id)

    def time(self, column: int) -> datetime:
        """When a column begins."""
        return from_micros(self.start + column * self.step)


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
    shared: Shared | None = None


def found(
    cells: AbnormalCells,
    peaks: npt.NDArray[np.int64],
    intervals: Intervals,
    grid: Grid,
    series: Mapping[int, SeriesInfo],
    subject: Subject | None,
    model_version: str,
) -> Iterator[Found]:
    """The intervals with their times and the values at their peaks.

    Args:
        cells: what was scored, and is told.
        peaks: the cell of each interval's peak.
        intervals: of these cells.
        grid: of the panel that was scored; for a subject, of all its series.
        series: what is known of each series of the panel.
        subject: the entity, where it was scored as one.
        model_version: of the model that scored.
    """
    for index, cell in enumerate(peaks.tolist()):
        of = int(cells.series[cell])
        about = None if of < 0 else series[int(grid.series_id[of])]
        cluster = subject.cluster if subject else series[int(grid.series_id[of])].cluster
        yield Found(
            cluster=cluster,
            series=about,
            subject=subject,
            start=grid.time(int(intervals.start[index])),
            end=grid.time(int(intervals.end[index])),
            peak_time=grid.time(int(intervals.peak[index])),
            score=float(intervals.score[index]),
            p_value=float(intervals.p_value[index]),
            actual=_finite(cells.actual[cell]),
            expected=_finite(cells.expected[cell]),
            lower=_finite(cells.lower[cell]),
            upper=_finite(cells.upper[cell]),
            model_version=model_version,
        )


def _finite(value: np.float32) -> float | None:
    return float(value) if np.isfinite(value) else None


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
    if one.shared is not None:
        direction = ("above" if one.shared.above else "below") + EVERYWHERE
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
        SHARED: one.shared,
    }


def anomaly_id(one: Found, detector: str) -> str:
    """The same interval of the same thing by the same detector has the same id."""
    about: list[object] = [one.cluster, detector, to_micros(one.start)]
    if one.subject is not None:
        about += [one.subject.by, one.subject.namespace, one.subject.name]
    elif one.series is not None:
        about.append(one.series.series_id)
    if one.shared is not None:
        about.append(EVERYWHERE)
    return xxhash.xxh3_128_hexdigest(json.dumps(about).encode())


def label(chosen: DetectorSettings) -> str:
    """The detector's name as it stands in `anomalies`.

    >>> label(DetectorSettings(name="pyod.KNN", by="pod"))
    'pyod.KNN by pod'
    """
    if chosen.candidates is not None:
        return f"{chosen.name} after {chosen.candidates.of}"
    return chosen.name if chosen.by is None else f"{chosen.name} by {chosen.by}"


def thing(row: Row) -> Thing:
    """What a row is about: its series, or its entity; what all clusters show, apart from that."""
    if everywhere(row):
        return (row["cluster"], row["detector"], row["series_id"], EVERYWHERE)
    if row.get("series_id") is not None:
        return (row["cluster"], row["detector"], row["series_id"])
    return (row["cluster"], row["detector"], *(row.get(name) for name in ENTITY_COLUMNS))


def everywhere(row: Row) -> bool:
    """Whether a row tells what all clusters show at once."""
    return (row.get("direction") or "").endswith(EVERYWHERE)


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
            *([chosen.candidates.model_dump()] if chosen.candidates else []),
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
