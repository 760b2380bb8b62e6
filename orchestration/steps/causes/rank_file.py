"""Root causes from files, without a lake."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from detectors.causes import Deviations, notable, ranked
from detectors.causes.deviation import LEAST_BASELINE
from orchestration.errors import CausesError
from orchestration.steps.causes import (
    call_graph,
    change_evidence,
    log_evidence,
    metric_evidence,
    span_evidence,
)
from orchestration.steps.causes.evidence import Evidence, strongest
from orchestration.steps.causes.flow_evidence import Flow, symptom_of
from orchestration.steps.causes.metric_rows import MetricRows, Warn, read_metrics
from orchestration.steps.causes.names import Names, pods_of
from orchestration.steps.causes.question import Question
from orchestration.steps.causes.spans import calls_in, read_spans

CHANGES = "changes"

REASONS = 2
"""Of an entity, told in its sentence; all are in its evidence."""

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
    if not off.known.any():
        raise CausesError(
            f"no series has {LEAST_BASELINE} rows before {question.at} and one after: "
            "give a --baseline, or a later --at"
        )
    entities = data.series[question.by].drop_nulls().unique().to_list()
    _tell_unknown(data, off, question.by, warn)
    files = _Files(question, data, off, Names(entities, pods_of(data.series, question.by)), warn)
    progress(0.6)
    of_files = files.evidence()
    measured = {one.entity for one in of_files.get("latency", ())}
    kinds = {
        "metrics": metric_evidence.of_metrics(data, off, question.by, measured),
        "silence": metric_evidence.of_silence(data, question.by),
        "edges": metric_evidence.of_edges(data, off, question.by, files.names),
    } | of_files
    progress(0.95)
    return _answer(kinds, data.window)


def _tell_unknown(data: MetricRows, off: Deviations, by: str, warn: Warn) -> None:
    """Tell of entities that cannot be judged by their metrics."""
    known = data.series.filter(pl.Series(off.known))[by]
    unknown = sorted(set(data.series[by].drop_nulls()) - set(known))
    if unknown:
        some = ", ".join(unknown[:3]) + (", …" if len(unknown) > 3 else "")
        warn(f"{len(unknown)} have no metrics both before and after, and are not judged: {some}")


class _Files:
    """Evidence of what is given beside the metrics; tells what of it is of no use."""

    def __init__(
        self, question: Question, data: MetricRows, off: Deviations, names: Names, warn: Warn
    ) -> None:
        self.names = names
        self._question = question
        self._data = data
        self._off = off
        self._warn = warn

    def evidence(self) -> dict[str, list[Evidence]]:
        """By kind."""
        question, data, names = self._question, self._data, self.names
        by, at, window = question.by, question.at, data.window
        kinds: dict[str, list[Evidence]] = {}
        graph = [] if question.graph is None else call_graph.read_graph(question.graph)
        spans = None
        if question.traces is not None:
            spans = read_spans(question.traces, by, names, at + window, self._warn)
            kinds["latency"] = span_evidence.of_latency(spans, at, window)
            kinds["calls"] = span_evidence.of_calls(spans, at, window)
            self._tell("traces", spans)
        if question.logs is not None:
            lines = log_evidence.read_lines(question.logs, by, names, at + window)
            kinds["logs"] = log_evidence.of_logs(lines, spans, at, window)
            self._tell("logs", lines)
        if question.events is not None:
            kinds[CHANGES] = change_evidence.of_changes(question.events, by, names, at)
            if not kinds[CHANGES]:
                self._warn("--events: nothing that is ranked was changed within the hour before")
        if question.symptom is not None:
            kinds["flow"] = self._flow(question.symptom, graph, spans)
        elif graph:
            self._warn("--graph says nothing without a --symptom to follow along it")
        return kinds

    def _flow(
        self, symptom: str, given: list[tuple[str, str]], spans: pl.DataFrame | None
    ) -> list[Evidence]:
        where = symptom_of(symptom, self._data, self._question.by)
        pairs = given or ([] if spans is None else calls_in(spans))
        calls = call_graph.calls_of(pairs, self.names)
        if not calls.get(where[0]):
            self._warn(f"nobody is known to be called by {where[0]}: the symptom is not followed")
            return []
        flow = Flow(self._data, self._off, self._question.by, self._warn)
        return flow.evidence(calls, where)

    def _tell(self, option: str, rows: pl.DataFrame) -> None:
        """Tell where there is nothing to compare."""
        before = rows["timestamp"] < self._question.at
        for which, there in (("before", before.any()), ("after", (~before).any())):
            if not there:
                self._warn(f"--{option} has nothing of what is ranked {which} --at")


def _answer(kinds: Mapping[str, Sequence[Evidence]], window: timedelta) -> Answer:
    best = {kind: strongest(list(found)) for kind, found in kinds.items()}
    order = ranked({kind: {e: one.size for e, one in of.items()} for kind, of in best.items()})
    causes = []
    for rank, one in enumerate(order, 1):
        # What counts most first; what does not count is known all the same.
        first_kinds = dict.fromkeys([kind for kind, _ in one.kinds] + list(best))
        evidence = tuple(
            (kind, best[kind][one.entity]) for kind in first_kinds if one.entity in best[kind]
        )
        counted = {kind for kind, _ in one.kinds}
        telling = {
            kind: found
            for kind, found in evidence
            if kind in counted or notable({kind: found.size})
        }
        # A change is before what it brings about.
        onsets = [found.onset for kind, found in telling.items() if found.onset and kind != CHANGES]
        reasons = [found.reason for found in telling.values()][:REASONS]
        causes.append(
            Cause(
                rank,
                one.entity,
                one.score,
                one.confidence,
                evidence[0][1].what if evidence else "",
                min(onsets) if onsets else None,
                "; ".join(reasons) or "nothing unusual",
                evidence,
            )
        )
    abstained = None
    if not causes or not notable({kind: one.size for kind, one in causes[0].evidence}):
        abstained = "nothing stands out: what is unusual may be chance"
    return Answer(tuple(causes), abstained, window)
