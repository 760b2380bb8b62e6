"""Who sends over HTTP: by token, by header, by address; and of which clusters they may send."""

import pytest

from tests.remote_write_2 import Series

WRITE = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
ONE, MANY = "one-token-of-16-characters", "another-token-of-16-characters"
TOKENS = {"tokens": [{"token": ONE, "clusters": ["eu"]}, {"token": MANY, "clusters": ["eu", "us"]}]}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, serve):
    with serve(tmp_path_factory.mktemp("guarded"), ingest=TOKENS) as one:
        yield one


def bearer(token, scheme="Bearer"):
    return WRITE | {"Authorization": f"{scheme} {token}"}


def clusters(running):
    running.service.receiver.flush()
    rows = running.lake.sql("SELECT DISTINCT cluster FROM samples ORDER BY 1")
    return rows["cluster"].to_pylist()


@pytest.mark.parametrize(
    "headers",
    [
        WRITE, bearer("x"), bearer(ONE + "x"), bearer(ONE[:-1]), bearer(ONE, "Basic"),
        WRITE | {"Authorization": ONE}, bearer("\N{LATIN SMALL LETTER E WITH ACUTE}".encode()),
    ],
    ids=["none", "unknown", "longer", "shorter", "basic", "no scheme", "not ASCII"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/v1/write", "/api/v1/push", "/api/v1/events"])
def test_without_a_known_token_it_is_401(guarded, samples, problem, path, headers):
    before = guarded.service.receiver.log_bytes()
    reply = guarded.http.post(path, content=samples(cluster="eu"), headers=headers)
    problem(reply, 401, "unauthorized")
    assert ONE not in reply.text
    assert guarded.service.receiver.log_bytes() == before


def test_the_tokens_cluster_is_enforced(start, samples, problem):
    with start(ingest=TOKENS) as running:
        assert running.write(samples(cluster="eu"), bearer(ONE)).status_code == 204
        detail = problem(
            running.write(samples(cluster="us"), bearer(ONE)), 403, "cluster not allowed"
        )
        assert "'us'" in detail
        assert running.write(samples(cluster="us"), bearer(MANY, "bearer")).status_code == 204
        event = {"source": "x", "reason": "r", "time": "2026-11-23T11:00:00Z", "cluster": "us"}
        token = {"Authorization": f"Bearer {ONE}"}
        reply = running.http.post("/api/v1/events", json=event, headers=token)
        problem(reply, 403, "cluster not allowed")
        assert clusters(running) == ["eu", "us"]


def test_a_token_of_one_cluster_is_that_of_data_that_names_none(start, samples, problem):
    with start(ingest=TOKENS) as running:
        assert running.write(samples(), bearer(ONE)).status_code == 204
        problem(running.write(samples(), bearer(MANY)), 400, "bad request")
        assert running.write(samples(2), bearer(MANY), cluster="us").status_code == 204
        assert clusters(running) == ["eu", "us"]


@pytest.mark.parametrize("named", ["address", "header"])
def test_what_the_request_names_must_be_allowed_too(guarded, samples, problem, named):
    more = {"X-Scope-OrgID": "us"} if named == "header" else {}
    params = {"cluster": "us"} if named == "address" else {}
    reply = guarded.write(samples(cluster="eu"), bearer(ONE) | more, **params)
    problem(reply, 403, "cluster not allowed")


def test_of_a_request_with_a_forbidden_part_the_rest_is_stored(start, body, body_2, now, problem):
    at = round(now.timestamp() * 1000)
    eu, us = ([("__name__", "up"), ("cluster", cluster)] for cluster in ("eu", "us"))
    second = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    with start(ingest=TOKENS) as running:
        parts = body((eu, [(at, 1.0)]), (us, [(at, 1.0)]))
        replies = [running.write(parts, bearer(ONE))]
        parts = body_2(Series(us, [(at, 2.0)]), Series(eu, [(at + 1, 2.0)]))
        replies.append(running.write(parts, bearer(ONE) | {"Content-Type": second}))
        for reply in replies:
            assert "'us' is not one" in problem(reply, 400, "bad request")
            assert reply.headers["X-Prometheus-Remote-Write-Samples-Written"] == "1"
        assert clusters(running) == ["eu"]


def test_the_header_names_the_cluster_and_the_address_before_it(running, samples):
    org = WRITE | {"X-Scope-OrgID": "of-header"}
    assert running.write(samples(1), org).status_code == 204
    assert running.write(samples(2), org, cluster="of-address").status_code == 204
    assert running.write(samples(3, cluster="own"), org).status_code == 204
    assert clusters(running) == ["of-address", "of-header", "own"]


def test_without_tokens_a_header_says_nothing(running, samples):
    assert running.write(samples(cluster="c1"), bearer("whatever")).status_code == 204
