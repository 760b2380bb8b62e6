"""Incidents over HTTP: a listing, one with all there is to it, and what people say of it."""

from datetime import timedelta

import pytest

from lake import TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.steps import anomaly_rows, kept_feedback
from orchestration.steps.incidents.update import update

MINUTE = timedelta(minutes=1)


def flag(lake, start, cluster):
    row = {
        "cluster": cluster,
        "anomaly_id": f"{cluster}-cart",
        "metric": "http_errors",
        "namespace": "shop",
        "workload": "cart",
        "start": start,
        "end": start + 20 * MINUTE,
        "peak_time": start,
        "score": 6.0,
        "actual": 9.0,
        "expected": 1.0,
        "direction": "above",
        "detector": "window_memory",
        "model_version": "m1",
        "lake_version": 0,
        "state": "final",
    }
    lake.anomalies.append(anomaly_rows.table([row]))


ALL, EU = "everybody-may-see-all", "only-the-cluster-eu"


@pytest.fixture(scope="module")
def shop(serve, tmp_path_factory, now):
    """Two clusters with an incident each, hours apart; one token sees both, one only `eu`."""
    tokens = [{"token": ALL, "clusters": "all"}, {"token": EU, "clusters": ["eu"]}]
    with serve(tmp_path_factory.mktemp("incidents"), api={"tokens": tokens}) as running:
        flag(running.lake, now - 300 * MINUTE, "eu")
        flag(running.lake, now - 100 * MINUTE, "us")
        day = TimeRange(now - timedelta(hours=12), now)
        update(running.lake, DetectionSettings(), IncidentSettings(), day, now)
        yield running


def ask(running, path="", token=ALL, **params):
    headers = {"Authorization": f"Bearer {token}"}
    return running.http.get(f"/api/v1/incidents{path}", params=params, headers=headers)


def say(running, path, body, token=ALL):
    headers = {"Authorization": f"Bearer {token}"}
    return running.http.post(f"/api/v1/incidents{path}/feedback", json=body, headers=headers)


def test_incidents_are_listed_told_and_spoken_of(shop):
    page = ask(shop).json()
    assert [one["cluster"] for one in page["items"]] == ["us", "eu"]
    first = page["items"][0]
    assert first["title"].startswith("shop/cart in us: errors since ")
    assert first["causes"][0]["entity"] == "shop/cart"
    one = ask(shop, f"/{first['incident_id']}").json()
    assert [row["incident_id"] for row in one["anomalies"]] == [first["incident_id"]]
    assert {moment["what"] for moment in one["timeline"]} >= {"http_errors above", "resolved"}
    said = say(shop, f"/{first['incident_id']}", {"verdict": "false", "note": "a load test"})
    assert said.status_code == 200
    assert said.json()["feedback"][0]["note"] == "a load test"
    again = ask(shop, f"/{first['incident_id']}").json()
    assert [one["verdict"] for one in again["feedback"]] == ["false"]


def test_what_was_said_is_read_again_only_where_events_have_come(shop, monkeypatch):
    reads, run = [], kept_feedback.run

    def counting(*asked):
        reads.append(asked)
        return run(*asked)

    monkeypatch.setattr(kept_feedback, "run", counting)
    path = f"/{ask(shop).json()['items'][0]['incident_id']}"
    before = ask(shop, path).json()["feedback"]
    reads.clear()
    assert ask(shop, path).json()["feedback"] == before
    assert reads == []
    told = say(shop, path, {"verdict": "confirmed"}).json()["feedback"]
    assert [*before, *told[-1:]] == told
    assert len(reads) == 1


def test_a_caller_of_one_cluster_sees_its_incidents_alone(shop):
    everybody = {one["cluster"]: one["incident_id"] for one in ask(shop).json()["items"]}
    mine = ask(shop, token=EU).json()["items"]
    assert [one["incident_id"] for one in mine] == [everybody["eu"]]
    assert ask(shop, f"/{everybody['us']}", token=EU).status_code == 404
    before = ask(shop, f"/{everybody['us']}").json()["feedback"]
    hidden = say(shop, f"/{everybody['us']}", {"verdict": "false"}, token=EU)
    assert hidden.status_code == 404
    assert ask(shop, f"/{everybody['us']}").json()["feedback"] == before
    assert ask(shop, token="somebody-else-entirely").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verdict": "maybe"},
        {"verdict": "false", "extra": 1},
        {"verdict": "false", "note": "x" * 5000},
    ],
)
def test_what_nobody_can_mean_is_refused(shop, body):
    one = ask(shop, token=EU).json()["items"][0]["incident_id"]
    assert say(shop, f"/{one}", body).status_code == 422
    assert ask(shop, f"/{one}").json()["feedback"] == []


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"state": "gone"}, 422),
        ({"severity": "worst"}, 422),
        ({"cursor": "x"}, 400),
        ({"limit": 0}, 422),
    ],
)
def test_wrong_filters_are_told(shop, params, status):
    assert ask(shop, **params).status_code == status
