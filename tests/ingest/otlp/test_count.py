"""What a body holds is known before it is read."""

import json

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from ingest.errors import MalformedBodyError, TooManyEntriesError
from ingest.otlp.count import check
from ingest.otlp.limits import Limits
from ingest.otlp.wire import JSON, PROTOBUF, decode

METRICS, LOGS = ExportMetricsServiceRequest.DESCRIPTOR, ExportLogsServiceRequest.DESCRIPTOR


@pytest.fixture
def summary(point):
    def of(quantiles):
        one = point(count=1, quantileValues=[{}] * quantiles)
        return {"name": "s", "summary": {"dataPoints": [one]}}

    return of


def test_entries_are_counted_wherever_they_are(request_of, gauge, point):
    body = request_of(gauge("g", point(value=1), point(61, 2)), gauge("h")).SerializeToString()
    check(body, METRICS, Limits(entries=6))
    with pytest.raises(TooManyEntriesError, match="6 resources, scopes, metrics"):
        check(body, METRICS, Limits(entries=5))


def test_details_are_counted_wherever_they_are(request_of, logs_of, summary):
    body = request_of(summary(7)).SerializeToString()
    # The quantiles, and the resource, the scope and the summary itself.
    check(body, METRICS, Limits(details=10))
    with pytest.raises(TooManyEntriesError, match="10 attributes, quantiles"):
        check(body, METRICS, Limits(details=9))
    nested = logs_of(resource={"a": [[1, 2], {"b": 3}]}).SerializeToString()
    with pytest.raises(TooManyEntriesError):
        check(nested, LOGS, Limits(details=10))


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_nothing_is_built_of_what_is_too_much(media, request_of, summary):
    request = request_of(summary(50))
    body = request.SerializeToString()
    if media == JSON:
        body = json.dumps(json_format.MessageToDict(request)).encode()
    into = ExportMetricsServiceRequest()
    with pytest.raises(TooManyEntriesError):
        decode(body, media, into, Limits(entries=10, details=20))
    assert into.ByteSize() == 0


def test_json_is_counted_as_what_it_becomes(request_of, summary):
    body = json.dumps(json_format.MessageToDict(request_of(summary(50)))).encode()
    with pytest.raises(TooManyEntriesError, match="attributes, quantiles"):
        decode(body, JSON, ExportMetricsServiceRequest(), Limits(entries=1000, details=20))


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05\x00", b"\x0a\x02\x0a\x01", b"\x0b\x0c"])
def test_what_is_no_protobuf(body):
    with pytest.raises(MalformedBodyError, match="no protobuf"):
        check(body, METRICS, Limits())


@pytest.mark.parametrize("depth", [20, 60])
def test_what_is_too_deep(depth):
    request = ExportLogsServiceRequest()
    value = request.resource_logs.add().scope_logs.add().log_records.add().body
    for _ in range(depth):
        value = value.array_value.values.add()
    body = request.SerializeToString()
    if depth == 20:
        check(body, LOGS, Limits())
        return
    with pytest.raises(MalformedBodyError):
        check(body, LOGS, Limits())
