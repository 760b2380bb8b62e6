"""What metrics say: of entities themselves, and of calls between them."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from math import log1p
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.causes import Deviations, at_ends, deviations, onset_of
from lake.timerange import from_micros
from orchestration.steps.causes.evidence import Evidence, compared
from orchestration.steps.causes.metric_rows import MICROSECOND, MetricRows, micros
from orchestration.steps.causes.names import UNIT_NAMES, Names
from orchestration.steps.causes.series_codes import BASELINE, INCIDENT

EDGE_COLUMNS = (
    ("source", "target"),
    ("source", "destination"),
    ("source_workload", "destination_workload"),
    ("client", "server"),
)
"""Pairs of labels of a series that is about calls."""

METRIC = "metric"

USUAL = 3.0
"""Scales that calls are off without anything being wrong."""

MISSED = 3.0
"""Steps of its own after which a series is missed."""

LEAST_ROWS = 3
"""From which a series has a step."""

SILENT = 20.0
"""Size of an entity that says nothing any more."""


CLIENT = re.compile(r"(?<![A-Za-z])(client|outbound|upstream)(?![a-z])|(?<=[a-z])Client(?![a-z])")
"""Metrics of an entity as a client: they measure whom it calls."""

LATENCY = re.compile(r"(?i)latency|duration")
"""Metrics of an entity's requests, with all that these wait for."""

CLIENT_SHARE = 0.5
"""Of a deviation that is held against a client."""

RETOLD_SHARE = 0.25
"""Of the deviation of a latency that spans take apart."""


def metric_keys(series: pl.DataFrame, by: str) -> list[tuple[Any, ...]]:
    """Of each series what makes it the same metric as another entity's: labels but for names."""
    columns = telling(series, by)
    if not columns:
        return [()] * series.height
    return list(series.select(columns).iter_rows())


def telling(series: pl.DataFrame, by: str) -> list[str]:
    """The labels that say what is measured: not of whom, and not the same for all."""
    return [
        name
        for name in series.columns
        if name != by and name not in UNIT_NAMES and (name == METRIC or series[name].n_unique() > 1)
    ]


def deviations_of(data: MetricRows, by: str) -> Deviations:
    """How far each series is from its baseline."""
    keys = metric_keys(data.series, by)
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return deviations(data.rows, np.array([numbers[key] for key in keys], np.int64))


def of_metrics(
    data: MetricRows, off: Deviations, by: str, measured: Collection[str] = ()
) -> list[Evidence]:
    """Evidence of each entity's most deviating series.

    Args:
        data: the metrics.
        off: how far they are from their baselines.
        by: the column that names entities.
        measured: entities whose own time spans tell from what they wait for: their latency as a
            metric adds the waiting to it.
    """
    entities = data.series[by].cast(pl.String).to_list()
    own = off.size * _own_shares(data, entities, measured)
    order = np.argsort(-own, kind="stable")
    first: dict[str, int] = {}
    for index in order.tolist():
        if entities[index] is not None and off.known[index]:
            first.setdefault(entities[index], index)
    columns = telling(data.series, by)
    return [_evidence(data, off, i, by, columns, float(own[i])) for i in first.values()]


def _own_shares(
    data: MetricRows, entities: Sequence[str | None], measured: Collection[str]
) -> npt.NDArray[np.float64]:
    """What of each series' deviation counts for its entity."""
    if METRIC not in data.series.columns:
        return np.ones(len(entities))
    names = data.series[METRIC].cast(pl.String)
    known = names.drop_nulls().unique().to_list()
    clients = _are(names, [name for name in known if CLIENT.search(name)])
    retold = _are(names, [name for name in known if LATENCY.search(name)])
    retold &= _are(pl.Series(entities, dtype=pl.String), measured)
    return np.where(retold, RETOLD_SHARE, np.where(clients, CLIENT_SHARE, 1.0))


def _are(texts: pl.Series, some: Collection[str]) -> npt.NDArray[np.bool_]:
    return texts.is_in(list(some)).fill_null(value=False).to_numpy()


def _evidence(
    data: MetricRows, off: Deviations, index: int, by: str, columns: Sequence[str], size: float
) -> Evidence:
    labels = {k: str(v) for k, v in data.series.row(index, named=True).items() if v is not None}
    what = name_of(labels, columns) or labels[by]
    actual, expected = float(off.actual[index]), float(off.expected[index])
    return Evidence(
        labels[by],
        size,
        what,
        f"{what} {compared(actual, expected)}",
        _onset(data, off, index),
        labels,
        actual,
        expected,
    )


def name_of(labels: dict[str, str], columns: Sequence[str]) -> str:
    """What a series is called, without the entity.

    >>> labels = {"service": "cart", "statistic": "p99", "metric": "latency"}
    >>> name_of(labels, ["statistic", "metric"])
    'latency p99'
    """
    ordered = sorted(columns, key=lambda name: name != METRIC)
    return " ".join(labels[name] for name in ordered if name in labels)


def _onset(data: MetricRows, off: Deviations, index: int) -> datetime | None:
    times, values, begin = data.near(index)
    first = onset_of(values, float(off.expected[index]), float(off.scale[index]), begin)
    return None if first is None else from_micros(int(times[first]))


def of_silence(data: MetricRows, by: str) -> list[Evidence]:
    """Evidence of entities whose series have stopped, by the share of them.

    One has stopped if it came until the incident, and has then been missing for several of its own
    steps: what comes every quarter of an hour is not missed after five minutes.
    """
    series: dict[str, list[datetime | None]] = {}
    end = min(micros(data.at + data.window), int(data.times[data.kind == INCIDENT].max()))
    come = _come(data, end)
    last = data.times[np.maximum(data.rows.starts[:-1] + come - 1, 0)]
    there = ((come > 0) & (last == end)).tolist()
    for index, entity in enumerate(data.series[by].to_list()):
        if there[index]:
            if entity is not None:
                series.setdefault(entity, []).append(None)
            continue
        own = slice(int(data.rows.starts[index]), int(data.rows.starts[index + 1]))
        times = data.times[own][data.kind[own] != (BASELINE if data.foreign else -1)]
        times = times[times <= end]
        if entity is None or len(times) < LEAST_ROWS:
            continue
        step = float(np.median(np.diff(times)))
        missing = end - int(times[-1]) > MISSED * step
        if int(times[-1]) >= micros(data.at) - max(MISSED * step, data.window / MICROSECOND):
            stopped = from_micros(int(times[-1])) if missing else None
            series.setdefault(entity, []).append(stopped)
    found = []
    for entity, all_of in series.items():
        gone = [last for last in all_of if last is not None]
        if gone:
            text = f"{len(gone)} of {len(all_of)} series stopped"
            size = SILENT * len(gone) / len(all_of)
            left, whole = float(len(all_of) - len(gone)), float(len(all_of))
            found.append(
                Evidence(entity, size, "silence", text, max(gone), actual=left, expected=whole)
            )
    return found


def _come(data: MetricRows, end: int) -> npt.NDArray[np.int64]:
    """How many rows of each series have come by a time."""
    starts = data.rows.starts
    come = np.diff(starts)
    # Of most series all rows have, and the newest says so.
    for series in np.flatnonzero(data.times[starts[1:] - 1] > end).tolist():
        own = data.times[starts[series] : starts[series + 1]]
        come[series] = np.searchsorted(own, end, side="right")
    return come


def of_edges(data: MetricRows, off: Deviations, by: str, names: Names) -> list[Evidence]:
    """Evidence of series that are about calls between entities, for the end that is to blame."""
    found: dict[tuple[str, str], tuple[float, int]] = {}
    for index, labels in enumerate(data.series.iter_rows(named=True)):
        ends = None if labels[by] is not None or not off.known[index] else _ends(labels, names)
        if ends and (ends not in found or found[ends][0] < off.size[index]):
            found[ends] = (float(off.size[index]), index)
    odd = {ends: log1p(max(0.0, size - USUAL)) for ends, (size, _) in found.items()}
    sizes = at_ends([(*ends, 1.0, size) for ends, size in odd.items()])
    evidence = []
    for entity, size in sizes.items():
        own = [ends for ends in odd if entity in ends]
        worst = max(own, key=lambda ends: odd[ends])
        index = found[worst][1]
        text = compared(float(off.actual[index]), float(off.expected[index]))
        labels = {k: str(v) for k, v in data.series.row(index, named=True).items() if v is not None}
        name = name_of(labels, telling(data.series, by))
        what = f"{name} of calls {worst[0]} → {worst[1]}"
        evidence.append(Evidence(entity, size, what, f"{what} {text}", _onset(data, off, index)))
    return evidence


def _ends(labels: dict[str, Any], names: Names) -> tuple[str, str] | None:
    """The entities at the ends of a series of calls: by its labels, or by a name like a_b."""
    for source, target in EDGE_COLUMNS:
        if labels.get(source) and labels.get(target):
            return _both(str(labels[source]), str(labels[target]), names)
    parts = str(labels.get("metric") or "").split("_")
    splits = [("_".join(parts[:cut]), "_".join(parts[cut:])) for cut in range(1, len(parts))]
    return next((ends for one in splits if (ends := _both(*one, names))), None)


def _both(source: str, target: str, names: Names) -> tuple[str, str] | None:
    caller, callee = names.entity(source), names.entity(target)
    return (caller, callee) if caller and callee and caller != callee else None


def sizes_of(evidence: Sequence[Evidence]) -> dict[str, float]:
    """Of each entity its largest size."""
    sizes: dict[str, float] = {}
    for one in evidence:
        sizes[one.entity] = max(sizes.get(one.entity, 0.0), one.size)
    return sizes
