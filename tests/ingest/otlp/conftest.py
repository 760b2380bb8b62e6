"""Builders of OTLP messages, and what a translated body holds."""

import cramjam
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from ingest.otlp import metrics
from ingest.otlp.accumulator import Accumulator
from ingest.otlp.limits import NO_LIMITS
from ingest.remote_write import remote_write_pb2 as schema
from ingest.sender import Sender

NS = 1_000_000_000
START = 1_700_000_000 * NS


def any_value(value):
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(one) for one in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs(value)}}
    return {"stringValue": value}


def pairs(attributes):
    return [{"key": name, "value": any_value(value)} for name, value in attributes.items()]


@pytest.fixture(scope="session")
def attributes():
    """Attributes as OTLP's JSON has them."""
    return pairs


@pytest.fixture(scope="session")
def request_of():
    """A request of some metrics, each as OTLP's JSON has it."""

    def build(*of, resource=None, scope=None):
        document = {
            "resourceMetrics": [
                {
                    "resource": {"attributes": pairs(resource or {})},
                    "scopeMetrics": [{"scope": scope or {}, "metrics": list(of)}],
                }
            ]
        }
        return json_format.ParseDict(document, ExportMetricsServiceRequest())

    return build


@pytest.fixture(scope="session")
def logs_of():
    """A request of some log records, each as OTLP's JSON has it (ids in base64)."""

    def build(*records, resource=None, scope=None):
        document = {
            "resourceLogs": [
                {
                    "resource": {"attributes": pairs(resource or {})},
                    "scopeLogs": [{"scope": scope or {}, "logRecords": list(records)}],
                }
            ]
        }
        return json_format.ParseDict(document, ExportLogsServiceRequest())

    return build


def _point(at=60, value=None, start=0, **more):
    point = {"timeUnixNano": str(START + at * NS), **more}
    if start is not None:
        point["startTimeUnixNano"] = str(START + start * NS)
    if value is not None:
        point["asDouble" if isinstance(value, float) else "asInt"] = value
    if "attributes" in more:
        point["attributes"] = pairs(more["attributes"])
    return point


@pytest.fixture(scope="session")
def point():
    """A data point, seconds after a start that all have; a value if it is a number."""
    return _point


@pytest.fixture(scope="session")
def gauge():
    return lambda name, *points, **more: {"name": name, "gauge": {"dataPoints": points}, **more}


@pytest.fixture(scope="session")
def total():
    """A sum: monotonic and cumulative, unless told otherwise."""

    def build(name, *points, delta=False, falls=False, **more):
        about = {"aggregationTemporality": 1 if delta else 2, "isMonotonic": not falls}
        return {"name": name, "sum": {"dataPoints": points, **about}, **more}

    return build


@pytest.fixture(scope="session")
def histogram():
    def build(name, *points, delta=False, kind="histogram", **more):
        about = {"aggregationTemporality": 1 if delta else 2}
        return {"name": name, kind: {"dataPoints": points, **about}, **more}

    return build


class Told:
    """A translation's body, read again by protobuf's own decoder."""

    def __init__(self, translation):
        self.refused = translation.refusals.count
        self.message = translation.refusals.message()
        self.points = translation.points
        self.request = schema.WriteRequest()
        if translation.body is not None:
            plain = bytes(cramjam.snappy.decompress_raw(translation.body))
            self.request.ParseFromString(plain)

    @property
    def samples(self):
        """Series as people write them, to their values in order of time."""
        found = {}
        for one in self.request.timeseries:
            labels = self.labels_of(one)
            name = labels.pop("__name__")
            inner = ",".join(f"{key}={text}" for key, text in sorted(labels.items()))
            values = [sample.value for sample in sorted(one.samples, key=lambda s: s.timestamp)]
            found[f"{name}{{{inner}}}" if inner else name] = values
        return found

    @staticmethod
    def labels_of(series):
        parsed = [schema.Label.FromString(label) for label in series.labels]
        names = [label.name for label in parsed]
        assert names == sorted(names)
        assert len(names) == len(set(names))
        return {label.name.decode(): label.value.decode() for label in parsed}

    @property
    def kinds(self):
        return {
            one.metric_family_name.decode(): (one.type, one.help.decode(), one.unit.decode())
            for one in self.request.metadata
        }


@pytest.fixture(scope="session")
def told():
    return Told


@pytest.fixture
def translate():
    """Translates request after request with the same totals."""
    totals = Accumulator()
    return lambda request, whose="any", limits=NO_LIMITS: Told(
        metrics.translate(request, totals, Sender(whose), limits)
    )
