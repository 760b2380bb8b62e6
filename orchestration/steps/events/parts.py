"""The tests that events are put to, each with a quarter of the finder's share of the budget."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.events import (
    Cells,
    News,
    denials,
    exceedances,
    firsts,
    intervals_of,
    learn,
    may_have_stopped,
    stops,
)
from detectors.events.firsts import AGAIN, AGAIN_ELSEWHERE
from orchestration.detection_settings import DetectionSettings
from orchestration.steps import budget
from orchestration.steps.events.counting import ALERT, OPA
from orchestration.steps.events.view import BEFORE, STREAM, Streams, View

RATE, DENIALS, FIRST = "event_rate", "event_denials", "event_first"

OWN_RATE = 1e-6
"""The budget of a small fleet would let every stream alarm at a shrug: a test's own rate is not
raised by it."""

PARTS = 4

LEAST_BUSY = 5.0
"""Fewer events than this make no burst."""

LEAST_STEADY = 24.0
"""Fewer in a history than one an hour are no steady stream."""

Label = tuple[str, str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Found:
    """One interval; times are columns."""

    detector: str
    label: Label
    start: int
    end: int
    peak: int
    score: float
    p_value: float
    actual: float
    expected: float
    lower: float
    upper: float


def rate_of(settings: DetectionSettings, streams: int) -> float:
    """How often a normal column of so many streams may be abnormal, by one test."""
    return min(OWN_RATE, budget.rate(settings, streams) / PARTS)


def rates(
    seen: View, own: Streams, settings: DetectionSettings, first: int, end: int
) -> list[Found]:
    """Too many warnings."""
    parts = []
    for begin, start, stop in _blocks(seen, first, end):
        rate = _rate(seen, own, settings, begin)
        busy = own.loud.total(max(begin - BEFORE, 0), stop) >= LEAST_BUSY
        # Their whole kind: how clustered events come is learned from all of it.
        chosen = np.isin(own.kinds, own.kinds[busy])
        some = own.only(chosen)
        since = np.maximum(some.began, begin - seen.history)
        baseline = learn(some.loud, since, begin, seen.least, seen.columns_a_day, some.kinds)
        cells = exceedances(some.loud, baseline, start, stop, rate, seen.columns_a_day)
        parts.append(cells.of(np.flatnonzero(chosen)))
    return _found(RATE, Cells.joined(parts), own.labels, seen, settings)


def denied(seen: View, own: Streams, settings: DetectionSettings) -> list[Found]:
    """Too large a share of denials among decisions."""
    parts = []
    for begin, start, stop in _blocks(seen, seen.first, seen.end):
        rate = _rate(seen, own, settings, begin)
        cells = denials(
            own.loud, own.events, own.began, begin, stop, seen.history, seen.least, rate
        )
        parts.append(cells.take(cells.column >= start))
    return _found(DENIALS, Cells.joined(parts), own.labels, seen, settings)


Awake = Callable[[Sequence[str], int], npt.NDArray[np.bool_]]
"""Says of each of these clusters in which columns before an end it was heard of."""


def stopped(seen: View, own: Streams, settings: DetectionSettings, awake: Awake) -> list[Found]:
    """What came all day and comes no more, while its cluster is there."""
    parts = []
    for begin, start, stop in _blocks(seen, seen.first, seen.end):
        rate = _rate(seen, own, settings, begin)
        since = np.maximum(own.began, begin - seen.history)
        silent_long = may_have_stopped(own.events, since, begin, start, stop, rate)
        steady = own.events.total(max(begin - seen.history, 0), begin) >= LEAST_STEADY
        chosen = steady & silent_long & (begin - since >= seen.least)
        if not chosen.any():
            continue
        # Streams of their kind are not asked how clustered events come: steady ones can tell.
        some = own.only(chosen)
        numbers = np.arange(len(some.labels))
        baseline = learn(some.events, since[chosen], begin, seen.least, seen.columns_a_day, numbers)
        silent = np.unique(stops(some.events, baseline, start, stop, rate).stream)
        if silent.size:
            there = np.zeros((len(some.labels), stop), np.bool_)
            there[silent] = awake(some.labels["cluster"].gather(silent).to_list(), stop)
            cells = stops(some.events, baseline, start, stop, rate, there)
            parts.append(cells.of(np.flatnonzero(chosen)))
    return _found(RATE, Cells.joined(parts), own.labels, seen, settings)


def news(seen: View, frame: pl.DataFrame, settings: DetectionSettings) -> list[Found]:
    """Reasons that a source of a cluster had never given, since midnight."""
    days = int(seen.columns_a_day)
    since_midnight = seen.first // days * days
    reasons = frame.filter(pl.col("source") != OPA)
    return _told(seen, _unknown(seen, reasons, since_midnight), settings, days)


def lines_news(
    seen: View, lines: pl.DataFrame, new: pl.DataFrame, begin: int, settings: DetectionSettings
) -> list[Found]:
    """Templates of errors that the lines before a period did not have."""
    own = lines.filter(pl.col("column") >= begin).join(new, on=("cluster", "key"), how="semi")
    of_errors = own.with_columns(loud="errors", events="errors").filter(pl.col("events") > 0)
    return _told(seen, _unknown(seen, of_errors, begin), settings, seen.period)


def _unknown(seen: View, frame: pl.DataFrame, since: int) -> list[News]:
    """What came first at a column or later, of sources that were known long enough by then."""
    reason = ["cluster", "source", "key"]
    firsts_of = (
        frame.filter(pl.col("key").is_not_null()).group_by(reason).agg(pl.col("column").min())
    )
    fresh = (
        firsts_of.filter(pl.col("column") >= since)
        .join(seen.known, on=reason, how="anti")
        .join(seen.since, on=("cluster", "source"))
        .filter(pl.col("column") - pl.col("since") >= seen.history)
    )
    if fresh.is_empty():
        return []
    elsewhere = {(one[1], one[2]) for one in seen.known.rows()}
    earliest: dict[tuple[str, str], int] = {}
    for _, source, key, column in firsts_of.rows():
        earliest[source, key] = min(column, earliest.get((source, key), column))
    events = (
        frame.join(fresh.select(*reason, began="column"), on=reason)
        .filter((pl.col("loud") > 0) & (pl.col("column") < pl.col("began") + BEFORE))
        .group_by(*reason, "began", "column")
        .agg(pl.col("loud").sum())
        .sort(*reason, "column")
    )
    found: dict[tuple[str, str, str, int], list[tuple[int, float]]] = {}
    for cluster, source, key, began, column, loud in events.rows():
        found.setdefault((cluster, source, key, began), []).append((column, float(loud)))
    return [
        News(cluster, f"{source}\0{key}", own, _needed(
            source, (source, key) in elsewhere or earliest[source, key] < began
        ))
        for (cluster, source, key, began), own in found.items()
    ]  # fmt: skip


def _needed(source: str, known_elsewhere: bool) -> int:
    if known_elsewhere:
        return AGAIN_ELSEWHERE
    # An alert speaks once for what lasts.
    return 1 if source == ALERT else AGAIN


def _told(
    seen: View, fresh: list[News], settings: DetectionSettings, columns_a_day: int
) -> list[Found]:
    allowed = max(1, round(budget.share(settings) / PARTS))
    found = []
    for first in firsts(fresh, settings.merge_gap, columns_a_day, allowed):
        told = first.told(seen.end)
        if told is None or told.end <= seen.first:
            continue
        source, _, key = first.news[0].name.partition("\0")
        label = (first.news[0].place, source, key, None)
        found.append(
            Found(
                FIRST, label, max(told.start, seen.first), told.end, told.peak, told.score,
                min((first.before + 1) / columns_a_day, 1.0), told.most, 0.0, 0.0, 0.0,
            )
        )  # fmt: skip
    return found


def _blocks(seen: View, first: int, end: int) -> Iterable[tuple[int, int, int]]:
    for begin, start, stop in seen.pieces(seen.block, first):
        if start < min(stop, end):
            yield begin, start, min(stop, end)


def _rate(seen: View, own: Streams, settings: DetectionSettings, begin: int) -> float:
    """The rate of a block, by the streams that its history has."""
    total = own.events.total(max(begin - seen.history, 0), begin)
    return rate_of(settings, int(np.count_nonzero(total)))


def _found(
    detector: str, cells: Cells, labels: pl.DataFrame, seen: View, settings: DetectionSettings
) -> list[Found]:
    spans, peaks = intervals_of(cells, seen.end, settings.min_length, settings.merge_gap)
    names = labels.select(STREAM).rows()
    return [
        Found(
            detector, names[int(spans.row[i])], int(spans.start[i]), int(spans.end[i]),
            int(spans.peak[i]), *(
                float(getattr(cells, name)[peak])
                for name in ("score", "p_value", "actual", "expected", "lower", "upper")
            ),
        )
        for i, peak in enumerate(peaks)
    ]  # fmt: skip
