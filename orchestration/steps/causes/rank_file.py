"""Root causes from files, without a lake."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from detectors.causes import Deviations, notable, ranked
from orchestration.steps.causes import (
    call_graph,
    change_evidence,
    log_evidence,
    metric_evidence,
    span_evidence,
)
from orchestration.steps.causes.evidence import Evidence, strongest
from orchestration.steps.causes.metric_rows import MetricRows, Warn, read_metrics
from orchestration.steps.causes.names import Names, pods_of
from orchestration.steps.causes.question import Question
from orchestration.steps.causes.spans import calls_in, read_spans

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Cause:
    """An entity that may be the cause.

    Attributes:
        rank: from 1.
        entity: its name.
        score: comparable within one answer only.
        confidence: share of all that speaks for anything.
        metric: what shows it best.
        onset: when that began, if it is known.
        reason: a sentence with actual against expected.
        evidence: the strongest of each kind, what counts most first.
    """

    rank: int
    entity: str
    score: float
    confidence: float
    metric: str
    onset: datetime | None
    reason: str
    evidence: tuple[tuple[str, Evidence], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What `rank_file` found.

    Attributes:
        causes: the likeliest first.
        abstained: why none of them is to be believed; None where the first stands out.
        window: how long the incident was looked at.
    """

    causes: tuple[Cause, ...]
    abstained: str | None
    window: timedelta


def rank_file(
    question: Question,
    progress: Progress = lambda _: None,
    warn: Warn = lambda _: None,
) -> Answer:
    """Rank the entities of metrics files by what speaks for their being the cause.

    Raises:
        FileFormatError: a file cannot be read, or lacks a column.
        CausesError: what is asked for is not there.
    """
    data = read_metrics(question, warn)
    progress(0.4)
    off = metric_evidence.deviations_of(data, question.by)
    kinds = _of_metrics(question, data, off)
    names = _names(question, data)
    progress(0.6)
    kinds |= _of_files(question, data, off, names, warn)
    progress(0.95)
    return _answer(kinds, data.window)


Kinds = dict[str, Sequence[Evidence]]


def _names(question: Question, data: MetricRows) -> Names:
    entities = data.series[question.by].cast(pl.String).drop_nulls().unique().to_list()
    return Names(entities, pods_of(data.series, question.by))


def _of_metrics(question: Question, data: MetricRows, off: Deviations) -> Kinds:
    names = _names(question, data)
    return {
        "metrics": metric_evidence.of_metrics(data, off, question.by),
        "silence": metric_evidence.of_silence(data, question.by, question.at),
        "edges": metric_evidence.of_edges(data, off, question.by, names),
    }


def _of_files(
    question: Question, data: MetricRows, off: Deviations, names: Names, warn: Warn
) -> Kinds:
    by, at, window = question.by, question.at, data.window
    kinds: Kinds = {}
    pairs = [] if question.graph is None else call_graph.read_graph(question.graph)
    spans = None
    if question.traces is not None:
        spans = read_spans(question.traces, by, names, at + window, warn)
        kinds["latency"] = span_evidence.of_latency(spans, at, window)
        kinds["calls"] = span_evidence.of_calls(spans, at, window)
        pairs = pairs or calls_in(spans)
    if question.logs is not None:
        lines = log_evidence.read_lines(question.logs, by, names, at + window)
        kinds["logs"] = log_evidence.of_logs(lines, spans, at, window)
    if question.events is not None:
        kinds["changes"] = change_evidence.of_changes(question.events, by, names, at)
    if question.symptom is not None:
        symptom = call_graph.symptom_of(question.symptom, data, by)
        calls = call_graph.calls_of(pairs, names)
        if pairs:
            kinds["flow"] = call_graph.of_flow(data, off, by, calls, symptom)
    return kinds


def _answer(kinds: Mapping[str, Sequence[Evidence]], window: timedelta) -> Answer:
    best = {kind: strongest(list(found)) for kind, found in kinds.items()}
    order = ranked({kind: {e: one.size for e, one in of.items()} for kind, of in best.items()})
    causes = []
    for rank, one in enumerate(order, 1):
        evidence = tuple((kind, best[kind][one.entity]) for kind, _ in one.kinds)
        first = evidence[0][1] if evidence else None
        onsets = [found.onset for _, found in evidence if found.onset is not None]
        causes.append(
            Cause(
                rank,
                one.entity,
                one.score,
                one.confidence,
                first.what if first else "",
                min(onsets) if onsets else None,
                "; ".join(found.reason for _, found in evidence[:2]) or "nothing unusual",
                evidence,
            )
        )
    abstained = None
    if not causes or not notable({kind: one.size for kind, one in causes[0].evidence}):
        abstained = (
            "nothing stands out: no entity is much further from its baseline than the others"
        )
    return Answer(tuple(causes), abstained, window)
