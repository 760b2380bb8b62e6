"""Alerts as Alertmanager and Prometheus send them, and what a reader of events sees of them."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import alertmanager, events
from ingest.alert_gateway import AlertGateway
from ingest.alert_memory import AlertMemory
from ingest.alert_object import object_of
from ingest.errors import (
    BadRequestError,
    InvalidEventError,
    LogError,
    MalformedBodyError,
)
from ingest.sender import Sender

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNSET = "0001-01-01T00:00:00Z"

LABELS = {
    "alertname": "KubePodCrashLooping", "cluster": "eu-1", "namespace": "shop",
    "pod": "cart-7c9d8f6b54-x2v9k", "severity": "warning", "prometheus": "monitoring/k8s",
}  # fmt: skip
ANNOTATIONS = {
    "summary": "Pod is crash looping.",
    "description": "Pod shop/cart is waiting",
    "runbook_url": "https://runbooks/x",
}
FIRING = {
    "status": "firing", "labels": LABELS, "annotations": ANNOTATIONS,
    "startsAt": "2026-03-01T11:50:00.123Z", "endsAt": UNSET,
    "generatorURL": "http://prom/graph?x", "fingerprint": "c4c1d4a5d8e1f2a3",
}  # fmt: skip
RESOLVED = FIRING | {"status": "resolved", "endsAt": "2026-03-01T11:58:00Z"}
OF_PROMETHEUS = {
    "labels": LABELS, "annotations": ANNOTATIONS, "startsAt": "2026-03-01T11:50:00.123Z",
    "endsAt": "2026-03-01T12:03:00Z", "generatorURL": "http://prom/graph?x",
}  # fmt: skip
ENDED = OF_PROMETHEUS | {"endsAt": "2026-03-01T11:58:00Z"}


def notification(*alerts, **changes):
    """What Alertmanager 0.25 posts."""
    message = {
        "receiver": "lake", "status": "firing", "alerts": list(alerts),
        "groupLabels": {"alertname": "KubePodCrashLooping"}, "commonLabels": LABELS,
        "commonAnnotations": {}, "externalURL": "http://am:9093", "version": "4",
        "groupKey": '{}:{alertname="KubePodCrashLooping"}', "truncatedAlerts": 0,
    }  # fmt: skip
    return json.dumps(message | changes).encode()


def alerts(*given_):
    return json.dumps(given_).encode()


def all_of(told):
    """Its alerts, where all are right; else what is wrong first."""
    for error in told.refused:
        raise error
    return told.alerts


def rows(told, cluster="default"):
    found = all_of(told)
    return events.parse(alertmanager.to_body(found), cluster, latest=NOON).to_pylist()


def test_a_firing_alert_of_a_webhook():
    (row,) = rows(alertmanager.from_webhook(notification(FIRING), NOON))
    attributes = dict(row.pop("attributes"))
    assert row == {
        "time": datetime(2026, 3, 1, 11, 50, 0, 123000, tzinfo=UTC), "cluster": "eu-1",
        "source": "alert", "type": "Warning", "reason": "KubePodCrashLooping", "kind": "Pod",
        "namespace": "shop", "name": "cart-7c9d8f6b54-x2v9k", "count": 1,
        "uid": "c4c1d4a5d8e1f2a3-1772365800123000", "message": "Pod is crash looping.",
    }  # fmt: skip
    assert attributes == {
        "receiver": "lake", "group_key": '{}:{alertname="KubePodCrashLooping"}',
        "external_url": "http://am:9093", "fingerprint": "c4c1d4a5d8e1f2a3",
        "generator_url": "http://prom/graph?x", "status": "firing", "severity": "warning",
        **{f"label.{name}": text for name, text in LABELS.items()},
        **{f"annotation.{name}": text for name, text in ANNOTATIONS.items()},
    }  # fmt: skip


def test_a_resolved_alert_is_the_second_of_its_uid():
    firing, resolved = rows(alertmanager.from_webhook(notification(FIRING, RESOLVED), NOON))
    assert resolved["uid"] == firing["uid"]
    assert (firing["count"], resolved["count"]) == (1, 2)
    assert resolved["type"] == "Normal"
    assert resolved["time"] == datetime(2026, 3, 1, 11, 58, tzinfo=UTC)
    attributes = dict(resolved["attributes"])
    assert attributes["starts_at"] == "2026-03-01T11:50:00.123000+00:00"
    assert attributes["status"] == "resolved"


def test_what_prometheus_sends_is_the_same_alert():
    body = notification({k: v for k, v in FIRING.items() if k != "fingerprint"})
    (webhook,) = rows(alertmanager.from_webhook(body, NOON))
    (direct,) = rows(alertmanager.from_alerts(alerts(OF_PROMETHEUS), NOON))
    assert {k: direct[k] for k in ("uid", "count", "time", "type", "message", "name")} == {
        k: webhook[k] for k in ("uid", "count", "time", "type", "message", "name")
    }
    (ended,) = rows(alertmanager.from_alerts(alerts(ENDED), NOON))
    assert (ended["uid"], ended["count"]) == (direct["uid"], 2)


def test_fingerprints_are_alertmanagers():
    """Of the empty set: FNV-1a's own offset. Another by a real one: `tests/real`."""
    assert alertmanager.fingerprint({}) == "cbf29ce484222325"
    one = alertmanager.fingerprint({"a": "b", "c": "d"})
    assert one == alertmanager.fingerprint({"c": "d", "a": "b"})
    assert one != alertmanager.fingerprint({"a": "bc", "": "d"})


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (UNSET, "firing"),
        (None, "firing"),
        ("", "firing"),
        ("2026-03-01T12:00:00.000001Z", "firing"),
        ("2026-03-01T12:00:00Z", "resolved"),
        ("2026-03-01T13:00:00+01:00", "resolved"),
    ],
)
def test_without_a_status_the_end_tells(ends, status):
    (alert,) = alertmanager.from_alerts(alerts(OF_PROMETHEUS | {"endsAt": ends}), NOON).alerts
    assert alert.status == status


@pytest.mark.parametrize(
    ("severity", "status", "kind"),
    [
        ("critical", "firing", "Warning"),
        ("warning", "firing", "Warning"),
        ("", "firing", "Warning"),
        ("info", "firing", "Normal"),
        ("none", "firing", "Normal"),
        ("critical", "resolved", "Normal"),
    ],
)
def test_types(severity, status, kind):
    alert = RESOLVED | {"status": status, "labels": LABELS | {"severity": severity}}
    (row,) = rows(alertmanager.from_webhook(notification(alert), NOON))
    assert row["type"] == kind


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (ANNOTATIONS, "Pod is crash looping."),
        ({"description": "d", "message": "m"}, "d"),
        ({"summary": "", "message": "m"}, "m"),
        ({}, "KubePodCrashLooping is firing"),
        (None, "KubePodCrashLooping is firing"),
    ],
)
def test_messages(annotations, message):
    (row,) = rows(
        alertmanager.from_webhook(notification(FIRING | {"annotations": annotations}), NOON)
    )
    assert row["message"] == message


def test_only_labels_are_needed():
    (row,) = rows(alertmanager.from_alerts(alerts({"labels": {"team": "a"}}), NOON))
    assert (row["reason"], row["time"], row["cluster"]) == ("alert", NOON, "default")


def test_alerts_that_are_not_told_are_told_of(caplog, open_receiver):
    body = notification(FIRING, truncatedAlerts=3)
    gateway = AlertGateway(open_receiver(), lambda: NOON)
    gateway.write_webhook(body, Sender()).result(10)
    assert caplog.records[-1].missing == "3"
    (row,) = rows(alertmanager.from_webhook(body, NOON))
    assert dict(row["attributes"])["truncated_alerts"] == "3"


def test_texts_are_bounded():
    long = "x" * 100_000
    given_ = FIRING | {"annotations": {"summary": long}, "generatorURL": long}
    (row,) = rows(alertmanager.from_webhook(notification(given_), NOON))
    assert len(row["message"]) == alertmanager.MAX_TEXT
    assert max(len(text) for _, text in row["attributes"]) == alertmanager.MAX_TEXT


KSM = {
    "job": "kube-state-metrics", "service": "ksm", "namespace": "monitoring",
    "container": "kube-state-metrics", "pod": "prom-kube-state-metrics-6f8d9c7b54-lm2xq",
    "instance": "10.0.0.1:8080",
}  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "about"),
    [
        ({"namespace": "shop", "pod": "cart-0", "container": "app"}, ("Pod", "shop", "cart-0")),
        ({**KSM, "namespace": "shop", "deployment": "cart"}, ("Deployment", "shop", "cart")),
        ({**KSM, "namespace": "shop", "statefulset": "db"}, ("StatefulSet", "shop", "db")),
        ({**KSM, "namespace": "shop", "daemonset": "log"}, ("DaemonSet", "shop", "log")),
        ({**KSM, "namespace": "shop", "job_name": "b-1"}, ("Job", "shop", "b-1")),
        ({**KSM, "namespace": "shop", "cronjob": "b"}, ("CronJob", "shop", "b")),
        ({**KSM, "namespace": "shop", "horizontalpodautoscaler": "cart"},
         ("HorizontalPodAutoscaler", "shop", "cart")),
        ({**KSM, "namespace": "shop", "resourcequota": "q"}, ("ResourceQuota", "shop", "q")),
        ({**KSM, "namespace": "shop", "pod": "cart-0"}, ("Pod", "shop", "cart-0")),
        ({**KSM, "exported_namespace": "shop", "exported_pod": "cart-0"},
         ("Pod", "shop", "cart-0")),
        ({**KSM, "node": "n1", "condition": "Ready"}, ("Node", None, "n1")),
        ({**KSM, "persistentvolume": "pv"}, ("PersistentVolume", None, "pv")),
        (KSM, ("Service", "monitoring", "ksm")),
        ({"namespace": "shop", "persistentvolumeclaim": "data", "node": "n1"},
         ("PersistentVolumeClaim", "shop", "data")),
        ({"pod": "node-exporter-x2v9k", "namespace": "m", "nodename": "n1"}, ("Node", None, "n1")),
        ({"k8s_pod_name": "cart-0", "k8s_deployment_name": "cart", "k8s_namespace_name": "shop"},
         ("Pod", "shop", "cart-0")),
        ({"job": "cart", "namespace": "shop", "service": "cart"}, ("Service", "shop", "cart")),
        ({"namespace": "shop"}, ("Namespace", None, "shop")),
        ({"instance": "10.0.0.1:9100"}, (None, None, "10.0.0.1:9100")),
        ({"alertname": "Watchdog"}, (None, None, None)),
    ],
)  # fmt: skip
def test_the_object(labels, about):
    found = object_of(labels)
    assert (found.get("kind"), found.get("namespace"), found.get("name")) == about


# What is repeated.


@pytest.fixture
def count(lake):
    query = "SELECT count, time FROM events WHERE source = 'alert' ORDER BY time, count"
    return lambda: [row["count"] for row in lake.sql(query).to_pylist()]


def minutes(n):
    return NOON + timedelta(minutes=n)


def repeats(alert, n):
    """What a Prometheus sends minute by minute: the end moves on."""
    for minute in range(n):
        yield minute, alerts(alert | {"endsAt": minutes(minute + 4).isoformat()})


def test_a_state_is_stored_once_however_often_it_is_told(open_receiver, lake, count):
    now = [NOON]
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: now[0])
    for minute, body in repeats(OF_PROMETHEUS, 30):
        now[0] = minutes(minute)
        told = gateway.write_alerts(body, Sender()).result(10)
        assert (told.written.events, told.repeated) == ((1, 0) if minute == 0 else (0, 1))
    now[0] = minutes(31)
    for minute in range(31, 46):
        ended = alerts(OF_PROMETHEUS | {"endsAt": NOON.isoformat()})
        now[0] = minutes(minute)
        gateway.write_alerts(ended, Sender()).result(10)
    assert receiver.statistics.events == {"eu-1": 2}
    receiver.flush()
    assert count() == [1, 2]


def test_after_a_restart_it_is_stored_again_and_seen_once(open_receiver, lake, count, abandon):
    for n in range(3):
        receiver = open_receiver()
        gateway = AlertGateway(receiver, lambda: NOON)
        # Not the same bytes: those the receiver would know.
        body = notification(FIRING, RESOLVED, notification_reason=f"restart {n}")
        assert gateway.write_webhook(body, Sender()).result(10).written.events == 2
        receiver.flush()
        abandon(receiver)
    assert count() == [1, 2]
    assert lake.sql("SELECT count(*) AS n FROM stored.events").to_pylist() == [{"n": 6}]


def test_both_wires_make_one_event(open_receiver, count):
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: NOON)
    fingerprint = alertmanager.fingerprint(LABELS)
    webhook = notification(FIRING | {"fingerprint": fingerprint})
    assert gateway.write_alerts(alerts(OF_PROMETHEUS), Sender()).result(10).written.events == 1
    assert gateway.write_webhook(webhook, Sender()).result(10).repeated == 1
    receiver.flush()
    assert count() == [1]


def test_firing_anew_is_another_event(open_receiver, count):
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: NOON)
    for alert in (FIRING, RESOLVED, FIRING | {"startsAt": "2026-03-01T11:59:00Z"}):
        gateway.write_webhook(notification(alert), Sender()).result(10)
    receiver.flush()
    assert count() == [1, 2, 1]


def test_without_a_start_each_change_is_an_event(open_receiver, count):
    now, receiver = [NOON], open_receiver()
    gateway = AlertGateway(receiver, lambda: now[0])
    firing = {"labels": LABELS}
    resolved = firing | {"endsAt": "2026-03-01T11:58:00Z"}
    for second, alert in enumerate([firing, firing, resolved, resolved, firing, firing]):
        now[0] = NOON + timedelta(seconds=second)
        gateway.write_alerts(alerts(alert), Sender()).result(10)
    receiver.flush()
    assert sorted(count()) == [1, 1, 2]


def test_the_same_alert_of_two_clusters_is_two(open_receiver, lake):
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: NOON)
    body = alerts(OF_PROMETHEUS | {"labels": {"alertname": "Watchdog"}})
    for cluster in ("eu", "us", "eu"):
        gateway.write_alerts(body, Sender(cluster)).result(10)
    receiver.flush()
    found = lake.sql("SELECT cluster FROM events ORDER BY cluster").to_pylist()
    assert [row["cluster"] for row in found] == ["eu", "us"]


def test_twice_in_one_body_is_once(open_receiver):
    gateway = AlertGateway(open_receiver(), lambda: NOON)
    told = gateway.write_webhook(notification(FIRING, FIRING), Sender()).result(10)
    assert (told.written.events, told.repeated) == (1, 1)


def test_what_was_not_stored_is_not_remembered(open_receiver):
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: NOON)
    nameless = alerts(OF_PROMETHEUS | {"labels": {"alertname": "X"}})
    of_us = Sender("us", frozenset({"us"}))
    for _ in range(2):
        told = gateway.write_alerts(nameless, Sender()).result(10)
        assert (told.written.events, told.written.refusal.status) == (0, 400)
        told = gateway.write_alerts(alerts(OF_PROMETHEUS), of_us).result(10)
        assert (told.written.events, told.written.refusal.status) == (0, 403)
    receiver.close()
    with pytest.raises(LogError):
        gateway.write_alerts(alerts(OF_PROMETHEUS), Sender()).result(10)
    assert gateway._memory.unknown([b"x"]) == [True]
    assert not gateway._memory._stored


LONG = "x" * 256


@pytest.mark.parametrize(
    ("labels", "sender", "status", "rule", "counted"),
    [
        ({"alertname": "X"}, Sender(), 400, "'X' names no cluster", ("", "cluster missing")),
        ({"alertname": "X", "cluster": LONG}, Sender(), 400, "256 bytes", ("", "event")),
        (
            {"alertname": "X", "cluster": "us"},
            Sender("eu-1", frozenset({"eu-1"})),
            403,
            "cluster 'us' is not one",
            ("eu-1", "cluster not allowed"),
        ),
    ],
    ids=["no cluster", "long cluster", "forbidden cluster"],
)
def test_an_alert_of_a_wrong_cluster_takes_no_other_with_it(
    open_receiver, count, labels, sender, status, rule, counted
):
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: NOON)
    body = alerts(OF_PROMETHEUS | {"labels": labels}, OF_PROMETHEUS)
    told = gateway.write_alerts(body, sender).result(10)
    assert (told.written.events, told.written.refusal.count) == (1, 1)
    assert told.written.refusal.status == status
    assert rule in told.written.refusal.message
    assert receiver.statistics.refused == {counted: 1}
    receiver.flush()
    assert count() == [1]


def odd(starts):
    labels = LABELS | {"alertname": "Odd"}
    return OF_PROMETHEUS | {"startsAt": starts, "endsAt": UNSET, "labels": labels}


def test_an_alert_of_the_future_takes_no_other_with_it(open_receiver, count):
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: NOON)
    for repeated in range(2):
        body = alerts(odd("2026-03-01T12:10:01Z"), OF_PROMETHEUS)
        told = gateway.write_alerts(body, Sender()).result(10)
        assert (told.written.events, told.repeated) == (1 - repeated, repeated)
        assert (told.written.refusal.count, told.written.refusal.status) == (1, 400)
        assert "later than 2026-03-01T12:10:00" in told.written.refusal.message
        assert "'Odd' is firing since" in told.written.refusal.message
    receiver.flush()
    assert count() == [1]


def test_an_alert_that_is_too_old_is_no_failure(open_receiver, count):
    """It may fire for ever, and is told of each minute: counted once after each start."""
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: NOON)
    for told_before in range(3):
        told = gateway.write_alerts(alerts(odd("2026-01-29T11:59:59Z")), Sender()).result(10)
        assert (told.written.events, told.written.refusal) == (0, None)
        assert (told.too_old, told.repeated) == ((0, 1) if told_before else (1, 0))
    assert receiver.statistics.refused == {("eu-1", "past"): 1}


def test_the_memory_is_bounded_and_forgets_what_nobody_tells():
    memory = AlertMemory(capacity=3)
    memory.add([b"a", b"b", b"c"])
    assert memory.unknown([b"a", b"d"]) == [False, True]
    memory.add([b"d"])
    assert memory.unknown([b"a", b"b", b"c", b"d"]) == [False, True, False, False]
    memory.add([b"e"], ended=[b"a"])
    assert memory.unknown([b"a", b"e"]) == [True, False]


def test_many_threads_tell_the_same(open_receiver, count):
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: NOON)
    bodies = [body for _, body in repeats(OF_PROMETHEUS, 40)]
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda body: gateway.write_alerts(body, Sender()).result(10), bodies))
    assert sum(one.written.events + one.repeated for one in told) == 40
    receiver.flush()
    assert count() == [1]


# What is refused.

BROKEN = [
    ("labels", None, "has no labels"),
    ("labels", {}, "has no labels"),
    ("labels", {"a": ""}, "has no labels"),
    ("labels", [1], "labels is .*, not an object"),
    ("labels", {"a": 5}, "labels.a is 5, not a string"),
    ("labels", {"a": "\ud800"}, "labels has half a character"),
    ("annotations", {"summary": ["x"]}, "annotations.summary is .*, not a string"),
    ("annotations", "x", "annotations is .*, not an object"),
    ("startsAt", "soon", "time 'soon' is not RFC 3339"),
    ("startsAt", 5, "startsAt is 5, not a string"),
    ("endsAt", "2026-03-01T12:00:00", "has no time zone"),
    ("generatorURL", 5, "generatorURL is 5, not a string"),
    ("status", "pending", "status is 'pending', not firing or resolved"),
    ("fingerprint", 5, "fingerprint is 5, not a string"),
    ("fingerprint", "\udfff", "fingerprint has half a character"),
]


@pytest.mark.parametrize(("name", "value", "rule"), BROKEN)
def test_a_wrong_alert_takes_no_other_with_it(name, value, rule):
    given_ = FIRING | {name: value}, FIRING
    for told in (
        alertmanager.from_webhook(notification(*given_), NOON),
        alertmanager.from_alerts(alerts(*given_), NOON),
    ):
        assert len(told.alerts) == 1
        with pytest.raises(InvalidEventError, match=rule):
            all_of(told)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "no JSON"),
        (b"[]", "no JSON object with an array `alerts`"),
        (b"{}", "no JSON object with an array `alerts`"),
        (notification(alerts={}), "no JSON object with an array `alerts`"),
        (notification(version="3"), "webhook version is \"3\", accepted: '4'"),
        (notification(version=4), "webhook version is 4"),
        (notification(5), "alert 5 is no JSON object"),
        (notification(FIRING, truncatedAlerts="many"), 'truncatedAlerts is "many"'),
    ],
)
def test_what_is_no_notification_is_refused(body, rule):
    with pytest.raises(MalformedBodyError, match=rule):
        all_of(alertmanager.from_webhook(body, NOON))


@pytest.mark.parametrize("body", [b"", b"{}", b"5", b"[5]", b"[[]]", b"[" * 100_000])
def test_what_are_no_alerts_is_refused(body):
    with pytest.raises(MalformedBodyError):
        all_of(alertmanager.from_alerts(body, NOON))


def test_no_alerts_are_nothing(open_receiver):
    gateway = AlertGateway(open_receiver(), lambda: NOON)
    assert gateway.write_alerts(b"[]", Sender()).result(10).written.events == 0
    assert gateway.write_webhook(notification(), Sender()).result(10).repeated == 0


TIMES = st.sampled_from([UNSET, "2026-03-01T11:00:00Z", "9999-12-31T23:59:59-14:00", "x", ""])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | TIMES
NAMES = st.sampled_from(
    [*FIRING, *json.loads(notification()), "alertname", "cluster", "pod", "severity", "summary"]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, JSON, max_size=6), st.dictionaries(NAMES, JSON, max_size=3))
def test_any_json_is_taken_or_refused_by_a_rule(garbage, around):
    for body in (
        notification(FIRING | garbage),
        notification(garbage),
        notification(FIRING, **around),
        json.dumps(around).encode(),
    ):
        try:
            found = rows(alertmanager.from_webhook(body, NOON))
        except BadRequestError:
            continue
        assert all(row["source"] == "alert" for row in found)
    for body in (alerts(OF_PROMETHEUS | garbage), alerts(garbage), json.dumps(garbage).encode()):
        try:
            assert len(rows(alertmanager.from_alerts(body, NOON))) == 1
        except BadRequestError:
            continue


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused_by_a_rule(body):
    for read in (alertmanager.from_webhook, alertmanager.from_alerts):
        try:
            read(body, NOON)
        except BadRequestError:
            continue


def test_the_query_of_the_documentation(open_receiver, lake):
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    query = page.partition("```sql\n")[2].partition("```")[0]
    receiver = open_receiver()
    gateway = AlertGateway(receiver, lambda: NOON)
    other = OF_PROMETHEUS | {"labels": LABELS | {"alertname": "Other"}}
    gateway.write_alerts(alerts(OF_PROMETHEUS, other), Sender()).result(10)
    gateway.write_alerts(alerts(ENDED), Sender()).result(10)
    receiver.flush()
    fired = {row["reason"]: row["seconds"] for row in lake.sql(query).to_pylist()}
    assert fired == {"KubePodCrashLooping": 480, "Other": None}
