"""Clusters, anomalies and events over HTTP."""

import json
from datetime import timedelta

import pytest

from orchestration.steps import anomaly_rows

MINUTE = timedelta(minutes=1)


def anomaly(now, name, minutes_ago, **changes):
    start = now - minutes_ago * MINUTE
    plain = {
        "cluster": "c1",
        "anomaly_id": name,
        "series_id": 2**62 + 1,
        "metric": "up",
        "namespace": "shop",
        "start": start,
        "end": start + 5 * MINUTE,
        "peak_time": start,
        "score": 2.0,
        "detector": "window_memory",
        "model_version": "m",
        "lake_version": 1,
        "state": "final",
    }
    return plain | changes


@pytest.fixture(scope="module")
def filled(shared, now):
    rows = [anomaly(now, f"a{n}", 10 * n, score=float(n)) for n in range(1, 6)]
    rows += [anomaly(now, "old", 3000), anomaly(now, "of-c2", 55, cluster="c2", metric=None)]
    shared.lake.anomalies.append(anomaly_rows.table(rows))
    events = [
        {
            "source": "change" if n % 2 else "opa",
            "reason": f"R{n}",
            "time": (now - n * MINUTE).isoformat(),
            "cluster": "c1",
            "uid": f"e{n}",
            "attributes": {"n": n},
        }
        for n in range(5)
    ]
    shared.http.post("/api/v1/events", json=events)
    shared.service.receiver.flush()
    return shared


def ids(reply):
    assert reply.status_code == 200, reply.text
    return [item.get("anomaly_id") or item["uid"] for item in reply.json()["items"]]


FILTERS = {
    "the last day": ("anomalies", {}, ["a1", "a2", "a3", "a4", "a5", "of-c2"]),
    "a cluster": ("anomalies", {"cluster": "c2"}, ["of-c2"]),
    "two clusters": ("anomalies", {"cluster": ["c2", "c3"]}, ["of-c2"]),
    "a score": ("anomalies", {"min_score": 4}, ["a4", "a5"]),
    "a metric": ("anomalies", {"metric": "up", "min_score": 5}, ["a5"]),
    "a namespace": ("anomalies", {"namespace": "none"}, []),
    "a start": ("anomalies", {"start": "2026-11-23T11:40:00Z"}, ["a1", "a2"]),
    "without a zone it is UTC": ("anomalies", {"start": "2026-11-23T11:40:00"}, ["a1", "a2"]),
    "with another zone": ("anomalies", {"start": "2026-11-23T12:40:00+01:00"}, ["a1", "a2"]),
    "an end": ("anomalies", {"end": "2026-11-22T00:00:00Z"}, ["old"]),
    "all of time": (
        "anomalies",
        {"start": "1970-01-01T00:00:00Z", "end": "8999-12-31T23:59:59Z"},
        ["a1", "a2", "a3", "a4", "a5", "of-c2", "old"],
    ),
    "events": ("events", {}, ["e0", "e1", "e2", "e3", "e4"]),
    "a source": ("events", {"source": "opa"}, ["e0", "e2", "e4"]),
    "a reason": ("events", {"reason": "R3"}, ["e3"]),
    "events of a range": (
        "events",
        {"start": "2026-11-23T11:57:00Z", "end": "2026-11-23T11:59:00Z"},
        ["e2", "e3"],
    ),
}


@pytest.mark.parametrize(("path", "params", "expected"), FILTERS.values(), ids=FILTERS)
def test_filters(filled, path, params, expected):
    assert ids(filled.http.get(f"/api/v1/{path}", params=params)) == expected


@pytest.mark.parametrize("path", ["anomalies", "events"])
def test_pages(filled, path):
    whole = ids(filled.http.get(f"/api/v1/{path}"))
    seen, cursor = [], None
    for _ in range(len(whole)):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = filled.http.get(f"/api/v1/{path}", params=params)
        seen += ids(page)
        cursor = page.json()["next_cursor"]
        assert page.json()["lake_versions"] == filled.lake.snapshot().versions
        if cursor is None:
            break
    assert seen == whole


BAD = {
    "limit 0": ({"limit": 0}, 422, "invalid parameters"),
    "limit too high": ({"limit": 1001}, 422, "invalid parameters"),
    "limit text": ({"limit": "many"}, 422, "invalid parameters"),
    "no time": ({"start": "yesterday-ish"}, 422, "invalid parameters"),
    "reversed": (
        {"start": "2026-11-23T00:00:00Z", "end": "2026-11-22T00:00:00Z"},
        400,
        "bad time range",
    ),
    "empty": (
        {"start": "2026-11-23T00:00:00Z", "end": "2026-11-23T00:00:00Z"},
        400,
        "bad time range",
    ),
    "the first year": ({"start": "0001-01-01T00:00:00Z"}, 400, "bad time range"),
    "before the first year": ({"start": "0001-01-01T00:00:00+14:00"}, 400, "bad time range"),
    "an end in the first year": ({"end": "0001-01-01T00:00:01Z"}, 400, "bad time range"),
    "after the last year": ({"end": "9999-12-31T23:59:59-14:00"}, 400, "bad time range"),
    "cursor": ({"cursor": "nonsense"}, 400, "bad filter"),
    "cursor beyond time": ({"cursor": "WzFlMzAsICJhIl0"}, 400, "bad filter"),
}


@pytest.mark.parametrize(("params", "status", "title"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("path", ["anomalies", "events"])
def test_bad_filters(filled, problem, path, params, status, title):
    problem(filled.http.get(f"/api/v1/{path}", params=params), status, title)


@pytest.mark.parametrize("score", ["-1", "nan", "high"])
def test_bad_scores(filled, problem, score):
    reply = filled.http.get("/api/v1/anomalies", params={"min_score": score})
    problem(reply, 422, "invalid parameters")


def test_one_anomaly(filled, problem, now):
    found = filled.http.get("/api/v1/anomalies/a1").json()
    assert found["anomaly_id"] == "a1"
    assert found["series_id"] == 2**62 + 1
    assert found["start"] == (now - 10 * MINUTE).isoformat().replace("+00:00", "Z")
    assert found["p_value"] is None
    detail = problem(filled.http.get("/api/v1/anomalies/none"), 404, "not found")
    assert "'none'" in detail


def test_scores_without_bounds_are_json(running, now):
    row = anomaly(now, "x", 5, score=float("inf"), actual=float("nan"), lower=float("-inf"))
    running.lake.anomalies.append(anomaly_rows.table([row]))
    for path in ("/api/v1/anomalies", "/api/v1/anomalies/x"):
        reply = running.http.get(path)
        assert reply.status_code == 200
        json.loads(reply.text, parse_constant=pytest.fail)


def test_clusters_and_their_freshness(running, samples, now):
    assert running.http.get("/api/v1/clusters").json() == []
    running.write(samples(2, at=now - 3 * MINUTE, cluster="c1", node="n1"))
    running.service.receiver.flush()
    (found,) = running.http.get("/api/v1/clusters").json()
    assert found["cluster"] == "c1"
    assert (found["series"], found["nodes"], found["samples"]) == (1, 1, 2)
    assert found["freshness_seconds"] == 180.0
    assert found["last_sample"] == "2026-11-23T11:57:00Z"


def test_event_attributes_are_an_object(filled):
    items = filled.http.get("/api/v1/events").json()["items"]
    assert items[3]["attributes"] == {"n": "3"}
