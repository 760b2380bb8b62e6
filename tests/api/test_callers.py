"""Who reads over HTTP: by token, and of which clusters."""

import base64

import pyarrow as pa
import pytest

from api.caller import identify
from api.errors import CallerUnknownError
from lake.schema import ANOMALIES
from orchestration.failures import Failure
from orchestration.read_token import ReadToken
from orchestration.settings import Settings
from orchestration.steps.advice import rows as advice_rows
from orchestration.steps.advice.advice import Advice

ALL, EU = "a-token-of-all-clusters", "a-token-of-eu-alone"
TOKENS = {"tokens": [{"token": ALL, "clusters": "all"}, {"token": EU, "clusters": ["eu", "eu2"]}]}


def bearer(token, scheme="Bearer"):
    return {"Authorization": f"{scheme} {token}"}


def basic(password, user="anyone"):
    return bearer(base64.b64encode(f"{user}:{password}".encode()).decode(), "Basic")


def anomaly(cluster, now):
    return {
        "cluster": cluster, "anomaly_id": f"of-{cluster}", "start": now, "end": now,
        "peak_time": now, "score": 2.0, "detector": "d", "model_version": "1",
        "lake_version": 1, "state": "final",
    }  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, serve, body, now):
    with serve(tmp_path_factory.mktemp("guarded"), api=TOKENS) as one:
        at = round(now.timestamp() * 1000)
        for cluster in ("eu", "us"):
            labels = [("__name__", "up"), ("cluster", cluster)]
            assert one.write(body((labels, [(at, 1.0)]))).status_code == 204
            event = {"source": "x", "reason": "r", "time": now.isoformat(), "cluster": cluster}
            assert one.http.post("/api/v1/events", json=event).status_code == 202
        one.service.receiver.flush()
        rows = [anomaly(cluster, now) for cluster in ("eu", "us")]
        one.lake.anomalies.append(pa.Table.from_pylist(rows, ANOMALIES.schema))
        given = [Advice(cluster, "node_empty", "n1", "t", "r") for cluster in ("eu", "us")]
        own = [advice_rows.new_row(each, "nodes", now, 1) for each in given]
        one.lake.advice.append(advice_rows.table(own))
        yield one


def test_nothing_is_read_without_a_token(guarded, problem):
    document = guarded.http.get("/openapi.json", headers=bearer(ALL)).json()
    paths = [
        *("/", "/docs", "/redoc", "/openapi.json", "/metrics", "/favicon.ico", "//"),
        *("/_nicegui/auto/static/nicegui.js", "/_nicegui_ws/socket.io/?EIO=4&transport=polling"),
        *("/nowhere", "/api/v1/nowhere", "/api/v1/write", "/logs", "/static-offline-docs/x.js"),
        *("/healthz/", "/healthz/../metrics", "/%2e/metrics", "/METRICS", "/readyz/x"),
        *(path for path, methods in document["paths"].items() if "get" in methods),
    ]
    opened = {"/healthz", "/readyz"}
    assert len(paths) > 20
    for path in paths:
        for headers in (
            {},
            bearer("x" * 20),
            bearer(ALL + "x"),
            basic(ALL[:-1]),
            bearer(ALL, "Token"),
        ):
            reply = guarded.http.get(path.replace("{anomaly_id}", "of-eu"), headers=headers)
            if path in opened:
                assert reply.status_code == 200
                continue
            problem(reply, 401, "unauthorized")
            assert reply.headers["www-authenticate"].startswith("Basic ")
            assert ALL not in reply.text
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"):
        assert guarded.http.request(method, "/api/v1/clusters").status_code == 401
    problem(guarded.sql("SELECT 1"), 401, "unauthorized")


@pytest.mark.parametrize(
    "credentials", [bearer(ALL), basic(ALL), bearer(ALL, "bearer"), basic(ALL, "")]
)
@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/metrics", "/api/v1/clusters"])
def test_with_a_token_of_all_everything_is_read(guarded, path, credentials):
    assert guarded.http.get(path, headers=credentials).status_code == 200


def test_sending_needs_no_token_for_reading(guarded, samples):
    """It has its own (`ingest.tokens`), or none."""
    assert guarded.write(samples(cluster="eu")).status_code == 204
    for path in ("/v1/metrics", "/v1/logs", "/logs", "/logs/x", "/api/v2/alerts"):
        assert guarded.http.post(path, content=b"[]").status_code != 401


SECRET = "s3://fleet-eu/lake: no answer to SELECT 1"


@pytest.mark.parametrize("headers", [{}, bearer("x" * 20), bearer(EU), bearer(ALL)])
def test_what_errors_say_is_for_callers_of_all(guarded, now, headers):
    """Health is open: its texts may name places, queries, and what other clusters answer."""
    service, failure = guarded.service, Failure("StoreError", SECRET, now)
    broken = (
        service.worker.health.errors,
        service.forecaster.statistics.errors,
        service.adviser.statistics.errors,
        service.maintainer.statistics.errors,
    )
    scrapes = service.scraper.statistics.errors
    try:
        for number, errors in enumerate(broken):
            errors[f"part {number}"] = failure
        scrapes["http://secret-us:80/metrics"] = "status 500: secret"
        reply = guarded.http.get("/readyz", headers=headers)
    finally:
        for errors in (*broken, scrapes):
            errors.clear()
    told, since = reply.json(), "(since 2026-11-23 12:00:00 UTC)"
    assert reply.status_code == 503
    named = ["part 0", "part 1", "part 2", "maintenance part 3"]
    assert [*told["errors"], *told["rounds"]] == named
    texts = {*told["errors"].values(), *told["rounds"].values()}
    if headers == bearer(ALL):
        assert texts == {f"StoreError: {SECRET} {since}"}
        assert told["sources"] == {"http://secret-us:80/metrics": "status 500: secret"}
    else:
        assert texts == {f"StoreError {since}; the log says more"}
        assert told["sources"] == {"scrapes": "1 fail; the log says which"}
        assert "secret" not in reply.text


def names(reply, key="items"):
    assert reply.status_code == 200, reply.text
    found = reply.json()
    return sorted({row["cluster"] for row in (found[key] if key else found)})


@pytest.mark.parametrize(("token", "seen"), [(ALL, ["eu", "us"]), (EU, ["eu"])])
def test_listings_are_of_the_callers_clusters(guarded, token, seen):
    def get(path, **params):
        return guarded.http.get(path, headers=bearer(token), params=params)

    assert names(get("/api/v1/clusters"), None) == seen
    for path in ("/api/v1/anomalies", "/api/v1/events", "/api/v1/advice"):
        assert names(get(path)) == seen
        assert names(get(path, cluster="eu")) == ["eu"]
        assert names(get(path, cluster=["eu", "us"])) == seen
        assert names(get(path, cluster="us")) == [one for one in seen if one == "us"]
        assert names(get(path, cluster="nowhere")) == []
    assert get("/api/v1/anomalies/of-eu").status_code == 200
    assert get("/api/v1/anomalies/of-us").status_code == (200 if "us" in seen else 404)


def test_nothing_is_said_of_others_advice(guarded, problem):
    advice_id = Advice("us", "node_empty", "n1", "t", "r").advice_id
    path, said = f"/api/v1/advice/{advice_id}", {"verdict": "dismissed"}
    problem(guarded.http.get(path, headers=bearer(EU)), 404, "not found")
    reply = guarded.http.post(f"{path}/feedback", headers=bearer(EU), json=said)
    problem(reply, 404, "not found")
    assert guarded.http.get(path, headers=bearer(ALL)).json()["state"] == "open"


def test_what_is_not_to_be_seen_is_as_if_it_were_not_there(guarded, problem):
    replies = [
        guarded.http.get(f"/api/v1/anomalies/{name}", headers=bearer(EU))
        for name in ("of-us", "of-no")
    ]
    details = {problem(reply, 404, "not found") for reply in replies}
    assert {detail.replace("of-us", "?").replace("of-no", "?") for detail in details} == {
        "no anomaly has the id '?'"
    }


@pytest.mark.parametrize(("token", "seen"), [(ALL, ["eu", "us"]), (EU, ["eu"])])
def test_sql_is_of_the_callers_clusters(guarded, problem, token, seen):
    for table in ("samples", "series", "events", "anomalies", "metrics", "samples AS stored"):
        sql = f"SELECT DISTINCT cluster FROM {table} ORDER BY 1"
        for reply in (
            guarded.http.post("/api/v1/sql", json={"query": sql}, headers=bearer(token)),
            guarded.http.get("/api/v1/sql", params={"query": sql}, headers=bearer(token)),
        ):
            assert reply.status_code == 200, reply.text
            assert [row[0] for row in reply.json()["rows"]] == seen
    for sql in ("SELECT * FROM stored.samples", "SELECT stats(cluster) FROM samples"):
        reply = guarded.http.post("/api/v1/sql", json={"query": sql}, headers=bearer(token))
        problem(reply, 403, "query not allowed")


@pytest.mark.parametrize("path", ["/", "/metrics", "/_nicegui/x", "/favicon.ico", "/_nicegui_ws/x"])
def test_what_tells_of_all_clusters_is_for_callers_of_all(guarded, problem, path):
    reply = guarded.http.get(path, headers=basic(EU))
    assert "a token of all" in problem(reply, 403, "cluster not allowed")
    assert guarded.http.get("/docs", headers=bearer(EU)).status_code == 200


WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
    "Sec-WebSocket-Version": "13",
}


@pytest.mark.parametrize(("headers", "status"), [({}, 403), (basic(EU), 403), (basic(ALL), 101)])
def test_the_pages_websocket_needs_a_token_too(guarded, headers, status):
    path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket&client_id=x"
    with guarded.http.stream("GET", path, headers=WEBSOCKET | headers) as reply:
        assert reply.status_code == status


def test_without_tokens_all_is_open(running, samples):
    assert running.write(samples(cluster="eu")).status_code == 204
    for headers in ({}, bearer("whatever"), basic("x")):
        for path in ("/", "/docs", "/metrics", "/api/v1/clusters", "/api/v1/events"):
            assert running.http.get(path, headers=headers).status_code == 200


def test_every_token_is_compared_whole():
    tokens = Settings(api=TOKENS).api.tokens
    assert identify(tokens, f"Bearer {EU}").clusters == {"eu", "eu2"}
    assert identify(tokens, f"  bearer   {ALL} ").clusters is None
    assert identify((), None).clusters is None
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        ALL,
        f"Token {ALL}",
        f"Basic {ALL}",
        "Basic ====",
        "Basic YQ==",
    ]
    for header in (None, *wrong, f"Bearer {ALL} x", f"Bearer {ALL[1:]}", "Bearer é"):
        with pytest.raises(CallerUnknownError):
            identify(tokens, header)


@pytest.mark.parametrize(
    "token",
    [
        {"token": "too-short", "clusters": "all"}, {"token": ALL}, {"token": ALL, "clusters": []},
        {"token": ALL, "clusters": "eu"}, {"token": ALL, "clusters": "all", "more": 1},
        {"token": ALL, "clusters": None}, {"clusters": "all"},
    ],
    ids=["short", "no clusters", "none", "a name", "unknown", "null", "no token"],
)  # fmt: skip
def test_wrong_tokens_stop_the_start(token):
    with pytest.raises(ValueError, match="tokens"):
        Settings(api={"tokens": [token]})


def test_a_token_is_not_shown():
    settings = Settings(api=TOKENS)
    assert ALL not in repr(settings)
    assert ALL not in settings.model_dump_json()
    assert isinstance(settings.api.tokens[0], ReadToken)
