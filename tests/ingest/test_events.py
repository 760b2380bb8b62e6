import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import (
    BadRequestError,
    ClusterMissingError,
    InvalidEventError,
    MalformedBodyError,
)
from ingest.events import MAX_DEPTH, from_lines, parse, read_json
from ingest.sender import Sender

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAIN = {"source": "opa", "reason": "Denied", "time": "2026-03-01T11:00:00+01:00", "cluster": "eu"}
CORE = {"kind": "Event", "reason": "Pulled", "lastTimestamp": "2026-03-01T10:00:00Z"}
WATCH = {"type": "ADDED", "object": CORE}
LINES = f"{json.dumps(PLAIN)}\r\n\n  {json.dumps(WATCH)}\n{json.dumps(CORE)}".encode()
"""As `kubectl get events --watch -o json` and log shippers write them."""

DUMP = (
    Path(__file__).parents[3]
    / "shared/data/exposition/insights-operator__openshift-machine-api.json"
)


def rows(document, cluster=None, latest=NOON):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse(body, cluster, latest=latest).to_pylist()


def test_a_plain_event():
    (row,) = rows(PLAIN | {"uid": "u", "count": 3, "attributes": {"policy": "p", "n": 1}, "x": 0})
    assert row["time"] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert (row["cluster"], row["source"], row["reason"], row["uid"]) == (
        "eu",
        "opa",
        "Denied",
        "u",
    )
    assert (row["count"], row["attributes"]) == (3, [("policy", "p"), ("n", "1")])
    assert row["message"] is None


@pytest.mark.parametrize(
    ("document", "count"),
    [
        pytest.param(PLAIN, 1, id="one"),
        pytest.param([PLAIN, CORE], 2, id="array"),
        pytest.param({"kind": "EventList", "items": [CORE, CORE, CORE]}, 3, id="list"),
        pytest.param({"type": "ADDED", "object": CORE}, 1, id="watch line"),
        pytest.param([{"type": "MODIFIED", "object": CORE}, CORE], 2, id="watch lines"),
        pytest.param([], 0, id="empty array"),
        pytest.param({"items": []}, 0, id="empty list"),
        pytest.param(from_lines(b""), 0, id="no lines"),
        pytest.param(from_lines(LINES), 3, id="lines"),
    ],
)
def test_shapes(document, count):
    assert len(rows(document, "eu")) == count


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b'{"a": 1}\n{"a": 1', "line 2: body is no JSON"),
        (b'{"a": 1},{"a": 2}\n', "line 1: body is no JSON"),
        (b"1],[2\n", "line 1: body is no JSON"),
        (b"{}\n\n\xff", "line 3: body is no JSON"),
        (b"{}\n" + b"[" * 100 + b"]" * 100, "line 2: body is nested too deeply"),
    ],
)
def test_a_wrong_line_is_named(body, rule):
    with pytest.raises(MalformedBodyError, match=rule):
        from_lines(body)


def test_lines_are_the_same_events_as_an_array():
    assert rows(from_lines(LINES), "eu") == rows([PLAIN, WATCH, CORE], "eu")


def test_a_document_at_the_deepest_is_read():
    assert read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None


def test_an_event_about_an_event_is_plain():
    (row,) = rows(PLAIN | {"kind": "Event", "name": "cart.17a", "message": "denied"})
    assert (row["source"], row["kind"], row["message"]) == ("opa", "Event", "denied")
    (row,) = rows(CORE | {"source": {"component": "kubelet"}}, "eu")
    assert row["source"] == "kubernetes"


def test_an_own_cluster_wins():
    assert [row["cluster"] for row in rows([PLAIN, CORE], "us")] == ["eu", "us"]


def test_a_missing_uid_becomes_a_fingerprint():
    def uid(**changes):
        return rows(PLAIN | changes)[0]["uid"]

    assert uid() == uid(uid=None) == uid(uid="") == uid(count=5)
    assert uid(time="2026-03-01T10:00:00Z") == uid(), "the same instant in another zone"
    others = {uid(**{name: "x"}) for name in ("source", "reason", "name", "message", "cluster")}
    assert len(others | {uid()}) == 6
    assert uid() == FROZEN_UID, "the lake holds them: events would be stored again"


FROZEN_UID = "a271d20636cc3a59bc3e1e8666d29ff3"

WRONG = [
    pytest.param(PLAIN | {name: value}, InvalidEventError, rule, id=f"{name} {value!r:.20}")
    for name, value, rule in [
        ("source", None, "lacks 'source', a string"),
        ("reason", 5, "lacks 'reason', a string"),
        ("time", 1772359200, "lacks 'time', a string"),
        ("time", "yesterday", "time 'yesterday' is not RFC 3339"),
        ("time", "2026-03-01T12:00:00", "has no time zone"),
        ("time", "2026-03-01", "has no time zone"),
        ("time", "2026-13-01T12:00:00Z", "is not RFC 3339"),
        ("time", "0001-01-01T00:00:00+14:00", "not between the years"),
        ("time", "9999-12-31T23:59:59-10:00", "not between the years"),
        ("time", "2026-03-01T12:00:00.000001Z", "later than 2026-03-01T12:00:00"),
        ("type", 5, "type is 5, not a string"),
        ("kind", {"a": 1}, "kind is .*, not a string"),
        ("namespace", ["x"], "namespace is .*, not a string"),
        ("name", True, "name is True, not a string"),
        ("uid", 7, "uid is 7, not a string"),
        ("message", ["x"], "message is .*, not a string"),
        ("cluster", {"a": 1}, "cluster is .*, not a string"),
        ("cluster", 5, "cluster is 5, not a string"),
        ("name", "\ud800", "name has half a character"),
        ("cluster", "\udfff", "cluster has half a character"),
        ("attributes", {"a": "\ud800"}, "attributes has half"),
        ("attributes", {"\ud800": "a"}, "attributes has half"),
        ("attributes", [1], "wrong type"),
        ("attributes", "ab", "wrong type"),
        ("count", "many", "wrong type"),
        ("count", [1], "wrong type"),
        ("count", float("inf"), "wrong type"),
        ("count", -3, "count is -3, not 1 or more"),
        ("count", 10**30, "count is 10"),
    ]
]


@pytest.mark.parametrize(
    ("document", "error", "rule"),
    [
        *WRONG,
        pytest.param({"reason": "x"}, InvalidEventError, "lacks 'source'", id="nothing known"),
        pytest.param(
            {"type": "BOOKMARK", "object": {}}, InvalidEventError, "BOOKMARK", id="bookmark"
        ),
        pytest.param(CORE, ClusterMissingError, "names no cluster", id="no cluster"),
        pytest.param(CORE | {"cluster": ""}, ClusterMissingError, "no cluster", id="empty cluster"),
        pytest.param(b"", MalformedBodyError, "no JSON", id="empty body"),
        pytest.param(b"\xff\xfe\xfd", MalformedBodyError, "no JSON", id="no UTF-8"),
        pytest.param(b'{"a": 1', MalformedBodyError, "no JSON", id="cut off"),
        pytest.param(b'{"a": 1}{"a": 1}', MalformedBodyError, "no JSON", id="two documents"),
        pytest.param(b"[" * 100_000, MalformedBodyError, "nested too deeply", id="deep"),
        pytest.param(
            b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
            MalformedBodyError,
            "over 64 levels",
            id="deeper than anybody writes",
        ),
        pytest.param('{"a": 1}'.encode("utf-16"), MalformedBodyError, "no JSON", id="UTF-16"),
        pytest.param(b"null", MalformedBodyError, "'None' is no JSON object", id="null"),
        pytest.param(b"5", MalformedBodyError, "'5' is no JSON object", id="number"),
        pytest.param({"type": []}, InvalidEventError, "lacks 'source'", id="type is an array"),
        pytest.param([[PLAIN]], MalformedBodyError, "is no JSON object", id="nested array"),
        pytest.param({"items": ["x"]}, MalformedBodyError, "'x' is no JSON object", id="item"),
    ],
)
def test_what_is_refused(document, error, rule):
    with pytest.raises(error, match=rule):
        rows(document)
    assert issubclass(error, BadRequestError)


def test_nothing_to_store_leaves_no_trace(open_receiver, lake):
    receiver = open_receiver()
    versions = lake.snapshot().versions
    with pytest.raises(InvalidEventError):
        receiver.write_events(json.dumps([PLAIN | {"uid": 7}, PLAIN | {"count": 0.5}]).encode())
    receiver.flush()
    assert (lake.snapshot().versions, receiver.log_bytes()) == (versions, 0)
    assert receiver.statistics.events == {}
    assert receiver.statistics.refused == {("", "event"): 2}


WRONG = [
    ({"uid": 7}, None, 400, "uid is 7", ("", "event")),
    ({"cluster": ""}, None, 400, "names no cluster", ("", "cluster missing")),
    ({"cluster": "us"}, ["eu"], 403, "cluster 'us' is not one", ("eu", "cluster not allowed")),
    ({"cluster": "é" * 128}, None, 400, "256 bytes, at most 255", ("", "event")),
    ({"time": "2026-03-01T12:10:01Z"}, None, 400, "later than", ("eu", "event")),
    ({"time": "2026-01-29T11:59:59Z"}, None, 400, "earlier than", ("eu", "event")),
]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(("change", "allowed", "status", "rule", "counted"), WRONG)
def test_a_wrong_event_takes_no_other_with_it(
    open_receiver, abandon, lake, place, change, allowed, status, rule, counted
):
    """The good ones are stored, also after a crash, and a repeat is told the same."""
    cluster = None if counted[0] == "" else counted[0]
    sender = Sender(cluster, None if allowed is None else frozenset(allowed))
    good = [PLAIN | {"cluster": "eu", "name": name} for name in ("a", "b")]
    watched = {"type": "ADDED", "object": good[1]}
    document = [good[0], watched]
    document.insert(place, good[0] | change)
    body = json.dumps(document).encode()
    receiver = open_receiver()
    done = receiver.write_events(body, sender).result(10)
    assert (done.events, done.refusal.count, done.refusal.status) == (2, 1, status)
    assert rule in done.refusal.message
    assert receiver.statistics.refused == {counted: 1}
    assert receiver.statistics.events == {"eu": 2}
    abandon(receiver)
    receiver = open_receiver()
    again = receiver.write_events(body, sender).result(10)
    assert (again.events, again.refusal.count, again.refusal.status) == (2, 1, status)
    receiver.flush()
    found = lake.sql("SELECT cluster, name FROM stored.events ORDER BY name").to_pylist()
    assert [tuple(row.values()) for row in found] == [("eu", "a"), ("eu", "b")]


def test_a_body_that_is_no_json_refuses_all(open_receiver):
    receiver = open_receiver()
    with pytest.raises(MalformedBodyError):
        receiver.write_events(json.dumps([PLAIN]).encode() + b"]")
    assert receiver.statistics.refused_requests == {("", "malformed"): 1}


def test_sent_again_is_stored_but_seen_once(open_receiver, lake):
    receiver = open_receiver()
    for _ in range(2):
        receiver.write_events(json.dumps(PLAIN).encode()).result(10)
        receiver.flush()
    assert lake.sql("SELECT count(*) AS n FROM events").to_pylist() == [{"n": 1}]


def test_seen_once_is_by_uid_count_and_time(open_receiver, lake):
    receiver = open_receiver()
    given_ = PLAIN | {"uid": "u", "count": 2}
    for n, event in enumerate([given_, given_, given_ | {"count": 3}, given_ | {"uid": "v"}]):
        body = json.dumps(event | {"attributes": {"sent": str(n)}}).encode()
        assert receiver.write_events(body).result(10).events == 1
        receiver.flush()
    found = lake.sql("SELECT uid, count FROM events ORDER BY uid, count").to_pylist()
    assert [tuple(row.values()) for row in found] == [("u", 2), ("u", 3), ("v", 2)]
    assert lake.sql("SELECT count(*) AS n FROM stored.events").to_pylist() == [{"n": 4}]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
NAMES = st.sampled_from(
    [*PLAIN, *CORE, "items", "object", "type", "metadata", "involvedObject", "regarding", "series",
     "eventTime", "firstTimestamp", "count", "uid", "name", "attributes", "message", "note"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@given(JSON, st.dictionaries(NAMES, JSON, max_size=4))
def test_any_json_is_taken_or_refused_by_a_rule(document, garbage):
    for body in (document, PLAIN | garbage, CORE | garbage, [CORE | garbage, PLAIN]):
        try:
            found = rows(json.dumps(body).encode(), "eu")
        except BadRequestError:
            continue
        assert all(row["uid"] and row["count"] >= 1 for row in found)


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused_by_a_rule(body):
    for read in (rows, from_lines):
        try:
            read(body)
        except BadRequestError:
            continue


def test_latest_itself_is_accepted():
    assert rows(PLAIN | {"time": NOON.isoformat()})[0]["time"] == NOON
    with pytest.raises(InvalidEventError):
        rows(PLAIN | {"time": NOON.isoformat()}, latest=NOON - timedelta(microseconds=1))


@pytest.mark.skipif(not DUMP.is_file(), reason="real data is not part of the repository")
def test_a_real_dump(open_receiver, lake):
    receiver = open_receiver(default_cluster="lrqft", max_age=timedelta(days=2000))
    assert receiver.write_events(DUMP.read_bytes()).result(10).events == 2
    receiver.flush()
    found = lake.sql("SELECT source, type, reason, namespace, time FROM events ORDER BY time")
    first, second = found.to_pylist()
    assert first["time"] == datetime(2022, 8, 24, 9, 40, 44, tzinfo=UTC)
    assert second["time"] == datetime(2022, 8, 24, 9, 41, 5, tzinfo=UTC)
    assert [first[k] for k in ("source", "type", "reason", "namespace")] == [
        "kubernetes", "Warning", "FailedUpdate", "openshift-machine-api",
    ]  # fmt: skip


def test_events_too_old_for_the_wire_are_refused(open_receiver):
    old = json.dumps(PLAIN | {"time": "2026-01-29T11:59:59Z"}).encode()
    with pytest.raises(InvalidEventError, match="earlier than 2026-01-29T12:00:00"):
        open_receiver().write_events(old)
