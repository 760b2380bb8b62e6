"""Log records as events, read again by `ingest.events`."""

import base64
import json
from datetime import UTC, datetime

import pytest

from ingest import events
from ingest.errors import BodyTooLargeError
from ingest.otlp import logs
from ingest.otlp.limits import Limits
from ingest.sender import Sender

ANY = Sender("any")
AT = "1700000000123456789"
K8S = {
    "k8s.event.reason": "BackOff",
    "k8s.event.action": "",
    "k8s.event.start_time": "2023-11-14 22:13:20 +0000 UTC",
    "k8s.event.name": "cart-0.17a",
    "k8s.event.uid": "e-1",
    "k8s.event.count": 3,
    "k8s.namespace.name": "shop",
}
OBJECT = {
    "k8s.cluster.name": "eu-1",
    "k8s.node.name": "node-1",
    "k8s.object.kind": "Pod",
    "k8s.object.name": "cart-0",
    "k8s.object.uid": "p-1",
    "k8s.object.fieldpath": "spec.containers{cart}",
}


@pytest.fixture
def rows(logs_of):
    """Rows of `events` that a request of log records becomes."""

    def of(*records, **more):
        translation = logs.translate(logs_of(*records, **more), ANY)
        assert (translation.refusals.count, translation.refusals.message()) == (0, "")
        latest = datetime(2100, 1, 1, tzinfo=UTC)
        found = events.parse(translation.body, "default", latest=latest).to_pylist()
        return [row | {"attributes": dict(row["attributes"])} for row in found]

    return of


@pytest.fixture
def record(attributes):
    def build(body="it broke", of=None, at=AT, **more):
        return {
            "timeUnixNano": at,
            "body": {"stringValue": body},
            "attributes": attributes(of or {}),
            **more,
        }

    return build


def test_a_plain_record(rows, record):
    resource = {
        "service.name": "cart",
        "k8s.cluster.name": "eu-1",
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "cart-0",
        "k8s.node.name": "node-1",
        "same": "of the resource",
    }
    trace = base64.b64encode(bytes.fromhex("5b8efff798038103d269b633813fc60c")).decode()
    span = base64.b64encode(bytes.fromhex("eee19b7ec3c1b174")).decode()
    one = record(
        of={"n": 1, "same": "of the record"}, severityNumber=17, traceId=trace, spanId=span
    )
    (row,) = rows(one, resource=resource, scope={"name": "app", "version": "2"})
    assert len(row.pop("uid")) == 32
    assert row == {
        "cluster": "eu-1",
        "time": datetime(2023, 11, 14, 22, 13, 20, 123456, UTC),
        "source": "log",
        "type": "Warning",
        "reason": "ERROR",
        "kind": "Pod",
        "namespace": "shop",
        "name": "cart-0",
        "message": "it broke",
        "count": 1,
        "attributes": {
            "n": "1",
            "same": "of the record",
            "severity": "ERROR",
            "trace_id": "5b8efff798038103d269b633813fc60c",
            "span_id": "eee19b7ec3c1b174",
            "service.name": "cart",
            "k8s.cluster.name": "eu-1",
            "k8s.namespace.name": "shop",
            "k8s.pod.name": "cart-0",
            "k8s.node.name": "node-1",
            "otel.scope.name": "app",
            "otel.scope.version": "2",
        },
    }


@pytest.mark.parametrize(
    ("of", "more", "reason"),
    [
        ({"event.name": "b", "exception.type": "c"}, {"eventName": "a", "severityText": "d"}, "a"),
        ({"event.name": "b", "exception.type": "c"}, {"severityText": "d"}, "b"),
        ({"exception.type": "c"}, {"severityText": "d"}, "c"),
        ({}, {"severityText": "d", "severityNumber": 9}, "d"),
        ({}, {"severityNumber": 9}, "INFO"),
        ({}, {"severityNumber": 24}, "FATAL"),
        ({}, {"severityNumber": 99}, "log"),
        ({}, {}, "log"),
    ],
)
def test_the_reason_is_what_happened_or_how_bad_it_was(rows, record, of, more, reason):
    assert rows(record(of=of, **more))[0]["reason"] == reason


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"severityNumber": 12}, "Normal"),
        ({"severityNumber": 13}, "Warning"),
        ({"severityNumber": 5, "severityText": "ERROR"}, "Normal"),
        ({"severityText": "error"}, "Warning"),
        ({"severityText": "Critical"}, "Warning"),
        ({"severityText": "info"}, "Normal"),
        ({}, None),
    ],
)
def test_the_type_is_by_severity(rows, record, more, kind):
    assert rows(record(**more))[0]["type"] == kind


@pytest.mark.parametrize(
    ("resource", "kind", "name"),
    [
        ({"k8s.pod.name": "p", "k8s.deployment.name": "d"}, "Pod", "p"),
        ({"k8s.deployment.name": "d", "service.name": "s"}, "Deployment", "d"),
        ({"k8s.node.name": "n"}, "Node", "n"),
        ({"service.name": "s"}, None, "s"),
        ({}, None, None),
    ],
)
def test_what_it_is_about(rows, record, resource, kind, name):
    (row,) = rows(record(), resource=resource)
    assert (row["kind"], row["name"], row["cluster"]) == (kind, name, "default")


def test_a_structured_body_is_json(rows, record, attributes):
    body = {"kvlistValue": {"values": attributes({"b": [1, True], "a": "x"})}}
    assert rows({**record(), "body": body})[0]["message"] == '{"a":"x","b":[1,true]}'
    assert rows({**record(), "body": {}})[0]["message"] == ""
    assert len(rows(record(body="x" * 100_000))[0]["message"]) == 65_536


def test_the_time_observed_stands_in(rows, record):
    one = record(observedTimeUnixNano=AT)
    del one["timeUnixNano"]
    assert rows(one)[0]["time"] == datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)


def test_the_same_request_gives_the_same_ids_and_each_line_its_own(rows, record):
    lines = [record(), record(), record(of={"n": 1}), record(at="1700000000123456790", of={"n": 2})]
    ids = [row["uid"] for row in rows(*lines)]
    assert len(set(ids)) == 4
    assert [row["uid"] for row in rows(*lines)] == ids
    assert rows(record(of={"log.record.uid": "mine"}))[0]["uid"] == "mine"


def test_kubernetes_events(rows, record):
    one = record("restarting", of=K8S, severityNumber=13, severityText="Warning")
    (row,) = rows(one, resource=OBJECT)
    assert row == {
        "cluster": "eu-1",
        "time": datetime(2023, 11, 14, 22, 13, 20, 123456, UTC),
        "source": "kubernetes",
        "type": "Warning",
        "reason": "BackOff",
        "kind": "Pod",
        "namespace": "shop",
        "name": "cart-0",
        "uid": "e-1",
        "message": "restarting",
        "count": 3,
        "attributes": {
            "host": "node-1",
            "object_uid": "p-1",
            "field_path": "spec.containers{cart}",
            "k8s.event.name": "cart-0.17a",
            "k8s.event.start_time": "2023-11-14 22:13:20 +0000 UTC",
            "severity": "Warning",
        },
    }


def test_a_kubernetes_event_about_an_event_or_without_a_count(rows, record):
    of = {**K8S, "k8s.object.kind": "Event", "k8s.event.count": 0}
    (row,) = rows(record(of=of))
    assert (row["source"], row["kind"], row["count"]) == ("kubernetes", "Event", 1)


@pytest.mark.parametrize("count", [1 << 31, -1, "many", 1.5])
def test_a_count_that_is_none_refuses_its_record(logs_of, record, count):
    bad = record("bad", of={**K8S, "k8s.event.count": count})
    translation = logs.translate(logs_of(bad, record("good")), ANY)
    assert translation.refusals.count == 1
    assert translation.refusals.message().startswith("log record 'bad': k8s.event.count is")
    assert [event["message"] for event in json.loads(translation.body)] == ["good"]


def test_a_record_without_a_time_is_refused(logs_of, record):
    translation = logs.translate(logs_of(record(at="0")), ANY)
    assert (translation.records, translation.refusals.count, translation.body) == (1, 1, None)
    assert translation.refusals.message() == "log record 'it broke': it has no time"


def test_the_latest_time_there_is(logs_of, record):
    translation = logs.translate(logs_of(record(at=str(2**64 - 1))), ANY)
    assert json.loads(translation.body)[0]["time"].startswith("2554-07-21T")


def test_records_that_are_refused_are_not_free(logs_of, record):
    resource = {f"a{n}": "x" for n in range(50)}
    request = logs_of(*[record("x")] * 20, resource=resource)
    with pytest.raises(BodyTooLargeError):
        logs.translate(request, limits=Limits(bytes=5_000))
    assert logs.translate(request, limits=Limits(bytes=50_000)).refusals.count == 20
