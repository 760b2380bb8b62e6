"""Log records become events: plain ones of source `log`, and Kubernetes' own.

A Collector's `k8seventsreceiver` sends Kubernetes Events as log records; they become the rows that
the cluster's own API would have given (`ingest.kubernetes`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import xxhash
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from ingest.errors import BadRequestError, ClusterMissingError, InvalidEventError
from ingest.otlp import kubernetes_events
from ingest.otlp.limits import NO_LIMITS, Limits
from ingest.otlp.refusals import UNNAMED, Refusals
from ingest.otlp.severity import severity_of, type_of
from ingest.otlp.values import text_of, texts, to_json
from ingest.rules import END_OF_TIME
from ingest.sender import ANYONE, Sender
from lake.timerange import EPOCH

MAX_MESSAGE = 65_536
"""Characters; beyond this the rest is cut off, as with Kubernetes' events."""

NS_PER_US = 1_000

LEAST_ATTRIBUTE = 8
"""Bytes of the shortest attribute as JSON."""

CLUSTER = "k8s.cluster.name"

ABOUT = (
    ("Pod", "k8s.pod.name"),
    ("Job", "k8s.job.name"),
    ("Deployment", "k8s.deployment.name"),
    ("StatefulSet", "k8s.statefulset.name"),
    ("DaemonSet", "k8s.daemonset.name"),
    ("Node", "k8s.node.name"),
)
"""Which object a record is about: the first that is named."""

REASONS = ("event.name", "exception.type")
"""Attributes that say what happened, in a word; before the severity, which says how bad it was."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated request.

    Attributes:
        body: a JSON array of events, as `ingest.events` reads it; None where there is none.
        records: log records in the request.
        refusals: those that are not in the body.
    """

    body: bytes | None
    records: int
    refusals: Refusals


def translate(
    request: ExportLogsServiceRequest,
    sender: Sender = ANYONE,
    limits: Limits = NO_LIMITS,
    times: tuple[datetime, datetime] = (EPOCH, END_OF_TIME),
) -> Translation:
    """Translate a request; records that break a rule are left out and counted.

    The same request gives the same rows, ids included, so that one sent again is known again.

    Args:
        request: what came.
        sender: whose cluster is that of records which name none, and who may not bring all.
        limits: how much it may become.
        times: the first and the last that are accepted. One wrong clock behind a collector must not
            take the records of all others with it.

    Raises:
        BodyTooLargeError: its translation would be too large.
    """
    events, refusals, count, size = [], Refusals(), 0, 0
    seen: Counter[bytes] = Counter()
    for resource, scope, record in _records(request):
        count += 1
        named = resource.get(CLUSTER) or sender.cluster or ""
        try:
            wrong = _wrong_time(record, *times)
            event = {} if wrong else _event(resource, scope, record)
            if not wrong:
                _check_cluster(event, sender)
        except BadRequestError as error:
            refusals.refuse(_about(record), error, named)
            wrong, event = None, {}
        if wrong is not None:
            reason, broken = wrong
            refusals.add(f"{_about(record)}: {broken}", named, reason=reason)
        if not event:
            # Its resource's attributes were gone through for nothing: that is not free either.
            size += record.ByteSize() + LEAST_ATTRIBUTE * len(resource)
            limits.check_bytes(size)
            continue
        if "uid" not in event:
            # Lines that are the same in everything, time included, are still so many lines.
            same = xxhash.xxh3_128_digest(to_json(event).encode())
            seen[same] += 1
            event["uid"] = xxhash.xxh3_128_hexdigest(same + b"%d" % seen[same])
        events.append(to_json(event))
        size += len(events[-1])
        limits.check_bytes(size)
    body = f"[{','.join(events)}]".encode() if events else None
    return Translation(body, count, refusals)


def _about(record: LogRecord) -> str:
    return f"log record {text_of(record.body)[:60]!r}"


def _check_cluster(event: Mapping[str, Any], sender: Sender) -> None:
    cluster = event.get("cluster") or sender.cluster
    if not cluster:
        raise ClusterMissingError(UNNAMED)
    sender.check(cluster)


def _records(
    request: ExportLogsServiceRequest,
) -> Iterator[tuple[Mapping[str, str], Mapping[str, str], LogRecord]]:
    for of_resource in request.resource_logs:
        resource = texts(of_resource.resource.attributes)
        for of_scope in of_resource.scope_logs:
            scope = _scope(of_scope.scope)
            for record in of_scope.log_records:
                yield resource, scope, record


def _scope(scope: InstrumentationScope) -> dict[str, str]:
    found = {"otel.scope.name": scope.name, "otel.scope.version": scope.version}
    return {name: text for name, text in found.items() if text}


def _event(
    resource: Mapping[str, str], scope: Mapping[str, str], record: LogRecord
) -> dict[str, Any]:
    own = texts(record.attributes)
    known = {**resource, **own}
    event: dict[str, Any] = {
        "time": _time(record).isoformat(timespec="microseconds"),
        "message": text_of(record.body)[:MAX_MESSAGE],
        "type": type_of(record),
    }
    if known.get(CLUSTER):
        event["cluster"] = known[CLUSTER]
    if known.get("k8s.namespace.name"):
        event["namespace"] = known["k8s.namespace.name"]
    if kubernetes_events.is_event(own):
        rest = kubernetes_events.fill(event, known)
    else:
        _fill(event, known, record)
        rest = known
    rest = {name: text for name, text in {**rest, **scope, **_trace(record)}.items() if text}
    if rest:
        event["attributes"] = rest
    return event


def _fill(event: dict[str, Any], known: Mapping[str, str], record: LogRecord) -> None:
    event["source"] = "log"
    named = [record.event_name, *(known.get(name) for name in REASONS)]
    event["reason"] = next(filter(None, named), None) or severity_of(record) or "log"
    if known.get("log.record.uid"):
        event["uid"] = known["log.record.uid"]
    for kind, name in ABOUT:
        if known.get(name):
            event["kind"], event["name"] = kind, known[name]
            return
    if known.get("service.name"):
        event["name"] = known["service.name"]


def _time(record: LogRecord) -> datetime:
    moment = record.time_unix_nano or record.observed_time_unix_nano
    if not moment:
        raise InvalidEventError("it has no time")
    # Nanoseconds go: the lake keeps microseconds.
    return EPOCH + timedelta(microseconds=moment // NS_PER_US)


def _wrong_time(record: LogRecord, earliest: datetime, latest: datetime) -> tuple[str, str] | None:
    """Which side of what is accepted a record is on, and how it is told; None = inside."""
    at = _time(record)
    if at > latest:
        return "future", f"is of {at.isoformat()}, later than {latest.isoformat()}"
    if at < earliest:
        return "past", f"is of {at.isoformat()}, earlier than {earliest.isoformat()}"
    return None


def _trace(record: LogRecord) -> dict[str, str]:
    return {
        "severity": severity_of(record) or "",
        "trace_id": record.trace_id.hex(),
        "span_id": record.span_id.hex(),
    }
