from datetime import UTC, datetime

import pytest

from ingest.errors import InvalidEventError
from ingest.kubernetes import MAX_MESSAGE, is_event, row

CORE = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "cart.17a", "namespace": "shop", "uid": "e-1"},
    "involvedObject": {
        "kind": "Pod",
        "namespace": "shop",
        "name": "cart-0",
        "uid": "p-1",
        "fieldPath": "spec.containers{app}",
    },
    "reason": "BackOff",
    "message": "Back-off restarting failed container",
    "source": {"component": "kubelet", "host": "node-1"},
    "firstTimestamp": "2026-03-01T10:00:00Z",
    "lastTimestamp": "2026-03-01T11:00:00Z",
    "count": 7,
    "type": "Warning",
    "eventTime": None,
}

NEW = {
    "apiVersion": "events.k8s.io/v1",
    "kind": "Event",
    "metadata": {"name": "cart.17a", "namespace": "shop", "uid": "e-1"},
    "regarding": CORE["involvedObject"],
    "reason": "BackOff",
    "note": CORE["message"],
    "reportingController": "kubelet",
    "reportingInstance": "node-1",
    "action": "Restarting",
    "eventTime": "2026-03-01T10:00:00.000000Z",
    "series": {"count": 7, "lastObservedTime": "2026-03-01T11:00:00.000000Z"},
    "type": "Warning",
}

OLD_SERVER = {
    "kind": "Event",
    "metadata": CORE["metadata"],
    "regarding": CORE["involvedObject"],
    "reason": "BackOff",
    "note": CORE["message"],
    "deprecatedSource": CORE["source"],
    "deprecatedLastTimestamp": "2026-03-01T11:00:00Z",
    "deprecatedCount": 7,
    "eventTime": None,
    "type": "Warning",
}


@pytest.mark.parametrize(
    "event", [CORE, NEW, OLD_SERVER], ids=["core/v1", "events.k8s.io/v1", "old"]
)
def test_all_forms_say_the_same(event):
    found = row(event)
    attributes = dict(found.pop("attributes"))
    assert attributes.pop("action", "Restarting") == "Restarting"
    assert attributes == {
        "component": "kubelet",
        "host": "node-1",
        "object_uid": "p-1",
        "field_path": "spec.containers{app}",
    }
    assert found == {
        "time": datetime(2026, 3, 1, 11, tzinfo=UTC),
        "source": "kubernetes",
        "type": "Warning",
        "reason": "BackOff",
        "kind": "Pod",
        "namespace": "shop",
        "name": "cart-0",
        "uid": "e-1",
        "message": "Back-off restarting failed container",
        "count": 7,
    }


@pytest.mark.parametrize(
    ("changes", "hour"),
    [
        ({}, 11),
        ({"series": {"lastObservedTime": "2026-03-01T12:00:00Z"}}, 12),
        ({"lastTimestamp": None, "eventTime": "2026-03-01T09:00:00.123456Z"}, 9),
        ({"lastTimestamp": "0001-01-01T00:00:00Z"}, 10),
        ({"lastTimestamp": None}, 10),
        (
            {
                "lastTimestamp": None,
                "firstTimestamp": None,
                "metadata": {"creationTimestamp": "2026-03-01T08:00:00Z"},
            },
            8,
        ),
        ({"lastTimestamp": "2026-03-01T11:00:00+05:30"}, 5),
    ],
)
def test_the_time_is_when_it_was_last_seen(changes, hour):
    assert row(CORE | changes)["time"].hour == hour


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        ({"kind": "Event"}, "has no reason"),
        (CORE | {"reason": ""}, "'cart.17a' has no reason"),
        (CORE | {"reason": 5}, "has no reason"),
        (CORE | {"lastTimestamp": None, "firstTimestamp": None}, "'cart.17a' has no time"),
        (CORE | {"lastTimestamp": "soon"}, "'soon' is not RFC 3339"),
        (CORE | {"lastTimestamp": 5}, "'5' is not RFC 3339"),
    ],
)
def test_what_identifies_nothing_is_refused(event, rule):
    with pytest.raises(InvalidEventError, match=rule):
        row(event)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"kind": "Event"}, True),
        ({"lastTimestamp": "x"}, True),
        ({"regarding": {}}, True),
        ({"kind": "Pod"}, False),
        ({}, False),
    ],
)
def test_what_counts_as_an_event(event, expected):
    assert is_event(event) is expected


@pytest.mark.parametrize("absent", ["involvedObject", "source", "type", "message", "count"])
def test_sparse_events(absent):
    found = row({name: value for name, value in CORE.items() if name != absent})
    assert found["count"] == (1 if absent == "count" else 7)
    assert found["namespace"] == "shop"


def test_long_messages_are_cut():
    assert len(row(CORE | {"message": "x" * 100_000})["message"]) == MAX_MESSAGE
