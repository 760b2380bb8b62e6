"""What each decoder is sent by those who do it right: the corpora that mutations begin with."""

import gzip
import json
import struct
import zlib

import cramjam
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from ingest import segment
from ingest.outcome import Refusal, Written
from ingest.recent import RecentRequests
from ingest.remote_write import histogram_pb2, message
from ingest.remote_write import remote_write_pb2 as schema
from tests import remote_write_2 as v2

TIME = "2026-03-01T11:59:00Z"
MS = 1_772_366_340_000
NS = MS * 1_000_000
FIRST_POSITION = 7
SALT = 0x1234ABCD
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def labels(**more: str) -> list[tuple[str, str]]:
    return [("__name__", "http_requests_total"), ("cluster", "eu"), *sorted(more.items())]


def histograms() -> list[bytes]:
    made = GetMessageClass(histogram_pb2.DESCRIPTOR.message_types_by_name["Histogram"])
    exponential = made(timestamp=MS, schema=2, sum=3.5, zero_threshold=0.001)
    exponential.count_int, exponential.zero_count_int = 12, 1
    exponential.positive_spans.add(offset=-2, length=2)
    exponential.positive_spans.add(offset=3, length=1)
    exponential.positive_deltas.extend([1, 2, -1])
    exponential.negative_spans.add(offset=0, length=1)
    exponential.negative_deltas.append(5)
    custom = made(timestamp=MS, schema=-53, sum=2.0, count_float=3.5)
    custom.custom_values.extend([0.1, 0.5, 1.0])
    custom.positive_spans.add(offset=0, length=3)
    custom.positive_counts.extend([1.0, 2.0, 0.5])
    stale = made(timestamp=MS, sum=STALE)
    return [one.SerializeToString() for one in (exponential, custom, stale, made())]


def _series(request, pairs, points, native=()):
    one = request.timeseries.add()
    for name, value in pairs:
        label = schema.Label(name=name.encode(), value=value.encode())
        one.labels.append(label.SerializeToString())
    for at, value in points:
        one.samples.add(timestamp=at, value=value)
    one.histograms.extend(native)


def remote_write_1() -> list[bytes]:
    plain, wide, native = schema.WriteRequest(), schema.WriteRequest(), schema.WriteRequest()
    _series(plain, labels(job="a"), [(MS, 1.0), (MS + 1000, STALE)])
    _series(plain, labels(job="b", pod="é"), [(MS, float("nan")), (-5, 1.0), (1 << 60, 2.0)])
    plain.metadata.add(metric_family_name=b"http_requests_total", type=1, help=b"h", unit=b"s")
    for index in range(4):
        _series(wide, labels(__replica__="r1", n=str(index)), [(MS, float(index))])
    _series(wide, [("cluster", "eu")], [(MS, 1.0)])
    _series(native, labels(job="c"), [], histograms())
    native.timeseries[0].exemplars.append(b"x")
    return [one.SerializeToString() for one in (plain, wide, native)]


def remote_write_2() -> list[bytes]:
    counter = v2.Series(
        labels(job="a"), [(MS, 1.0, MS - 5000), (MS + 1, 2.0)], (1, "help", "unit"), exemplars=1
    )
    native = v2.Series(labels(job="b"), [], histograms=histograms(), created=MS - 1)
    many = [v2.Series(labels(n=str(index)), [(MS, float(index))]) for index in range(4)]
    return [v2.encode(counter, native), v2.encode(*many), v2.encode(counter, packed=False)]


def packed() -> list[bytes]:
    return [message.pack(one) for one in (*remote_write_1(), *remote_write_2(), b"a" * 5000)]


def _value(value):
    name = {str: "stringValue", bool: "boolValue", float: "doubleValue"}.get(type(value))
    if name:
        return {name: value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(one) for one in value]}}
    return {"intValue": str(value)}


def _attributes(**of):
    return [{"key": name.replace("_", "."), "value": _value(text)} for name, text in of.items()]


def _metrics():
    at = {"timeUnixNano": str(NS), "startTimeUnixNano": str(NS - 10**9)}
    at["attributes"] = _attributes(http_route="/a", code=200, ok=True, ratio=0.5, all=["a", 1])
    delta, total = {"aggregationTemporality": 1}, {"aggregationTemporality": 2}
    buckets = {**at, "count": "3", "sum": 2.5, "explicitBounds": [1, 2], "bucketCounts": [1, 1, 1]}
    exponential = {
        **at, "count": "4", "sum": 2.5, "scale": 2, "zeroCount": "1",
        "positive": {"offset": 1, "bucketCounts": ["1", "1"]},
        "negative": {"offset": -1, "bucketCounts": ["1"]},
    }  # fmt: skip
    summary = {**at, "count": "2", "sum": 1.5, "quantileValues": [{"quantile": 0.5, "value": 1}]}
    return [
        {"name": "a.gauge", "unit": "By", "gauge": {"dataPoints": [{**at, "asDouble": 1.5}]}},
        {"name": "b", "unit": "s", "description": "d",
         "sum": {"dataPoints": [{**at, "asInt": "2"}], "isMonotonic": True, **delta}},
        {"name": "c", "histogram": {"dataPoints": [buckets], **total}},
        {"name": "d", "histogram": {"dataPoints": [buckets], **delta}},
        {"name": "e", "exponentialHistogram": {"dataPoints": [exponential], **delta}},
        {"name": "f", "summary": {"dataPoints": [summary]}},
        {"name": "g", "gauge": {"dataPoints": [{**at, "flags": 1}]}},
    ]  # fmt: skip


def otlp_metrics_json() -> list[bytes]:
    resource = {"attributes": _attributes(k8s_cluster_name="eu", service_name="web")}
    found = [
        {"resourceMetrics": [{"resource": resource, "scopeMetrics": [
            {"scope": {"name": "s", "version": "1"}, "metrics": part}]}]}
        for part in ([one] for one in _metrics())
    ]  # fmt: skip
    return [json.dumps(one).encode() for one in found]


def otlp_metrics() -> list[bytes]:
    return [_binary(one, ExportMetricsServiceRequest()) for one in otlp_metrics_json()]


def otlp_logs_json() -> list[bytes]:
    record = {
        "timeUnixNano": str(NS), "severityNumber": 17, "severityText": "ERROR",
        "body": {"stringValue": "it broke"}, "attributes": _attributes(event_name="boom", n=1),
    }  # fmt: skip
    ids = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}
    event = {**record, "attributes": _attributes(k8s_event_reason="Killing", k8s_event_uid="u")}
    resource = {"attributes": _attributes(k8s_cluster_name="eu", k8s_pod_name="p")}
    return [
        json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [
            {"logRecords": part}]}]}).encode()
        for part in ([record], [{**record, **ids}, record], [event], [{"body": _value([1, "a"])}])
    ]  # fmt: skip


def otlp_logs() -> list[bytes]:
    plain = [json.loads(one) for one in otlp_logs_json()]
    for one in plain:
        for record in one["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
            record.pop("traceId", None), record.pop("spanId", None)
    return [_binary(json.dumps(one), ExportLogsServiceRequest()) for one in plain]


def _binary(text, into) -> bytes:
    return json_format.Parse(text, into).SerializeToString()


EVENT = {"source": "log", "reason": "r", "time": TIME, "cluster": "eu", "uid": "u", "count": 2,
         "type": "Warning", "message": "m", "attributes": {"a": "b"}}  # fmt: skip
CORE = {
    "kind": "Event", "apiVersion": "v1", "reason": "BackOff", "message": "Back-off", "count": 3,
    "metadata": {"name": "p.1", "namespace": "n", "uid": "u", "resourceVersion": "5",
                 "creationTimestamp": TIME},
    "involvedObject": {"kind": "Pod", "name": "p", "namespace": "n", "uid": "x"},
    "type": "Warning", "firstTimestamp": TIME, "lastTimestamp": TIME,
    "source": {"component": "kubelet", "host": "h"},
}  # fmt: skip
NEW = {
    "kind": "Event", "apiVersion": "events.k8s.io/v1", "reason": "Killing", "note": "Stopping",
    "metadata": {"name": "p.2", "namespace": "n", "uid": "v"}, "eventTime": TIME, "type": "Normal",
    "regarding": {"kind": "Pod", "name": "p"}, "reportingController": "kubelet",
    "series": {"count": 4, "lastObservedTime": TIME},
}  # fmt: skip


def events() -> list[bytes]:
    shapes = [EVENT, [EVENT, CORE], {"kind": "EventList", "items": [CORE, NEW]},
              {"type": "ADDED", "object": NEW}]  # fmt: skip
    return [json.dumps(one).encode() for one in shapes]


def event_lines() -> list[bytes]:
    return [b"\n".join(json.dumps(one).encode() for one in (EVENT, CORE, NEW)) + b"\n\n"]


def watch_lines() -> list[bytes]:
    lines = [{"type": "ADDED", "object": CORE}, {"type": "MODIFIED", "object": NEW},
             {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
             {"type": "ERROR", "object": {"code": 410, "message": "gone"}}]  # fmt: skip
    return [b"\n".join(json.dumps(one).encode() for one in lines) + b"\n"]


def opa() -> list[bytes]:
    review = {"request": {"kind": {"kind": "Pod"}, "namespace": "n", "operation": "CREATE",
                          "object": {"metadata": {"generateName": "p-"}}}}  # fmt: skip
    base = {"decision_id": "d", "timestamp": TIME, "labels": {"id": "i", "cluster": "eu"},
            "path": "kubernetes/admission/deny", "input": review, "metrics": {"timer": 12},
            "bundles": {"b": {"revision": "r"}}, "erased": ["/input/x"]}  # fmt: skip
    results = (["no limits"], {"response": {"allowed": False, "status": {"reason": "x"}}}, True,
               {"allow": False, "deny": [{"msg": "m"}]})  # fmt: skip
    return [json.dumps([{**base, "result": result}]).encode() for result in results]


ALERT = {"status": "firing", "labels": {"alertname": "A", "severity": "page", "pod": "p"},
         "annotations": {"summary": "s"}, "startsAt": TIME, "endsAt": "0001-01-01T00:00:00Z",
         "generatorURL": "http://x", "fingerprint": "abc"}  # fmt: skip


def webhook() -> list[bytes]:
    resolved = {**ALERT, "status": "resolved", "endsAt": TIME}
    body = {"version": "4", "groupKey": "g", "truncatedAlerts": 1, "status": "firing",
            "receiver": "r", "externalURL": "u", "alerts": [ALERT, resolved]}  # fmt: skip
    return [json.dumps(body).encode()]


def alerts() -> list[bytes]:
    plain = {name: ALERT[name] for name in ("labels", "annotations", "startsAt")}
    return [json.dumps([plain, {**plain, "endsAt": TIME}, {"labels": {"a": "b"}}]).encode()]


def exposition() -> list[bytes]:
    return [
        b'# HELP a help \\n x\n# TYPE a counter\na{b="c",d="\\"e\\\\"} 1.5 1772366340000\na 2\n'
        b'# TYPE h histogram\nh_bucket{le="0.1"} 1\nh_bucket{le="+Inf"} 2\nh_sum NaN\nh_count 2\n'
    ]


def openmetrics() -> list[bytes]:
    return [
        b'# TYPE a counter\n# UNIT a seconds\n# HELP a text\na_total{b="c"} 1 1772366340.5 '
        b'# {trace_id="x"} 0.5 1772366340.1\na_created{b="c"} 1772366340\n# EOF\n'
    ]


def encodings() -> list[bytes]:
    plain = b'[{"a": 1}]' * 20
    bomb = gzip.compress(bytes(1 << 18))
    return [gzip.compress(plain), zlib.compress(plain), bytes(cramjam.zstd.compress(plain)), bomb,
            bytes(cramjam.zstd.compress(bytes(1 << 18)))]  # fmt: skip


def headers() -> list[bytes]:
    return [b"application/x-protobuf;proto=io.prometheus.write.v2.Request\nsnappy",
            b"application/json; charset=utf-8\ngzip", b"Bearer x\neu"]  # fmt: skip


def log_records() -> list[segment.Record]:
    groups = (7, 7, 9, 10)
    return [
        segment.Record(1 + place % 3, "eu" * place, bytes([place]) * 16, b"payload" * place,
                       MS * 1000, FIRST_POSITION + place, group)
        for place, group in enumerate(groups)
    ]  # fmt: skip


def log_segment() -> list[bytes]:
    records = [segment.encode(SALT, one.position, one.group, one) for one in log_records()]
    whole = segment.head(SALT) + b"".join(records)
    return [whole, whole[:-5], segment.head(SALT), b""]


def recent_requests() -> list[bytes]:
    """Two of the files: with their checksum, and without."""
    known = RecentRequests()
    for index, refusal in enumerate([None, Refusal(1, 400, "x"), Refusal(2, 429, "y")]):
        known.settle(bytes([index]) * 16, Written(index, 1, 2, refusal), MS * 1000)
    data = known.packed()
    return [data, data[:-4]]


def replicas() -> list[bytes]:
    one = {"replica": "a", "since_us": 5, "changes": 1}
    return [json.dumps({"version": 1, "clusters": {"eu": one, "us": one}}).encode()]
