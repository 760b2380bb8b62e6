"""Both encodings, and what is neither."""

import json
from contextlib import suppress

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from ingest.errors import MalformedBodyError, UnsupportedProtocolError
from ingest.otlp.wire import JSON, PROTOBUF, decode, encode, media_type

MESSAGES = (ExportMetricsServiceRequest, ExportLogsServiceRequest)

TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"

# From https://github.com/open-telemetry/opentelemetry-proto/tree/main/examples, shortened.
LOG = {
    "resourceLogs": [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]
            },
            "scopeLogs": [
                {
                    "scope": {"name": "my.library", "version": "1.0.0"},
                    "logRecords": [
                        {
                            "timeUnixNano": "1544712660300000000",
                            "severityNumber": 10,
                            "severityText": "Information",
                            "traceId": TRACE.upper(),
                            "spanId": SPAN,
                            "body": {"stringValue": "Example log record"},
                            "attributes": [{"key": "int", "value": {"intValue": "10"}}],
                            "unknownField": {"a": [1]},
                        }
                    ],
                }
            ],
        }
    ]
}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/x-protobuf", PROTOBUF),
        ("Application/JSON; charset=utf-8", JSON),
    ],
)
def test_media_type(header, expected):
    assert media_type(header) == expected


@pytest.mark.parametrize("header", [None, "", "text/plain", "application/protobuf", "json"])
def test_other_media_types(header):
    with pytest.raises(UnsupportedProtocolError, match="Content-Type"):
        media_type(header)


def test_json_may_have_the_names_of_protobuf():
    record = {"trace_id": TRACE, "span_id": SPAN}
    body = json.dumps({"resource_logs": [{"scope_logs": [{"log_records": [record]}]}]}).encode()
    request = decode(body, JSON, ExportLogsServiceRequest())
    read = request.resource_logs[0].scope_logs[0].log_records[0]
    assert (read.trace_id.hex(), read.span_id.hex()) == (TRACE, SPAN)


def test_json_has_hexadecimal_ids_numbers_in_text_and_unknown_fields():
    read = decode(json.dumps(LOG).encode(), JSON, ExportLogsServiceRequest())
    record = read.resource_logs[0].scope_logs[0].log_records[0]
    assert record.trace_id.hex() == TRACE
    assert record.span_id.hex() == SPAN
    assert record.time_unix_nano == 1_544_712_660_300_000_000
    assert record.attributes[0].value.int_value == 10
    assert decode(read.SerializeToString(), PROTOBUF, ExportLogsServiceRequest()) == read


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"resourceLogs": {}}',
        b'{"resourceLogs": [1]}',
        b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": "xyz"}]}]}]}',
        b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "soon"}]}]}]}',
        b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityText": "\\ud800"}]}]}]}',
        b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": -1}]}]}]}',
        b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": 1e400}]}]}]}',
    ],
)
def test_json_that_is_no_request(body):
    with pytest.raises(MalformedBodyError):
        decode(body, JSON, ExportLogsServiceRequest())


def test_values_that_are_nested_without_end():
    value = {"intValue": 1}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": value}]}]}]}
    with pytest.raises(MalformedBodyError):
        decode(json.dumps(document).encode(), JSON, ExportLogsServiceRequest())


@given(st.binary(), st.sampled_from(MESSAGES), st.sampled_from([PROTOBUF, JSON]))
def test_garbage_raises_only_what_is_ours(body, message, media):
    with suppress(MalformedBodyError):
        decode(body, media, message())


@pytest.mark.parametrize("message", MESSAGES)
def test_a_field_named_by_half_a_character(message):
    with pytest.raises(MalformedBodyError):
        decode(b'{"\\ud800": 1}', JSON, message())


FIELDS = ("resourceLogs", "scopeLogs", "logRecords", "traceId", "body", "attributes", "key")
FIELDS += ("resourceMetrics", "scopeMetrics", "metrics", "gauge", "dataPoints", "asDouble", "value")
texts = st.sampled_from(FIELDS)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(documents, st.sampled_from(MESSAGES))
def test_json_of_any_shape_raises_only_what_is_ours(document, message):
    with suppress(MalformedBodyError):
        decode(json.dumps(document).encode(), JSON, message())


def test_replies_are_in_the_encoding_of_the_request():
    reply = ExportMetricsServiceResponse()
    assert (encode(reply, PROTOBUF), encode(reply, JSON)) == (b"", b"{}")
    reply.partial_success.rejected_data_points = 3
    reply.partial_success.error_message = "rule"
    assert json.loads(encode(reply, JSON)) == {
        "partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "rule"}
    }
    assert ExportMetricsServiceResponse.FromString(encode(reply, PROTOBUF)) == reply
    assert json_format.Parse(encode(reply, JSON), ExportMetricsServiceResponse()) == reply
