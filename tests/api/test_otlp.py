"""OTLP over HTTP: paths, encodings, replies."""

import gzip
import json

import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from ingest.errors import OverloadedError

PREFIXES = ("", "/api/v1/otlp", "/otlp")
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def metrics(now, *values, name="g", cluster="eu"):
    at = str(round(now.timestamp()) * 1_000_000_000)
    points = [{"timeUnixNano": at, **value} for value in values or ({"asInt": "1"},)]
    attributes = [{"key": "k8s.cluster.name", "value": {"stringValue": cluster}}] if cluster else []
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": attributes},
                "scopeMetrics": [{"metrics": [{"name": name, "gauge": {"dataPoints": points}}]}],
            }
        ]
    }


def logs(now, *records, cluster="eu"):
    at = str(round(now.timestamp()) * 1_000_000_000)
    found = [{"timeUnixNano": at, "body": {"stringValue": "x"}, **one} for one in records or ({},)]
    attributes = [{"key": "k8s.cluster.name", "value": {"stringValue": cluster}}] if cluster else []
    return {
        "resourceLogs": [
            {"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": found}]}
        ]
    }


def protobuf(document, kind):
    return json_format.ParseDict(document, kind()).SerializeToString()


def post(running, path, body, media=JSON, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return running.http.post(path, content=content, headers={"Content-Type": media, **headers})


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_path_takes_both_encodings(shared, now, prefix):
    name = f"paths{prefix.replace('/', '_')}"
    document = metrics(now, name=name)
    reply = post(shared, f"{prefix}/v1/metrics", document)
    assert (reply.status_code, reply.headers["content-type"], reply.json()) == (200, JSON, {})
    binary = protobuf(metrics(now, {"asInt": "1"}, name=f"{name}_b"), ExportMetricsServiceRequest)
    reply = post(shared, f"{prefix}/v1/metrics", binary, PROTOBUF)
    assert (reply.status_code, reply.headers["content-type"]) == (200, PROTOBUF)
    assert reply.content == b""
    reply = post(shared, f"{prefix}/v1/logs", logs(now, {"severityText": name}))
    assert (reply.status_code, reply.headers["content-type"], reply.json()) == (200, JSON, {})
    binary = protobuf(logs(now, {"severityText": f"{name}_b"}), ExportLogsServiceRequest)
    reply = post(shared, f"{prefix}/v1/logs", binary, PROTOBUF)
    assert (reply.status_code, reply.headers["content-type"]) == (200, PROTOBUF)
    shared.service.receiver.flush()
    rows = shared.sql(f"SELECT metric, value FROM samples WHERE metric LIKE '{name}%'").json()
    assert {row[0] for row in rows["rows"]} >= {name, f"{name}_b"}
    events = shared.sql(f"SELECT count(*) FROM events WHERE reason IN ('{name}', '{name}_b')")
    assert events.json()["rows"] == [[2]]


def test_gzip(shared, now):
    body = gzip.compress(json.dumps(metrics(now, name="zipped")).encode())
    reply = post(shared, "/v1/metrics", body, **{"Content-Encoding": "gzip"})
    assert reply.status_code == 200


def test_partial_success(shared, now):
    document = metrics(now, {"asInt": "1"}, {}, name="partly")
    told = post(shared, "/v1/metrics", document).json()["partialSuccess"]
    assert told == {
        "rejectedDataPoints": "1",
        "errorMessage": "metric 'partly': it has no value",
    }
    binary = protobuf(document, ExportMetricsServiceRequest)
    reply = ExportMetricsServiceResponse.FromString(
        post(shared, "/v1/metrics", binary, PROTOBUF).content
    )
    assert reply.partial_success.rejected_data_points == 1
    document = logs(now, {}, {"timeUnixNano": "0"})
    told = post(shared, "/v1/logs", document).json()["partialSuccess"]
    assert told == {"rejectedLogRecords": "1", "errorMessage": "log record 'x': it has no time"}
    binary = protobuf(document, ExportLogsServiceRequest)
    reply = ExportLogsServiceResponse.FromString(post(shared, "/v1/logs", binary, PROTOBUF).content)
    assert reply.partial_success.rejected_log_records == 1


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/logs"])
def test_what_is_no_request(shared, path):
    reply = post(shared, path, b"\xff", PROTOBUF)
    assert (reply.status_code, reply.headers["content-type"]) == (400, PROTOBUF)
    status = Status.FromString(reply.content)
    assert status.code == 3
    assert "body is no opentelemetry" in status.message
    reply = post(shared, path, b"{")
    assert (reply.status_code, reply.headers["content-type"]) == (400, JSON)
    assert reply.json()["code"] == 3
    assert "body is no JSON" in reply.json()["message"]


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded"])
def test_other_media_types(shared, problem, media):
    reply = post(shared, "/v1/metrics", b"", media)
    assert "Content-Type" in problem(reply, 415, "unsupported protocol")


def test_other_encodings_of_the_content(shared, now):
    reply = post(shared, "/v1/metrics", metrics(now), **{"Content-Encoding": "br"})
    assert (reply.status_code, reply.json()["code"]) == (415, 3)


def test_the_cluster_is_named_by_the_address_too(shared, now):
    document = metrics(now, name="by_address", cluster=None)
    assert post(shared, "/v1/metrics?cluster=us", document).status_code == 200
    reply = post(shared, "/v1/metrics", metrics(now, {"asInt": "2"}, name="g", cluster=None))
    assert reply.status_code == 400
    assert "names no cluster" in reply.json()["message"]
    shared.service.receiver.flush()
    rows = shared.sql("SELECT cluster FROM samples WHERE metric = 'by_address'").json()["rows"]
    assert rows == [["us"]]


@pytest.mark.parametrize("path", ["/v1/metrics", "/otlp/v1/logs"])
def test_an_empty_cluster_in_the_address_is_told_as_the_protocol_does(shared, now, path):
    reply = post(shared, f"{path}?cluster=", metrics(now))
    assert (reply.status_code, reply.json()["code"]) == (400, 3)
    assert "cluster" in reply.json()["message"]


def test_who_names_no_cluster_is_told_how_its_sdk_does(shared, now):
    for path, document in (("metrics", metrics), ("logs", logs)):
        reply = post(shared, f"/v1/{path}", document(now, cluster=None))
        assert reply.status_code == 400
        assert "OTEL_RESOURCE_ATTRIBUTES=k8s.cluster.name=" in reply.json()["message"]


def test_overload_is_to_be_tried_again(shared, now, monkeypatch):
    def full(*_):
        raise OverloadedError(2, 1, 5)

    monkeypatch.setattr(shared.service.receiver, "check_load", full)
    reply = post(shared, "/v1/metrics", metrics(now))
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert reply.json()["code"] == 14


def test_a_body_that_is_too_large(start, now):
    with start(ingest={"max_body_bytes": 100}) as small:
        reply = post(small, "/v1/logs", logs(now))
        assert (reply.status_code, reply.json()["code"]) == (413, 8)


def test_tokens(start, now):
    token = "0123456789abcdef"
    with start(ingest={"tokens": [{"token": token, "clusters": ["eu"]}]}) as guarded:
        reply = post(guarded, "/v1/metrics", metrics(now))
        assert (reply.status_code, reply.json()["code"]) == (401, 16)
        bearer = {"Authorization": f"Bearer {token}"}
        assert post(guarded, "/v1/metrics", metrics(now), **bearer).status_code == 200
        reply = post(guarded, "/v1/metrics?cluster=us", metrics(now), **bearer)
        assert (reply.status_code, reply.json()["code"]) == (403, 7)
