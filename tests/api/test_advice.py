"""Advice over HTTP and as metrics, and what is said of it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestration.steps.advice.advice import Advice, Evidence
from orchestration.steps.advice.rows import new_row, table

ROUTE = "/api/v1/advice"

CPU = Advice(
    "eu-1",
    "container_cpu",
    "shop/cart/app",
    "CPU of shop/cart/app in eu-1: request 1 core → 0.25 cores; saves 1.5 cores in 2 pods",
    "it used little",
    current={"cpu_request_cores": 1.0, "cpu_limit_cores": None},
    proposed={"cpu_request_cores": 0.25, "cpu_limit_cores": None},
    evidence=[Evidence("pods that run", 2, "pods")],
    namespace="shop",
    workload="cart",
    workload_kind="Deployment",
    container="app",
    saving_cpu_cores=1.5,
    risk=0.01,
    current_risk=0.0,
    confidence=0.6,
)

MEMORY = replace(
    CPU,
    kind="container_memory",
    title="memory of shop/cart/app",
    proposed={"memory_request_bytes": 2.0**28},
    saving_cpu_cores=None,
    saving_memory_bytes=2.0**33 * 4,
    risk=0.0,
    current_risk=0.3,
)


@pytest.fixture(scope="module")
def filled(shared, now):
    given = [
        CPU,
        MEMORY,
        replace(CPU, cluster="us-2", namespace="pay", saving_cpu_cores=0.5),
        replace(CPU, entity="shop/new/app", proposed={}, abstained=True, reason="2 h of history"),
    ]
    rows = [new_row(one, "rightsizing", now - timedelta(hours=1), 3) for one in given]
    rows.append(new_row(replace(CPU, entity="shop/old/app"), "rightsizing", now, 3))
    rows[-1]["state"] = "withdrawn"
    shared.lake.advice.append(table(rows))
    return shared


def told(filled, **params):
    reply = filled.http.get(ROUTE, params=params)
    assert reply.status_code == 200, reply.text
    return [(one["cluster"], one["kind"], one["entity"]) for one in reply.json()["items"]]


EU_CPU = ("eu-1", "container_cpu", "shop/cart/app")
EU_MEMORY = ("eu-1", "container_memory", "shop/cart/app")
US_CPU = ("us-2", "container_cpu", "shop/cart/app")
NEW = ("eu-1", "container_cpu", "shop/new/app")
OLD = ("eu-1", "container_cpu", "shop/old/app")

FILTERS = {
    "worth most first": ({}, [EU_MEMORY, EU_CPU, US_CPU]),
    "a cluster": ({"cluster": "us-2"}, [US_CPU]),
    "a kind": ({"kind": "container_cpu"}, [EU_CPU, US_CPU]),
    "a namespace": ({"namespace": "pay"}, [US_CPU]),
    "a workload": ({"workload": "nothing"}, []),
    "what cannot be told": ({"abstained": True, "namespace": "shop"}, [EU_MEMORY, EU_CPU, NEW]),
    "withdrawn": ({"state": "withdrawn"}, [OLD]),
    "by risk": ({"order": "risk", "cluster": "eu-1"}, [EU_MEMORY, EU_CPU]),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(filled, name):
    params, expected = FILTERS[name]
    found = told(filled, **params)
    assert (found if name != "what cannot be told" else sorted(found)) == (
        expected if name != "what cannot be told" else sorted(expected)
    )


def test_pages_join(filled):
    found, cursor = [], None
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        reply = filled.http.get(ROUTE, params=params).json()
        found += [one["advice_id"] for one in reply["items"]]
        cursor = reply["next_cursor"]
        if cursor is None:
            break
    assert len(found) == len(set(found)) == 3


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "x"},
        {"cursor": "WyJuYW4iLCAiYSJd"},  # ["nan", "a"]
        {"limit": 0},
        {"state": "lost"},
        {"order": "luck"},
    ],
)
def test_what_no_listing_takes_is_refused(filled, params):
    assert filled.http.get(ROUTE, params=params).status_code in {400, 422}


def test_feedback(filled):
    (one,) = filled.http.get(ROUTE, params={"cluster": "us-2"}).json()["items"]
    path = f"{ROUTE}/{one['advice_id']}/feedback"
    for wrong in ({}, {"verdict": "maybe"}, {"verdict": "accepted", "more": 1}):
        assert filled.http.post(path, json=wrong).status_code == 422
    unknown = filled.http.post(f"{ROUTE}/abcdefabc/feedback", json={"verdict": "accepted"})
    assert unknown.status_code == 404
    said = {"verdict": "dismissed", "note": "it is a cache", "by": "ada"}
    reply = filled.http.post(path, json=said)
    assert reply.status_code == 200
    assert reply.json()["state"] == "dismissed"
    assert reply.json()["feedback"][0]["note"] == "it is a cache"
    assert told(filled, cluster="us-2") == []
    assert filled.http.get(f"{ROUTE}/{one['advice_id']}").json()["state"] == "dismissed"
    again = filled.http.post(path, json={"verdict": "accepted"}).json()
    assert [entry["verdict"] for entry in again["feedback"]] == ["dismissed", "accepted"]


def test_what_proposes_nothing_cannot_be_accepted(filled):
    (one,) = [
        one
        for one in filled.http.get(ROUTE, params={"abstained": True}).json()["items"]
        if one["abstained"]
    ]
    path = f"{ROUTE}/{one['advice_id']}/feedback"
    reply = filled.http.post(path, json={"verdict": "accepted"})
    assert (reply.status_code, "2 h of history" in reply.text) == (400, True)


def test_metrics(filled):
    filled.service.adviser.run_if_due()
    text = filled.http.get("/metrics").text
    found = {
        (sample.name, *(sample.labels.get(name) for name in ("cluster", "kind"))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("fleetlake_advice_")
    }
    assert found["fleetlake_advice_open", "eu-1", "container_cpu"] == 1.0
    assert found["fleetlake_advice_saving_cpu_cores", "eu-1", "container_cpu"] == 1.5
    assert found["fleetlake_advice_saving_memory_bytes", "eu-1", "container_memory"] == 2.0**35
    assert found["fleetlake_advice_failures_total", None, None] == 0.0
