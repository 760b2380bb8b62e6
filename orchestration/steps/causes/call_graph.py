"""The symptom followed down the calls: what its callees do not explain."""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from detectors.causes import Deviations, unexplained
from lake.external import read_rows
from orchestration.errors import CausesError
from orchestration.steps.causes.evidence import Evidence, compared
from orchestration.steps.causes.metric_evidence import metric_keys
from orchestration.steps.causes.metric_rows import BEFORE, MetricRows
from orchestration.steps.causes.names import Names

Calls = Mapping[str, set[str]]

VOLUME = re.compile(
    r"(?i)(^|[^a-z])(requests?|calls?|invocations?|ops|rps|qps|hits|throughput|workload)"
)
"""Metrics that say how often something is done."""

NOT_VOLUME = re.compile(r"(?i)error|fail|latency|duration|time|size|bytes")

SHARES = re.compile(
    r"(?i)(^|[^a-z0-9])(p\d{2,3}|quantile|max(imum)?|min(imum)?|tm\d\d)($|[^a-z0-9])"
)
"""Series of a metric's extremes: they do not add up over callees; means do."""

SYMPTOMS = re.compile(r"(?i)latency|duration|time|error|fail|avail|success|5xx|4xx")
"""Metrics in which users see that something is wrong."""


def read_graph(path: Path) -> list[tuple[str, str]]:
    """Callers and callees of a file with `source` and `target`.

    Raises:
        FileFormatError: it cannot be read, or lacks a column.
    """
    rows = pl.DataFrame(read_rows(path, ("source", "target"), timed=False))
    pairs = rows.select("source", "target").drop_nulls().unique(maintain_order=True)
    return [(str(source), str(target)) for source, target in pairs.iter_rows()]


def calls_of(pairs: list[tuple[str, str]], names: Names) -> dict[str, set[str]]:
    """Whom each entity calls; ends without metrics stay, under their own names."""
    calls: dict[str, set[str]] = defaultdict(set)
    for source, target in pairs:
        calls[names.entity(source) or source].add(names.entity(target) or target)
    return calls


def symptom_of(text: str, data: MetricRows, by: str) -> tuple[str, str | None]:
    """The entity and, if it is named, the metric of a symptom; either may have colons in it.

    Raises:
        CausesError: there is no such entity, or metric.
    """
    entities = set(data.series[by].cast(pl.String).drop_nulls().to_list())
    if text in entities:
        return text, None
    metrics = set(data.series["metric"].to_list()) if "metric" in data.series.columns else set()
    for place in [found.start() for found in re.finditer(":", text)][::-1]:
        entity, metric = text[:place], text[place + 1 :]
        if entity in entities:
            if metric not in metrics:
                raise CausesError(f"the metrics have no metric {metric!r} for --symptom")
            return entity, metric
    raise CausesError(f"column {by!r} has no {text!r} for --symptom")


def of_flow(
    data: MetricRows, off: Deviations, by: str, calls: Calls, symptom: tuple[str, str | None]
) -> list[Evidence]:
    """Evidence of entities whose callees do not explain their share of the symptom."""
    entity, metric = symptom
    keys = metric_keys(data.series, by)
    entities = data.series[by].cast(pl.String).to_list()
    names = data.series["metric"].to_list() if "metric" in data.series.columns else [""] * len(keys)
    own = [i for i, one in enumerate(entities) if one == entity and off.known[i]]
    if metric is None:
        telling = [i for i in own if SYMPTOMS.search(str(names[i]))] or own
        metric = names[max(telling, key=lambda i: off.size[i])] if telling else None
    kinds = {keys[i] for i in own if names[i] == metric}
    plain = {key for key in kinds if not SHARES.search(" ".join(map(str, key)))}
    volume = _volumes(off, entities, names)
    shares: dict[str, float] = defaultdict(float)
    series: dict[str, int] = {}
    # A set of tuples with None in them has no order of its own.
    for key in sorted(plain or kinds, key=repr):
        of = {e: i for i, e in enumerate(entities) if e and keys[i] == key and off.known[i]}
        found = unexplained(_excess(data, off, of, volume, entity), calls, entity)
        for one, share in found.items():
            shares[one] += share / len(plain or kinds)
            series.setdefault(one, of[one])
    return [_evidence(off, one, share, series[one], str(metric)) for one, share in shares.items()]


def _volumes(off: Deviations, entities: list[str], names: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for index, entity in enumerate(entities):
        name = str(names[index])
        if entity and off.known[index] and VOLUME.search(name) and not NOT_VOLUME.search(name):
            found[entity] = max(found.get(entity, 0.0), float(off.actual[index]))
    return found


def _excess(
    data: MetricRows, off: Deviations, of: dict[str, int], volume: dict[str, float], symptom: str
) -> dict[str, float]:
    """Each entity's deviation in the symptom's direction, times how often it happens."""
    here = of[symptom]
    now = {one: float(off.actual[i] - off.expected[i]) for one, i in of.items()}
    sign = 1.0 if now[symptom] > 0 else -1.0
    before = {one: _before(data, off, i) for one, i in of.items()}
    # What an entity showed before the symptom was there has not caused it.
    already = max(0.0, sign * before[symptom])
    newness = (
        1.0 - min(1.0, already / abs(now[symptom]))
        if off.actual[here] != off.expected[here]
        else 0.0
    )
    return {
        one: max(0.0, sign * now[one] - newness * max(0.0, sign * before[one]))
        * (volume.get(one, 0.0) if volume else 1.0)
        for one in of
    }


def _before(data: MetricRows, off: Deviations, index: int) -> float:
    _, values = data.of(index, BEFORE)
    return float(np.mean(values) - off.expected[index]) if len(values) else 0.0


def _evidence(off: Deviations, entity: str, share: float, index: int, metric: str) -> Evidence:
    text = compared(float(off.actual[index]), float(off.expected[index]))
    reason = f"{metric} {text}; {share:.0%} of the symptom that callees do not explain"
    return Evidence(
        entity,
        100.0 * share,
        metric,
        reason,
        actual=float(off.actual[index]),
        expected=float(off.expected[index]),
    )
