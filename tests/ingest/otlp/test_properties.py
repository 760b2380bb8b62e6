"""No message that decodes is too odd to translate; both encodings of it give the same."""

import json
import math
from datetime import UTC, datetime

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from ingest import events
from ingest.otlp import logs, metrics
from ingest.otlp.accumulator import Accumulator
from ingest.otlp.wire import JSON, PROTOBUF, decode
from ingest.sender import Sender
from ingest.series import identify

LIKELY = ("metrics", "logs", "points", "records", "unix_nano", "name", "key", "temporality")

DEFAULT = Sender("default")
LATEST = datetime(2600, 1, 1, tzinfo=UTC)

BOUNDS = {"int32": 32, "sint32": 32, "int64": 64, "sint64": 64, "sfixed64": 64}
UNSIGNED = {"uint32": 32, "fixed32": 32, "uint64": 64, "fixed64": 64}
TYPES = {1: "double", 3: "int64", 4: "uint64", 5: "int32", 6: "fixed64", 7: "fixed32", 8: "bool"}
TYPES |= {9: "string", 11: "message", 12: "bytes", 13: "uint32", 14: "enum", 16: "sfixed64"}
TYPES |= {17: "sint32", 18: "sint64"}

NAMES = ["a.b", "a_b", "k8s.cluster.name", "k8s.event.reason", "k8s.event.count", "By/s"]
NAMES += ["k8s.object.kind", "service.name", "job", "le", "__name__", "1", "Event", "x", "y"]


def scalar(field):
    kind = TYPES[field.type]
    if field.name.endswith("time_unix_nano"):
        return st.sampled_from([0, 1, 10**18, 17 * 10**17, 2**64 - 1])
    if kind in BOUNDS:
        most = 1 << (BOUNDS[kind] - 1)
        return st.integers(-3, 20) | st.integers(-most, most - 1)
    if kind in UNSIGNED:
        return st.integers(0, 3) | st.integers(0, (1 << UNSIGNED[kind]) - 1)
    if kind == "bool":
        return st.booleans()
    if kind == "enum":
        return st.sampled_from([1, 1, 1, 2, 2, 2, 0, 3])
    if kind == "double":
        # JSON has one NaN: of another the sign is lost.
        return st.floats(-10, 10) | st.floats(allow_subnormal=True).map(one_nan)
    if kind == "bytes":
        return st.binary(max_size=8)
    assert kind == "string"
    good = st.sampled_from(NAMES)
    return st.integers(0, 19).flatmap(lambda dice: good if dice else st.text(max_size=4))


def one_nan(value):
    return math.nan if math.isnan(value) else value


@st.composite
def message(draw, descriptor, make, depth=0):
    """A message of any content: its fields are read off its descriptor."""
    built = make()
    chosen = {draw(st.sampled_from(list(one.fields))).name for one in descriptor.oneofs}
    for field in descriptor.fields:
        if field.containing_oneof is not None and field.name not in chosen:
            continue
        likely = field.name.endswith(LIKELY) or field.containing_oneof is not None
        if not draw(st.sampled_from([True] * 7 + [False] if likely else [True, False, False])):
            continue
        nested = field.message_type
        if nested is not None and (depth > 9 or (nested.name == "AnyValue" and depth > 6)):
            continue
        times = draw(st.integers(1, 2)) if field.is_repeated else 1
        for _ in range(times):
            if nested is None:
                value = draw(scalar(field))
                if field.is_repeated:
                    getattr(built, field.name).append(value)
                else:
                    setattr(built, field.name, value)
                continue
            inner = draw(message(nested, nested._concrete_class, depth + 1))
            if field.is_repeated:
                getattr(built, field.name).append(inner)
            else:
                getattr(built, field.name).CopyFrom(inner)
    return built


def requests(kind):
    return message(kind.DESCRIPTOR, kind)


def as_otlp_json(request):
    """OTLP's JSON of a message: protobuf's, but for ids."""
    document = json_format.MessageToDict(request, use_integers_for_enums=True)
    if not isinstance(request, ExportLogsServiceRequest):
        return json.dumps(document).encode()
    for i, of_resource in enumerate(request.resource_logs):
        for j, of_scope in enumerate(of_resource.scope_logs):
            for k, record in enumerate(of_scope.log_records):
                one = document["resourceLogs"][i]["scopeLogs"][j]["logRecords"][k]
                one |= {"traceId": record.trace_id.hex(), "spanId": record.span_id.hex()}
    return json.dumps(document).encode()


@settings(max_examples=50, deadline=None)
@given(requests(ExportMetricsServiceRequest))
def test_metrics_of_any_content(told, request):
    translated_alike(told, request)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=1_000, deadline=None)
@given(requests(ExportMetricsServiceRequest))
def test_very_many_metrics_of_any_content(told, request):
    translated_alike(told, request)


def translated_alike(told, request):
    """By both of OTLP's encodings, and into what the lake takes."""
    binary = request.SerializeToString()
    read = decode(binary, PROTOBUF, ExportMetricsServiceRequest())
    translation = metrics.translate(read, Accumulator(), DEFAULT)
    assert 0 <= translation.refusals.count <= translation.points
    found = told(translation)
    for series in found.request.timeseries:
        # What the lake would refuse was refused before, with its own words.
        identify(found.labels_of(series).items(), "default")
        times = [sample.timestamp for sample in series.samples]
        assert len(times) == len(set(times)) > 0
    again = decode(as_otlp_json(request), JSON, ExportMetricsServiceRequest())
    other = metrics.translate(again, Accumulator(), DEFAULT)
    assert (other.body, other.points) == (translation.body, translation.points)
    assert other.refusals.message() == translation.refusals.message()


@settings(max_examples=150, deadline=None)
@given(requests(ExportLogsServiceRequest))
def test_logs_of_any_content(request):
    read = decode(request.SerializeToString(), PROTOBUF, ExportLogsServiceRequest())
    translation = logs.translate(read, DEFAULT)
    found = json.loads(translation.body or b"[]")
    assert len(found) + translation.refusals.count == translation.records
    if translation.body is not None:
        rows = events.parse(translation.body, "default", latest=LATEST)
        assert rows.num_rows == len(found)
    again = decode(as_otlp_json(request), JSON, ExportLogsServiceRequest())
    assert logs.translate(again, DEFAULT).body == translation.body
