"""Events over HTTP: acknowledged when they are on disk, refused without leaving a trace."""

import gzip
import json

import pytest

EVENT = {"source": "change", "reason": "Deploy", "time": "2026-11-23T11:00:00Z", "cluster": "c1"}
DECISION = {
    "labels": {"id": "1", "cluster": "c1"}, "decision_id": "d1", "path": "k8s/deny",
    "result": ["no limits"], "timestamp": "2026-11-23T11:00:00.123456789Z",
}  # fmt: skip
ALERT = {
    "labels": {"alertname": "Full", "cluster": "c1", "node": "n1"},
    "annotations": {"summary": "The disk is full"},
    "startsAt": "2026-11-23T11:00:00Z", "endsAt": "2026-11-23T12:05:00Z",
}  # fmt: skip
NOTIFICATION = {"version": "4", "receiver": "lake", "alerts": [ALERT | {"status": "firing"}]}
BODIES = {
    "/api/v1/events": EVENT,
    "/logs": [DECISION],
    "/logs/blue": [DECISION],
    "/api/v1/alertmanager/webhook": NOTIFICATION,
    "/api/v2/alerts": [ALERT],
}
GZIP = {"Content-Encoding": "gzip", "Content-Type": "application/json"}


def rows(running):
    running.service.receiver.flush()
    return running.lake.sql("SELECT * FROM events ORDER BY time, uid").to_pylist()


def nothing(running):
    return (rows(running), running.service.receiver.log_bytes()) == ([], 0)


def nameless(document):
    """The same, of no cluster."""
    return json.loads(json.dumps(document).replace('"cluster": "c1"', '"team": "a"'))


@pytest.mark.parametrize("path", BODIES)
def test_accepted_and_in_the_lake(running, path):
    reply = running.http.post(path, json=BODIES[path])
    assert reply.is_success
    assert reply.json()["accepted"] == 1
    assert running.service.receiver.log_bytes() > 0
    (row,) = rows(running)
    assert row["cluster"] == "c1"


@pytest.mark.parametrize("path", BODIES)
def test_packed_and_sent_again_it_is_stored_once(running, path):
    body = gzip.compress(json.dumps(BODIES[path]).encode())
    for _ in range(2):
        assert running.http.post(path, content=body, headers=GZIP).is_success
    assert running.service.receiver.statistics.events == {"c1": 1}


@pytest.mark.parametrize("path", BODIES)
def test_the_request_names_the_cluster_of_events_that_do_not(running, path, problem):
    body = nameless(BODIES[path])
    assert "names no cluster" in problem(running.http.post(path, json=body), 400, "bad request")
    assert nothing(running)
    assert running.http.post(path, json=body, params={"cluster": "asked"}).is_success
    body = json.loads(json.dumps(body).replace("11:00:00", "10:00:00"))
    assert running.http.post(path, json=body, headers={"X-Scope-OrgID": "told"}).is_success
    assert [row["cluster"] for row in rows(running)] == ["told", "asked"]


TOKENS = [
    {"token": "token-of-cluster-one", "clusters": ["c1"]},
    {"token": "token-of-cluster-two", "clusters": ["c2"]},
]


@pytest.mark.parametrize("path", BODIES)
def test_a_token_allows_its_cluster_alone(start, problem, path):
    def post(token, body):
        return running.http.post(path, json=body, headers={"Authorization": f"Bearer {token}"})

    with start(ingest={"tokens": TOKENS}) as running:
        problem(post("another-token-altogether", BODIES[path]), 401, "unauthorized")
        problem(post("token-of-cluster-two", BODIES[path]), 403, "cluster not allowed")
        assert nothing(running)
        assert post("token-of-cluster-one", BODIES[path]).is_success
        assert post("token-of-cluster-two", nameless(BODIES[path])).is_success
        assert sorted(row["cluster"] for row in rows(running)) == ["c1", "c2"]


BAD = {
    "empty": b"",
    "no JSON": b"{",
    "no UTF-8": b'"\xff"',
    "a number": b"3",
    "null": b"null",
    "an object": b"{}",
    "numbers": b"[1]",
    "too deep": b"[" * 100_000,
    "deep": b"[" * 500 + b"]" * 500,
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_bad_body_is_refused_and_leaves_nothing(shared, problem, path, content):
    problem(shared.http.post(path, content=content), 400, "bad request")
    assert nothing(shared)


@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_is_not_what_its_header_says_is_refused(shared, problem, path):
    problem(shared.http.post(path, content=b"[]", headers=GZIP), 400, "bad request")
    reply = shared.http.post(path, content=b"[]", headers={"Content-Encoding": "br"})
    problem(reply, 415, "unsupported protocol")


@pytest.mark.parametrize("path", BODIES)
def test_too_large_and_too_much_once_unpacked(start, problem, path):
    with start(ingest={"max_body_bytes": 1000}) as running:
        problem(running.http.post(path, content=b" " * 1001), 413, "body too large")
        bomb = gzip.compress(b" " * 100_000)
        problem(running.http.post(path, content=bomb, headers=GZIP), 413, "body too large")


@pytest.mark.parametrize("path", BODIES)
def test_after_the_log_is_closed_nothing_is_acknowledged(running, problem, path):
    running.service.receiver.close()
    problem(running.http.post(path, json=BODIES[path]), 503, "log cannot be written")


@pytest.mark.parametrize(
    "media", ["application/x-ndjson", "application/ndjson; charset=utf-8", "application/jsonl"]
)
def test_events_in_lines(running, problem, media):
    lines = "\n".join(json.dumps(EVENT | {"name": str(n)}) for n in range(1000))
    headers = {"Content-Type": media}
    reply = running.http.post("/api/v1/events", content=lines, headers=headers)
    assert (reply.status_code, reply.json()) == (202, {"accepted": 1000})
    reply = running.http.post("/api/v1/events", content=lines + "\n{", headers=headers)
    assert "line 1001" in problem(reply, 400, "bad request")
    assert len(rows(running)) == 1000


def test_lines_must_be_announced(shared, problem):
    lines = f"{json.dumps(EVENT)}\n{json.dumps(EVENT)}"
    problem(shared.http.post("/api/v1/events", content=lines), 400, "bad request")


def test_decisions_keep_their_partition(running):
    running.http.post("/logs/blue", json=[DECISION])
    (row,) = rows(running)
    assert dict(row["attributes"])["partition"] == "blue"
    assert (row["type"], row["message"]) == ("Warning", "k8s/deny denied: no limits")


def test_a_repeated_alert_is_counted_as_such(running):
    for accepted in (1, 0):
        reply = running.http.post("/api/v2/alerts", json=[ALERT])
        assert reply.json() == {"accepted": accepted, "repeated": 1 - accepted, "too_old": 0}
    reply = running.http.post("/api/v1/alertmanager/webhook", json=NOTIFICATION)
    assert reply.json() == {"accepted": 0, "repeated": 1, "too_old": 0}


def test_many_alerts_at_once(running):
    alerts = [ALERT | {"labels": {**ALERT["labels"], "disk": str(n)}} for n in range(2000)]
    reply = running.http.post("/api/v2/alerts", json=alerts)
    assert reply.json() == {"accepted": 2000, "repeated": 0, "too_old": 0}


def test_an_alert_of_a_wrong_time_is_told_of_and_the_others_are_stored(running, problem):
    late = ALERT | {"startsAt": "2026-11-24T00:00:00Z", "endsAt": "2026-11-24T00:05:00Z"}
    detail = problem(running.http.post("/api/v2/alerts", json=[late, ALERT]), 400, "bad request")
    assert detail.startswith("1 alerts are stored, 1 are not: 'Full' is firing since")
    assert len(rows(running)) == 1


def with_a_bad_one(path, bad):
    """A body with a second event, of another cluster."""
    one = BODIES[path]
    if isinstance(one, dict) and "alerts" in one:
        return one | {"alerts": [*with_a_bad_one("/api/v2/alerts", bad), *one["alerts"]]}
    one = one[0] if isinstance(one, list) else one
    return [json.loads(json.dumps(one).replace('"cluster": "c1"', bad)), one]


@pytest.mark.parametrize("path", BODIES)
def test_one_without_a_cluster_takes_no_other_with_it(running, problem, path):
    reply = running.http.post(path, json=with_a_bad_one(path, '"team": "a"'))
    if path.startswith("/logs"):
        # OPA sends again whatever got no 2xx.
        assert (reply.status_code, reply.json()) == (200, {"accepted": 1, "refused": 1})
    else:
        detail = problem(reply, 400, "bad request")
        assert " 1 are not: " in detail.replace("1 events are stored,", "").replace(
            "1 alerts are stored,", ""
        )
        assert "names no cluster" in detail
    assert [row["cluster"] for row in rows(running)] == ["c1"]


@pytest.mark.parametrize("path", BODIES)
def test_one_of_a_forbidden_cluster_takes_no_other_with_it(start, problem, path):
    tokens = [{"token": "token-of-cluster-one", "clusters": ["c1", "c3"]}]
    with start(ingest={"tokens": tokens}) as running:
        headers = {"Authorization": "Bearer token-of-cluster-one"}
        body = with_a_bad_one(path, '"cluster": "c2"')
        reply = running.http.post(path, json=body, headers=headers)
        if path.startswith("/logs"):
            assert (reply.status_code, reply.json()) == (200, {"accepted": 1, "refused": 1})
        else:
            assert "'c2' is not one" in problem(reply, 403, "cluster not allowed")
        assert [row["cluster"] for row in rows(running)] == ["c1"]


@pytest.mark.parametrize("wrong", [{"timestamp": "2027-01-01T00:00:00Z"}, {"path": 5}])
def test_opa_need_not_send_again_what_can_never_be_stored(running, wrong):
    for _ in range(2):
        reply = running.http.post("/logs", json=[DECISION | wrong])
        assert (reply.status_code, reply.json()) == (200, {"accepted": 0, "refused": 1})
    assert nothing(running)
    assert running.service.receiver.statistics.refused == {("", "event"): 2} or (
        "timestamp" in wrong
    )


def test_an_alert_that_is_too_old_is_told_of_without_an_error(start):
    with start(ingest={"max_age": 3600}) as running:
        old = ALERT | {"startsAt": "2020-01-01T00:00:00Z"}
        reply = running.http.post("/api/v2/alerts", json=[old])
        assert (reply.status_code, reply.json()["too_old"]) == (200, 1)
