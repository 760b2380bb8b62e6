"""Metrics become a remote-write body; what cannot become part of it is counted, with its rule."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Metric,
    NumberDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ingest.errors import UnsupportedSampleError
from ingest.otlp import points
from ingest.otlp.accumulator import Accumulator, Amount
from ingest.otlp.body import Sample, WriteBody
from ingest.otlp.labels import SeriesLabels, target_info
from ingest.otlp.limits import NO_LIMITS, Limits
from ingest.otlp.names import metric_name, unit_name
from ingest.otlp.points import Point
from ingest.otlp.refusals import Refusals
from ingest.otlp.values import texts, to_json
from ingest.remote_write import message

DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE

UNKNOWN, COUNTER, GAUGE, HISTOGRAM, SUMMARY, INFO, STATESET = 0, 1, 2, 3, 5, 6, 7
"""Prometheus' numbers for kinds of metrics."""

TARGET_INFO = "target_info"

_KINDS = {"histogram": HISTOGRAM, "exponential_histogram": HISTOGRAM, "summary": SUMMARY}
_WAS = {"unknown": UNKNOWN, "info": INFO, "stateset": STATESET}
"""What a gauge was, if a collector scraped it from a Prometheus target and says so."""

Totals: TypeAlias = tuple[Accumulator, str]
"""Where deltas are added up, and whose they are: labels alone do not tell clusters apart."""


EMPTY = message.pack(b"")
"""A body that holds nothing."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated request.

    Attributes:
        body: remote write 1.0, packed; None where there is nothing to store.
        points: data points in the request.
        refusals: those that are not in the body.
    """

    body: bytes | None
    points: int
    refusals: Refusals

    def stored(self) -> "Translation":
        """The same with an empty body, once what it held is on disk."""
        return replace(self, body=EMPTY)


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    delta: bool


def has_deltas(request: ExportMetricsServiceRequest) -> bool:
    """Whether translating the request changes an accumulator."""
    return any(
        _temporality(metric) == DELTA
        for of_resource in request.resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
    )


def translate(
    request: ExportMetricsServiceRequest, totals: Totals, limits: Limits = NO_LIMITS
) -> Translation:
    """Translate a request; data points that break a rule are left out and counted.

    >>> translate(ExportMetricsServiceRequest(), (Accumulator(), "eu-1")).points
    0

    Raises:
        TooManyEntriesError: it has more parts than a request may.
        BodyTooLargeError: its translation would be too large.
    """
    limits.check_entries(_entries(request), "resources, scopes, metrics and data points")
    body, refusals, seen = WriteBody(limits), Refusals(), 0
    for of_resource in request.resource_metrics:
        latest = 0
        for of_scope in of_resource.scope_metrics:
            labels = SeriesLabels(of_resource.resource, of_scope.scope)
            for metric in of_scope.metrics:
                many = _points(metric)
                seen += len(many)
                at = _Metric(metric, labels, totals).into(body, refusals, many)
                latest = max(latest, at)
        if latest:
            _add_target_info(body, of_resource.resource, latest)
    return Translation(body.packed() if body else None, seen, refusals)


class _Metric:
    """One metric of a resource and scope on its way."""

    def __init__(self, metric: Metric, labels: SeriesLabels, totals: Totals) -> None:
        self._metric, self._labels = metric, labels
        self._totals, self._whose = totals

    def into(self, body: WriteBody, refusals: Refusals, many: Sequence[Point]) -> int:
        """Add its data points; the time of the latest that went in, 0 if none did."""
        latest = 0
        try:
            family = _family(self._metric)
        except UnsupportedSampleError as error:
            refusals.add(self._about(error), self._cluster, len(many))
            return 0
        for point in many:
            try:
                at = self._add(body, family, self._labels.of(point.attributes), point)
            except UnsupportedSampleError as error:
                refusals.add(self._about(error), self._cluster)
                continue
            latest = max(latest, at)
            body.exemplars += len(getattr(point, "exemplars", ()))
        if latest:
            metric = self._metric
            body.describe(family.name, _kind(metric), metric.description, unit_name(metric.unit))
        return latest

    def _add(self, body: WriteBody, family: _Family, labels: dict[str, str], point: Point) -> int:
        at = points.time_ms(point)
        body.add(labels, at, self._samples(family, labels, point))
        return at

    def _samples(self, family: _Family, labels: dict[str, str], point: Point) -> Iterable[Sample]:
        if points.is_stale(point):
            # A number that was not measured has no value either, and it need not have one.
            amount = 0.0 if isinstance(point, NumberDataPoint) else points.amount_of(point)
            return points.stale(points.samples(family.name, point, amount))
        amount = points.amount_of(point)
        if family.delta and amount is not None:
            amount = self._total(family, labels, point, amount)
        return points.samples(family.name, point, amount)

    def _total(
        self, family: _Family, labels: dict[str, str], point: Point, delta: Amount
    ) -> Amount:
        points.check_delta(delta)
        named = to_json([self._whose, family.name, labels])
        key = hashlib.blake2b(named.encode(), digest_size=16).digest()
        start, end = point.start_time_unix_nano, point.time_unix_nano
        return self._totals.add(key, start, end, delta)

    @property
    def _cluster(self) -> str:
        return self._labels.cluster or self._whose

    def _about(self, error: UnsupportedSampleError) -> str:
        return f"metric {self._metric.name[:100]!r}: {error}"


def _add_target_info(body: WriteBody, resource: Resource, at: int) -> None:
    labels = target_info(resource)
    if labels is None:
        return
    # A sender that has made one itself, with another value, has said what there is to say.
    with suppress(UnsupportedSampleError):
        body.add(labels, at, [(TARGET_INFO, {}, 1.0)])
        body.describe(TARGET_INFO, INFO, "Target metadata", "")


def _entries(request: ExportMetricsServiceRequest) -> Iterator[int]:
    """The parts of a request, counted piece by piece."""
    yield len(request.resource_metrics)
    for of_resource in request.resource_metrics:
        yield len(of_resource.scope_metrics)
        for of_scope in of_resource.scope_metrics:
            yield len(of_scope.metrics)
            yield from (len(_points(metric)) for metric in of_scope.metrics)


def _points(metric: Metric) -> Sequence[Point]:
    kind = metric.WhichOneof("data")
    found: Sequence[Point] = () if kind is None else getattr(metric, kind).data_points
    return found


def _temporality(metric: Metric) -> int | None:
    kind = metric.WhichOneof("data")
    if kind not in {"sum", "histogram", "exponential_histogram"}:
        return None
    found: int = getattr(metric, kind).aggregation_temporality
    return found


def _family(metric: Metric) -> _Family:
    """Its name, and whether its points are deltas.

    Raises:
        UnsupportedSampleError: its name says nothing, or its temporality cannot be stored.
    """
    kind, temporality = metric.WhichOneof("data"), _temporality(metric)
    if temporality not in {None, DELTA, CUMULATIVE}:
        raise UnsupportedSampleError("it does not say whether it is cumulative or a delta")
    if temporality == DELTA and kind == "sum" and not metric.sum.is_monotonic:
        raise UnsupportedSampleError(
            "a sum that can fall comes as deltas, and nothing says from where it began: "
            "send it cumulative, as the SDKs do unless told otherwise"
        )
    counter = kind == "sum" and metric.sum.is_monotonic
    name = metric_name(metric.name, metric.unit, counter=counter, gauge=kind == "gauge")
    return _Family(name, temporality == DELTA)


def _kind(metric: Metric) -> int:
    kind = metric.WhichOneof("data") or ""
    if kind == "sum" and metric.sum.is_monotonic:
        return COUNTER
    was = texts(metric.metadata).get("prometheus.type", "")
    return _KINDS.get(kind, _WAS.get(was, GAUGE))
