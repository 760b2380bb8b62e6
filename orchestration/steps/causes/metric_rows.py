"""Metrics of the baseline and of the incident, as the series that the detectors read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.causes import Rows
from lake.external import read_coded
from lake.timerange import EPOCH, from_micros
from orchestration.errors import CausesError
from orchestration.steps.causes.question import (
    LEAST_COLUMNS,
    LONGEST_REST,
    SHORT_REST,
    WINDOW,
    Question,
)
from orchestration.steps.causes.series_codes import BASELINE, BEFORE, INCIDENT, series_codes
from orchestration.steps.file_columns import TEXT

Warn = Callable[[str], None]

_LONGEST = 6
"""Windows after which a row weighs nothing."""

KIND = "__kind"

WRONG_CLOCK = 0.01
"""Share of rows that may be of a wrong clock."""

STEP_ROWS = 100_000
"""Rows by which the metrics' step and begin are found."""


MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """A time in microseconds, exactly."""
    return (at - EPOCH) // MICROSECOND


@dataclass(frozen=True, slots=True)
class MetricRows:
    """Samples, sorted by series, then time.

    Attributes:
        series: a row a series, its labels.
        rows: as the detectors read them.
        times: `[n]` in microseconds.
        kind: `[n]`, `BEFORE`, `BASELINE` or `INCIDENT`.
        at: when the incident begins.
        window: how long it is looked at.
        foreign: whether the baseline is of another file.
    """

    series: pl.DataFrame
    rows: Rows
    times: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int8]
    at: datetime
    window: timedelta
    foreign: bool

    def of(self, series: int, kind: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Times and values of one series' rows of a kind."""
        own = slice(int(self.rows.starts[series]), int(self.rows.starts[series + 1]))
        wanted = self.kind[own] == kind
        return self.times[own][wanted], self.rows.values[own][wanted]

    def near(self, series: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], int]:
        """Times and values of one series within a window of `at`, and the place where that is."""
        own = slice(int(self.rows.starts[series]), int(self.rows.starts[series + 1]))
        times, begin = self.times[own], micros(self.at)
        inside = np.abs(times - begin) <= self.window / MICROSECOND
        return times[inside], self.rows.values[own][inside], int((times[inside] < begin).sum())


def read_metrics(question: Question, warn: Warn) -> MetricRows:
    """Read the files of a question.

    Raises:
        FileFormatError: a file cannot be read.
        CausesError: a column is missing, or there is nothing before or nothing after.
    """
    frame = _together(question.files, question.by)
    after = frame.filter(pl.col("timestamp") >= question.at)
    if after.is_empty():
        last = f"end at {frame['timestamp'].max()!s}" if frame.height else "are empty"
        raise CausesError(f"the metrics {last}: there is nothing at or after {question.at}")
    other = None if question.baseline is None else _together([question.baseline], question.by)
    if other is not None and other.is_empty():
        raise CausesError(f"the baseline {question.baseline} has no row with a time and a value")
    look = _look(question, frame, after, other)
    kinds = _kinds(frame, other, question.at, look, warn)
    labels = _labels(kinds, question.by, warn)
    return _sorted(kinds, labels, question.by, question.at, look, other is not None)


def _together(files: Sequence[Path], by: str) -> pl.DataFrame:
    # Each column is copied once, when it is needed in one piece.
    frames = [
        _named(pl.DataFrame(pl.from_arrow(read_coded(path), rechunk=False)), path, by)
        for path in files
    ]
    try:
        frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise CausesError(f"the files are no one table: {error}") from error
    # Numbers of texts instead of texts: millions of rows are compared and sorted by them.
    frame = frame.with_columns(pl.col(pl.String).cast(pl.Categorical))
    timed = not frame["timestamp"].null_count()
    if timed and not frame["value"].null_count() and frame["value"].is_finite().all():
        return frame
    return frame.filter(pl.col("value").is_finite() & pl.col("timestamp").is_not_null())


def _named(frame: pl.DataFrame, path: Path, by: str) -> pl.DataFrame:
    """The rows with the entities' names as text: a CSV takes numbers for numbers."""
    if by not in frame.columns:
        raise CausesError(f"{path} has no column {by!r}, only {', '.join(frame.columns)}")
    kind = frame.schema[by]
    if kind in TEXT:
        return frame
    if by in ("timestamp", "value") or not (kind.is_integer() or kind == pl.Boolean):
        raise CausesError(f"column {by!r} of {path} names no entity: it is {kind}")
    return frame.with_columns(pl.col(by).cast(pl.String))


@dataclass(frozen=True, slots=True)
class _Look:
    """How an incident is looked at.

    Attributes:
        window: how long.
        fading: the time in which a row's weight falls to a third; None = all weigh the same.
        rest: how long all rows are looked at once more, of the same weight.
    """

    window: timedelta
    fading: timedelta | None
    rest: timedelta | None

    @property
    def end(self) -> timedelta:
        """How long after the begin the last row that counts may be."""
        return max(_LONGEST * (self.fading or self.window), self.window, self.rest or self.window)


def _look(
    question: Question, frame: pl.DataFrame, after: pl.DataFrame, other: pl.DataFrame | None
) -> _Look:
    if question.lasting is not None:
        return _Look(question.lasting, None, None)
    # Of some rows: times are the same for all series.
    times = after["timestamp"].head(STEP_ROWS).unique().sort()
    step = times.diff().median() if len(times) > 1 else None
    least = max(WINDOW, LEAST_COLUMNS * step) if isinstance(step, timedelta) else WINDOW
    # A clock that is years off is not when the recording began, nor when it ended.
    if other is None:
        before = question.at - _begin(frame, min(_last(frame), question.at + LONGEST_REST))
    else:
        end = _last(other)
        before = end - _begin(other, end)
    longest = question.at + min(LONGEST_REST, before)
    within = after["timestamp"] <= longest
    if within.sum() < (1.0 - WRONG_CLOCK) * len(within):
        return _Look(least, least, None)
    rest = _last(after.filter(within)) - question.at
    return _Look(max(rest, least) if rest <= SHORT_REST * before else least, least, rest)


def _last(frame: pl.DataFrame) -> datetime:
    return from_micros(int(frame["timestamp"].to_physical().to_numpy().max()))


def _begin(frame: pl.DataFrame, end: datetime) -> datetime:
    """When a recording began that ended then: rows that are left out are as dense as the others."""
    some = frame["timestamp"].gather_every(max(1, frame.height // STEP_ROWS)).to_physical()
    early = from_micros(int(some.quantile(WRONG_CLOCK, "lower") or 0))
    return early - (end - early) * (WRONG_CLOCK / (1.0 - WRONG_CLOCK))


def _kinds(
    frame: pl.DataFrame, other: pl.DataFrame | None, at: datetime, look: _Look, warn: Warn
) -> pl.DataFrame:
    """The rows that count, with what they are."""
    time = pl.col("timestamp")
    incident = (time >= at) & (time <= at + look.end)
    before = BEFORE if other is not None else BASELINE
    kind = pl.when(incident).then(INCIDENT).when(time < at).then(before)
    marked = frame.with_columns(kind.cast(pl.Int8).alias(KIND))
    if marked[KIND].null_count():
        marked = marked.filter(pl.col(KIND).is_not_null())
    if other is not None:
        rows = other.with_columns(pl.lit(BASELINE, pl.Int8).alias(KIND))
        for name, type_ in frame.schema.items():
            if name not in other.columns and type_ in TEXT and frame[name].n_unique() > 1:
                raise CausesError(f"the baseline has no column {name!r}, which the metrics have")
        shared = [name for name in marked.columns if name in rows.columns]
        return pl.concat([marked.select(shared), rows.select(shared)], how="vertical_relaxed")
    if (marked[KIND] == BASELINE).any():
        return marked
    window = look.window
    late = frame.filter(time > at + window)
    if late.is_empty():
        raise CausesError(f"the metrics begin at {at}: give a --baseline, or rows from before")
    warn(f"nothing is before {at}: what is after {at + window} is taken for the baseline")
    return pl.concat(
        [
            frame.filter((time >= at) & (time <= at + window)).with_columns(
                pl.lit(INCIDENT, pl.Int8).alias(KIND)
            ),
            late.with_columns(pl.lit(BASELINE, pl.Int8).alias(KIND)),
        ]
    )


def _labels(frame: pl.DataFrame, by: str, warn: Warn) -> list[str]:
    """The text columns that name a series: those that do not only say what time it is."""
    text = [name for name, kind in frame.schema.items() if kind in TEXT]
    found = []
    for name in text:
        if name != by and _tells_time(frame, name):
            warn(f"column {name!r} has other values at other times: it is no label")
        else:
            found.append(name)
    return found


def _tells_time(frame: pl.DataFrame, name: str) -> bool:
    """Whether no two values of a column are there at once, as of a phase, or of a run."""
    # What overlaps in some of the rows does in all.
    some = frame.select(name, "timestamp").gather_every(max(1, frame.height // STEP_ROWS))
    if _overlap(_spans(some, name)):
        return False
    spans = _spans(frame, name)
    return spans.height > 1 and not _overlap(spans)


def _spans(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """When each value of a column is there first and last."""
    time = pl.col("timestamp")
    spans = frame.group_by(name).agg(time.min().alias("first"), time.max().alias("last"))
    return spans.sort("first")


def _overlap(spans: pl.DataFrame) -> bool:
    return bool((spans["first"][1:] <= spans["last"][:-1]).any())


def _sorted(
    frame: pl.DataFrame,
    labels: Sequence[str],
    by: str,
    at: datetime,
    look: _Look,
    foreign: bool,
) -> MetricRows:
    frame = frame.select("timestamp", "value", KIND, *labels)
    kind = frame[KIND].to_numpy()
    time = frame["timestamp"].to_physical().to_numpy()
    firsts, of_runs = series_codes(frame, labels, by, kind)
    backwards = time[1:] < time[:-1]
    backwards[firsts[1:] - 1] = False
    # Files are often in order of series, then time, whatever the series' numbers are.
    if backwards.any() or len(of_runs) > len(np.unique(of_runs)):
        key = np.repeat(of_runs, np.diff(np.append(firsts, len(time))))
        order = np.lexsort((time, key))
        frame, key, time, kind = frame[order], key[order], time[order], kind[order]
        firsts = np.append(0, np.flatnonzero(key[1:] != key[:-1]) + 1)
    inside = kind == INCIDENT
    ago = (time[inside] - micros(at)) * MICROSECOND.total_seconds()
    weight = np.zeros(len(time))
    if look.fading is None:
        weight[inside] = ago <= look.window.total_seconds()
    else:
        weight[inside] = np.exp(-ago / look.fading.total_seconds())
    rows = Rows(
        np.ascontiguousarray(frame["value"].to_numpy()),
        np.append(firsts, len(time)).astype(np.int64),
        kind == BASELINE,
        weight,
        None if look.rest is None else inside,
    )
    named = frame[firsts].select(pl.col(name).cast(pl.String) for name in labels)
    return MetricRows(named, rows, time, kind, at, look.window, foreign)
