"""Evidence of the symptom, followed down the calls (`detectors.causes.flow`)."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from detectors.causes import Deviations, unexplained
from orchestration.errors import CausesError
from orchestration.steps.causes.evidence import Evidence, compared
from orchestration.steps.causes.metric_evidence import METRIC, metric_keys
from orchestration.steps.causes.metric_rows import MetricRows
from orchestration.steps.causes.series_codes import BASELINE, BEFORE

Calls = Mapping[str, set[str]]
Warn = Callable[[str], None]

VOLUME = re.compile(
    r"(?i)(^|[^a-z])(requests?|calls?|invocations?|ops|rps|qps|hits|throughput|workload)"
)
"""Metrics that say how often something is done."""

NOT_VOLUME = re.compile(
    r"(?i)error|fail|latency|duration|time|size|bytes|resource|limit|cpu|memory"
)

SHARES = re.compile(
    r"(?i)(^|[^a-z0-9])(p\d{2,3}|quantile|max(imum)?|min(imum)?|tm\d\d)($|[^a-z0-9])"
)
"""Series of a metric's extremes: they do not add up over callees; means do."""

SYMPTOMS = re.compile(r"(?i)latency|duration|time|error|fail|avail|success|5xx|4xx")
"""Metrics in which users see that something is wrong."""

_NORMAL_QUARTILES = 1.349


def symptom_of(text: str, data: MetricRows, by: str) -> tuple[str, str | None]:
    """The entity and, if it is named, the metric of a symptom; either may have colons in it.

    Raises:
        CausesError: there is no such entity, or it has no such metric.
    """
    named = METRIC in data.series.columns
    metrics: dict[str, set[str]] = defaultdict(set)
    for row in data.series.iter_rows(named=True):
        metrics[row[by]].add(row[METRIC] if named else "")
    if text in metrics:
        return text, None
    for place in [found.start() for found in re.finditer(":", text)][::-1]:
        entity, metric = text[:place], text[place + 1 :]
        if entity in metrics:
            if metric not in metrics[entity]:
                raise CausesError(f"{entity!r} has no metric {metric!r} for --symptom")
            return entity, metric
    raise CausesError(f"column {by!r} has no {text!r} for --symptom")


class Flow:
    """Follows a symptom through the series of a question.

    Args:
        data: the metrics.
        off: how far they are from their baselines.
        by: the column that names entities.
        warn: told why nothing is followed.
    """

    def __init__(self, data: MetricRows, off: Deviations, by: str, warn: Warn) -> None:
        self._data = data
        self._off = off
        self._warn = warn
        self._keys = metric_keys(data.series, by)
        self._entities = data.series[by].to_list()
        named = METRIC in data.series.columns
        self._names = data.series[METRIC].to_list() if named else [""] * len(self._keys)

    def evidence(self, calls: Calls, symptom: tuple[str, str | None]) -> list[Evidence]:
        """Evidence of entities whose callees do not explain their share of the symptom."""
        entity, metric = symptom
        own = [i for i, one in enumerate(self._entities) if one == entity and self._off.known[i]]
        if metric is None:
            telling = [i for i in own if SYMPTOMS.search(str(self._names[i]))] or own
            if telling:
                metric = self._names[max(telling, key=lambda i: self._off.size[i])]
        own = [i for i in own if self._names[i] == metric]
        plain = [i for i in own if not SHARES.search(" ".join(map(str, self._keys[i])))] or own
        if not any(self._moved(i) for i in plain):
            self._warn(f"{metric} of {entity} is as ever: the symptom cannot be followed")
            return []
        shares: dict[str, float] = defaultdict(float)
        series: dict[str, int] = {}
        # A set of tuples with None in them has no order of its own.
        keys = sorted({self._keys[i] for i in plain}, key=repr)
        for key in keys:
            of = self._series_of(key)
            for one, share in unexplained(self._excess(of, entity, calls), calls, entity).items():
                shares[one] += share / len(keys)
                series.setdefault(one, max(of[one], key=lambda i: self._off.size[i]))
        return [self._said(one, share, series[one]) for one, share in shares.items()]

    def _series_of(self, key: tuple[Any, ...]) -> dict[str, list[int]]:
        """Of each entity its series of a metric: one a pod, or the like."""
        found: dict[str, list[int]] = defaultdict(list)
        for index, one in enumerate(self._entities):
            if one is not None and self._keys[index] == key and self._off.known[index]:
                found[one].append(index)
        return found

    def _moved(self, index: int) -> bool:
        """Whether a series is further off than it scatters, be it ever so little."""
        _, before = self._data.of(index, BASELINE)
        lower, upper = np.quantile(before, (0.25, 0.75))
        off = abs(self._off.actual[index] - self._off.expected[index])
        return bool(off > (upper - lower) / _NORMAL_QUARTILES)

    def _excess(self, of: Mapping[str, list[int]], symptom: str, calls: Calls) -> dict[str, float]:
        """Each entity's deviation in the symptom's direction, times how often it happens."""
        off = self._off
        now = {one: float(np.mean(off.actual[i] - off.expected[i])) for one, i in of.items()}
        before = {one: float(np.mean([self._before(i) for i in own])) for one, own in of.items()}
        sign = 1.0 if now[symptom] > 0 else -1.0
        # What an entity showed before the symptom was there has not caused it.
        already = max(0.0, sign * before[symptom])
        newness = 1.0 - min(1.0, already / abs(now[symptom])) if now[symptom] else 0.0
        excess = {
            one: max(0.0, sign * now[one] - newness * max(0.0, sign * before[one])) for one in of
        }
        volumes = self._volumes()
        reached = unexplained(excess, calls, symptom)
        unknown = sorted(one for one in reached if excess.get(one) and one not in volumes)
        if unknown:
            if volumes:
                self._warn(
                    f"{', '.join(unknown[:3])}: no metric says how often it is asked, so all calls "
                    "count the same"
                )
            return excess
        return {one: value * volumes.get(one, 0.0) for one, value in excess.items()}

    def _volumes(self) -> dict[str, float]:
        """How often each entity is asked, by the metric that most of them have."""
        found: dict[tuple[Any, ...], dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for index, entity in enumerate(self._entities):
            name = str(self._names[index])
            volume = VOLUME.search(name) and not NOT_VOLUME.search(name)
            if volume and entity is not None and self._off.known[index]:
                found[self._keys[index]][entity] += float(self._off.actual[index])
        return max(found.values(), key=len, default={})

    def _before(self, index: int) -> float:
        _, values = self._data.of(index, BEFORE)
        return float(np.mean(values) - self._off.expected[index]) if len(values) else 0.0

    def _said(self, entity: str, share: float, index: int) -> Evidence:
        metric = str(self._names[index])
        actual, expected = float(self._off.actual[index]), float(self._off.expected[index])
        own = f"{share:.0%} of the symptom that callees do not explain"
        reason = f"{metric} {compared(actual, expected)}; {own}"
        return Evidence(entity, 100.0 * share, metric, reason, actual=actual, expected=expected)
