"""What comes in over HTTP: acknowledged when it is on disk, refused saying what and why."""

import json

import pytest

from ingest.remote_write import message
from tests.remote_write_2 import Series

WRITE = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
SECOND = "io.prometheus.write.v2.Request"
WRITE_2 = WRITE | {"Content-Type": f"application/x-protobuf;proto={SECOND}"}
EVENT = {"source": "change", "reason": "Deploy", "time": "2026-11-23T11:00:00Z", "cluster": "c1"}


def written(reply):
    return {
        name: reply.headers[f"X-Prometheus-Remote-Write-{name}-Written"]
        for name in ("Samples", "Histograms", "Exemplars")
    }


def count(running, table="samples"):
    running.service.receiver.flush()
    return running.lake.sql(f"SELECT count(*) AS n FROM {table}")["n"][0].as_py()


def test_samples_are_acknowledged_with_their_number(running, samples):
    reply = running.write(samples(3, cluster="c1"))
    assert (reply.status_code, reply.content) == (204, b"")
    assert written(reply) == {"Samples": "3", "Histograms": "0", "Exemplars": "0"}
    assert running.service.receiver.waiting_samples() == 3
    assert running.service.receiver.log_bytes() > 0
    assert count(running) == 3


def test_the_address_names_the_cluster_of_data_that_does_not(running, samples):
    assert running.write(samples(), cluster="of-address").status_code == 204
    assert running.write(samples(cluster="own"), cluster="of-address").status_code == 204
    count(running)
    rows = running.lake.sql("SELECT DISTINCT cluster FROM samples ORDER BY 1")
    assert rows["cluster"].to_pylist() == ["of-address", "own"]


def test_the_short_way_refuses_an_address_as_the_documented_one_would(running, samples):
    """Remote write goes round FastAPI; events do not: what both check must sound alike."""
    for path in ("/api/v1/write", "/api/v1/push"):
        short = running.http.post(path, params={"cluster": ""}, content=samples(), headers=WRITE)
        documented = running.http.post("/api/v1/events", params={"cluster": ""}, json=EVENT)
        assert short.status_code == documented.status_code == 422
        assert short.json() == documented.json()
        wrong = running.http.get(path)
        assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")


def test_a_body_in_chunks_is_one_body(running, samples):
    body = samples(5, cluster="c1")
    parts = (body[i : i + 7] for i in range(0, len(body), 7))
    assert running.write(parts).status_code == 204
    assert count(running) == 5


def test_an_empty_request_is_nothing(running):
    assert running.write(message.pack(b"")).status_code == 204
    assert count(running) == 0


BAD = {
    "empty": b"",
    "no snappy": b"hello world",
    "cut off": None,
    "no message": message.pack(b"\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_body_is_refused_and_leaves_nothing(shared, samples, problem, bad):
    if bad is None:
        bad = samples(50, cluster="c1")[:-9]
    problem(shared.write(bad), 400, "bad request")
    assert (count(shared), shared.service.receiver.log_bytes()) == (0, 0)


BAD_SERIES = {
    "no name": ([("cluster", "c1")], 0),
    "twice": ([("__name__", "up"), ("cluster", "c1"), ("cluster", "c2")], 0),
    "no cluster": ([("__name__", "up")], 0),
    "future": ([("__name__", "up"), ("cluster", "c1")], 3_600_000),
}


@pytest.mark.parametrize(("labels", "off"), BAD_SERIES.values(), ids=BAD_SERIES)
def test_of_a_partly_bad_request_the_rest_is_stored_and_the_answer_says_so(
    running, body, now, problem, labels, off
):
    at = round(now.timestamp() * 1000)
    good = ([("__name__", "up"), ("cluster", "c1")], [(at, 1.0), (at + 1, 2.0)])
    reply = running.write(body(good, (labels, [(at + off, 3.0)])))
    assert "1 of 3 samples refused, the rest is stored" in problem(reply, 400, "bad request")
    assert written(reply) == {"Samples": "2", "Histograms": "0", "Exemplars": "0"}
    reply = running.write(body((labels, [(at + off, 3.0)])))
    problem(reply, 400, "bad request")
    assert written(reply) == {"Samples": "0", "Histograms": "0", "Exemplars": "0"}
    assert count(running) == 2


def test_beyond_its_limit_a_cluster_is_told_429(start, samples, body, now, problem):
    at = round(now.timestamp() * 1000)
    with start(ingest={"max_series_per_cluster": 1}) as running:
        assert running.write(samples(1, cluster="c1")).status_code == 204
        new = ([("__name__", "down"), ("cluster", "c1")], [(at, 1.0)])
        known = ([("__name__", "up"), ("cluster", "c1")], [(at + 5, 1.0)])
        for parts, stored in (((new, known), "1"), ((new,), "0")):
            reply = running.write(body(*parts))
            detail = problem(reply, 429, "too many series", retry=stored == "0")
            assert "ingest.max_series_per_cluster" in detail
            assert written(reply)["Samples"] == stored
        assert count(running) == 2


def test_version_2_on_both_paths(running, body_2, now):
    at = round(now.timestamp() * 1000)
    for path in ("/api/v1/write", "/api/v1/push"):
        one = Series([("__name__", "up"), ("cluster", path)], [(at, 1.0)], exemplars=2)
        reply = running.http.post(path, content=body_2(one), headers=WRITE_2)
        assert reply.status_code == 204
        assert written(reply) == {"Samples": "1", "Histograms": "0", "Exemplars": "0"}
    assert count(running) == 2


def test_what_is_announced_as_the_other_version_is_refused(shared, samples, body_2, now, problem):
    """Neither has a field of the other: all of it would be passed over, and called stored."""
    at = round(now.timestamp() * 1000)
    second = body_2(Series([("__name__", "up"), ("cluster", "c1")], [(at, 1.0)]))
    for reply in (shared.write(samples(cluster="c1"), WRITE_2), shared.write(second)):
        assert "of another version" in problem(reply, 400, "bad request")
        assert written(reply)["Samples"] == "0"
    assert count(shared) == 0


HEADERS = {
    "no type": {"Content-Encoding": "snappy"},
    "json": WRITE | {"Content-Type": "application/json"},
    "version 3": WRITE
    | {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v3.Request"},
    "version 2 as JSON": WRITE_2 | {"Content-Type": "application/json;proto=" + SECOND},
    "version 2 in gzip": WRITE_2 | {"Content-Encoding": "gzip"},
    "version 2 unpacked": {"Content-Type": WRITE_2["Content-Type"]},
    "no encoding": {"Content-Type": "application/x-protobuf"},
    "gzip": WRITE | {"Content-Encoding": "gzip"},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_another_protocol_is_refused(shared, samples, problem, headers):
    reply = shared.write(samples(cluster="c1"), headers)
    detail = problem(reply, 415, "unsupported protocol")
    assert written(reply)["Samples"] == "0"
    assert "accepted:" in detail
    assert count(shared) == 0


@pytest.mark.parametrize("path", ["/api/v1/write", "/api/v1/events"])
@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_a_body_is_refused(start, problem, path, chunked):
    body = b"x" * 2000
    with start(ingest={"max_body_bytes": 1000}) as running:
        content = iter([body[:900], body[900:]]) if chunked else body
        reply = running.http.post(path, content=content, headers=WRITE)
        assert "1000" in problem(reply, 413, "body too large")


def test_a_body_that_unpacks_to_too_much_is_refused(start, problem):
    with start(ingest={"max_body_bytes": 1000}) as running:
        bomb = message.pack(b"\0" * 100_000)
        assert len(bomb) > 1000 or problem(running.write(bomb), 413, "body too large")
        stated = b"\xff\xff\xff\xff\x0f"
        problem(running.write(stated), 413, "body too large")


def test_an_overload_says_when_to_come_back(start, samples, problem):
    with start(ingest={"max_buffered_samples": 2}) as running:
        assert running.write(samples(3, cluster="c1")).status_code == 204
        reply = running.write(samples(1, cluster="c1"))
        problem(reply, 503, "overloaded")
        assert int(reply.headers["retry-after"]) > 0
        problem(running.http.post("/api/v1/events", json=EVENT), 503, "overloaded")
        assert count(running) == 3
        assert running.write(samples(1, cluster="c1")).status_code == 204


def test_a_cluster_in_the_address_must_have_a_name(shared, samples, problem):
    problem(shared.write(samples(), cluster=""), 422, "invalid parameters")


def test_events_are_accepted_and_counted(running):
    reply = running.http.post("/api/v1/events", json=[EVENT, EVENT | {"reason": "Other"}])
    assert (reply.status_code, reply.json()) == (202, {"accepted": 2})
    assert count(running, "events") == 2


BAD_EVENTS = {
    "no JSON": b"{",
    "no UTF-8": b'"\xff"',
    "no object": b"3",
    "null": b"null",
    "no reason": json.dumps(EVENT | {"reason": None}).encode(),
    "no time": json.dumps(EVENT | {"time": "soon"}).encode(),
    "no cluster": json.dumps(EVENT | {"cluster": None}).encode(),
    "future": json.dumps(EVENT | {"time": "2027-01-01T00:00:00Z"}).encode(),
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_bad_events_are_refused_and_leave_nothing(shared, problem, content):
    problem(shared.http.post("/api/v1/events", content=content), 400, "bad request")
    assert (count(shared, "events"), shared.service.receiver.log_bytes()) == (0, 0)


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/api/v1/write", 405, "method not allowed"),
        ("GET", "/api/v1/nothing", 404, "not found"),
        ("DELETE", "/api/v1/anomalies", 405, "method not allowed"),
    ],
)
def test_other_addresses_and_methods_are_problems_too(shared, problem, method, path, status, title):
    problem(shared.http.request(method, path), status, title)


def test_after_the_log_is_closed_nothing_is_acknowledged(running, samples, problem):
    running.service.receiver.close()
    problem(running.write(samples(cluster="c1")), 503, "log cannot be written")
