"""Metrics become a remote-write body; what cannot become part of it is counted, with its rule."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Metric,
    NumberDataPoint,
    ScopeMetrics,
)

from ingest.errors import BadRequestError, ClusterMissingError, UnsupportedSampleError
from ingest.otlp import points
from ingest.otlp.accumulator import Accumulator, Amount, Draft
from ingest.otlp.body import WriteBody
from ingest.otlp.labels import SeriesLabels, target_info
from ingest.otlp.limits import NO_LIMITS, Limits
from ingest.otlp.names import metric_name, unit_name
from ingest.otlp.points import Point
from ingest.otlp.refusals import UNNAMED, Refusals
from ingest.otlp.values import texts, to_json
from ingest.sender import ANYONE, Sender

DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE

UNKNOWN, COUNTER, GAUGE, HISTOGRAM, SUMMARY, INFO, STATESET = 0, 1, 2, 3, 5, 6, 7
"""Prometheus' numbers for kinds of metrics."""

TARGET_INFO = "target_info"

_KINDS = {"histogram": HISTOGRAM, "exponential_histogram": HISTOGRAM, "summary": SUMMARY}
_WAS = {"unknown": UNKNOWN, "info": INFO, "stateset": STATESET}
"""What a gauge was, if a collector scraped it from a Prometheus target and says so."""

RECENT_MS = 3_600_000
"""A 0 is written where a total begins, if that is so near: an older one is in no rate."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated request.

    Attributes:
        body: remote write 1.0, packed; None where there is nothing to store.
        points: data points in the request.
        refusals: those that are not in the body.
        samples: in the body.
        draft: what it adds to the totals, to be kept or taken back.
    """

    body: bytes | None
    points: int
    refusals: Refusals
    samples: int
    draft: Draft

    def stored(self) -> "Translation":
        """The same without what it held, once that has been handed in."""
        return replace(self, body=None)


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
    request: ExportMetricsServiceRequest,
    totals: Accumulator,
    sender: Sender = ANYONE,
    limits: Limits = NO_LIMITS,
) -> Translation:
    """Translate a request; data points that break a rule are left out and counted.

    >>> translate(ExportMetricsServiceRequest(), Accumulator()).points
    0

    Args:
        request: what came, no larger than `wire.decode` lets through.
        totals: where deltas are added up.
        sender: whose cluster is that of data which names none.
        limits: of its translation and its data points.

    Raises:
        BodyTooLargeError: its translation would be too large.
    """
    way, seen = _Way(WriteBody(limits), Refusals(), totals.draft(), sender, limits), 0
    try:
        for of_resource in request.resource_metrics:
            latest, attributes = 0, texts(of_resource.resource.attributes)
            for of_scope in of_resource.scope_metrics:
                seen += sum(len(_points(metric)) for metric in of_scope.metrics)
                latest = max(latest, _add_scope(way, attributes, of_scope))
            if latest:
                _add_target_info(way, attributes, latest)
        packed = way.body.packed() if way.body else None
    except BaseException:
        way.draft.undo()
        raise
    return Translation(packed, seen, way.refusals, way.body.samples, way.draft)


@dataclass(frozen=True, slots=True)
class _Way:
    """What the parts of one request share."""

    body: WriteBody
    refusals: Refusals
    draft: Draft
    sender: Sender
    limits: Limits

    def cluster_of(self, labels: Mapping[str, str]) -> str:
        """Whose a series is, once it is sure that its sender may bring it."""
        cluster = labels.get("cluster") or self.sender.cluster
        if not cluster:
            raise ClusterMissingError(UNNAMED)
        self.sender.check(cluster)
        return cluster


def _add_scope(way: _Way, attributes: Mapping[str, str], of_scope: ScopeMetrics) -> int:
    """Add a scope's data points; the time of the latest that went in, 0 if none did."""
    latest, named = 0, attributes.get("k8s.cluster.name") or way.sender.cluster or ""
    try:
        labels = SeriesLabels(attributes, of_scope.scope, way.limits)
    except UnsupportedSampleError as error:
        for metric in of_scope.metrics:
            way.refusals.refuse(_about(metric), error, named, len(_points(metric)))
        return 0
    for metric in of_scope.metrics:
        many = _points(metric)
        try:
            family = _family(metric, way.limits)
        except UnsupportedSampleError as error:
            way.refusals.refuse(_about(metric), error, named, len(many))
            continue
        at = _Metric(metric, family, labels, way).add_all(many, named)
        latest = max(latest, at)
    return latest


class _Metric:
    """One metric of a resource and scope on its way."""

    def __init__(self, metric: Metric, family: _Family, labels: SeriesLabels, way: _Way) -> None:
        self._metric, self._family, self._labels, self._way = metric, family, labels, way

    def add_all(self, many: Sequence[Point], named: str) -> int:
        """Add its data points; the time of the latest that went in, 0 if none did."""
        latest, way, metric = 0, self._way, self._metric
        for point in many:
            try:
                at = self._add(point)
            except BadRequestError as error:
                way.refusals.refuse(_about(metric), error, named)
                way.body.spend(point.ByteSize())
                continue
            latest = max(latest, at)
            way.body.exemplars += len(getattr(point, "exemplars", ()))
        if latest:
            name, unit = self._family.name, unit_name(metric.unit)
            way.body.describe(name, _kind(metric), metric.description, unit)
        return latest

    def _add(self, point: Point) -> int:
        """Its own rules first, which cost nothing; then its labels, then the totals."""
        at = points.time_ms(point)
        self._way.limits.check_time(at)
        ended, delta = points.is_stale(point), False
        if ended:
            # A number that was not measured has no value either, and it need not have one.
            amount = 0.0 if isinstance(point, NumberDataPoint) else points.amount_of(point)
        else:
            amount = points.amount_of(point)
            delta = self._family.delta and amount is not None
        if delta and amount is not None:
            points.check_delta(amount)
        labels = self._labels.of(point.attributes)
        cluster = self._way.cluster_of(labels)
        if delta and amount is not None:
            self._add_delta(cluster, labels, at, point, amount)
            return at
        found = points.samples(self._family.name, point, amount)
        self._way.body.add(labels, at, points.stale(found) if ended else found)
        return at

    def _add_delta(
        self, cluster: str, labels: dict[str, str], at: int, point: Point, delta: Amount
    ) -> None:
        way, name = self._way, self._family.name
        # Labels alone do not tell clusters apart, nor what each sender may bring.
        rest = {key: text for key, text in labels.items() if key != "cluster"}
        named = to_json([way.sender.context(cluster), name, rest])
        key = hashlib.blake2b(named.encode(), digest_size=16).digest()
        start = point.start_time_unix_nano
        total, begins = way.draft.add(key, cluster, start, point.time_unix_nano, delta)
        found = list(points.samples(name, point, total))
        try:
            way.body.add(labels, at, found)
        except UnsupportedSampleError:
            way.draft.undo(1)
            raise
        # The next millisecond: what was added up before a restart may have ended in this one.
        zero = start // points.NS_PER_MS + 1
        if begins and start and zero < at <= zero + RECENT_MS and zero >= way.limits.earliest_ms:
            with suppress(UnsupportedSampleError):
                way.body.add(labels, zero, [(metric, more, 0.0) for metric, more, _ in found])


def _about(metric: Metric) -> str:
    return f"metric {metric.name[:100]!r}"


def _add_target_info(way: _Way, attributes: Mapping[str, str], at: int) -> None:
    labels = target_info(attributes, way.limits)
    if labels is None:
        return
    # A sender that has made one itself, with another value, has said what there is to say.
    with suppress(BadRequestError):
        way.cluster_of(labels)
        way.body.add(labels, at, [(TARGET_INFO, {}, 1.0)])
        way.body.describe(TARGET_INFO, INFO, "Target metadata", "")


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


def _family(metric: Metric, limits: Limits) -> _Family:
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
    limits.check_name(metric.name)
    limits.check_name(metric.unit)
    counter = kind == "sum" and metric.sum.is_monotonic
    name = metric_name(metric.name, metric.unit, counter=counter, gauge=kind == "gauge")
    return _Family(name, temporality == DELTA)


def _kind(metric: Metric) -> int:
    kind = metric.WhichOneof("data") or ""
    if kind == "sum" and metric.sum.is_monotonic:
        return COUNTER
    was = texts(metric.metadata).get("prometheus.type", "")
    return _KINDS.get(kind, _WAS.get(was, GAUGE))
