"""What stands next to what, by labels, objects, volumes, a mesh and the settings."""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.incident_settings import Call
from orchestration.steps.incidents.entities import entity_of
from orchestration.steps.incidents.lake_events import entities_of
from orchestration.steps.incidents.topology import topology


@pytest.fixture
def known(shop, fill):
    """Asks for the topology of `eu` once these series are in the lake."""

    def ask(*labels, calls=(), at=shop.at):
        if labels:
            times = round(shop.at.timestamp() * 1000) + 60_000 * np.arange(-10, 0)
            own = [{"cluster": "eu", **one} for one in labels]
            fill(shop.lake, own, [times] * len(own), [np.ones(10)] * len(own))
        return topology(shop.lake.snapshot(), ["eu"], at, calls)

    return ask


POSTGRES = {"__name__": "up", "namespace": "data", "pod": "postgres-0", "node": "n7", "job": "pg"}


def test_pods_lie_on_nodes(known):
    found = known(POSTGRES)
    assert found.nodes_of["eu", "data/postgres"] == {"node n7"}
    assert found.around(("eu", "node n7")) == {"data/postgres"}


def test_what_was_gone_for_days_or_is_of_another_cluster_is_not_there(known, shop):
    assert known(POSTGRES, at=shop.at + timedelta(days=9)).nodes_of == {}
    other = topology(shop.lake.snapshot(), ["us"], shop.at)
    assert other.nodes_of == {}


@pytest.mark.parametrize("template", ["data", "pg-data"])
def test_a_claim_is_of_the_pod_that_it_is_named_after(known, template):
    claim = {
        "__name__": "kubelet_volume_stats_used_bytes",
        "namespace": "data",
        "persistentvolumeclaim": f"{template}-postgres-0",
        "node": "n7",
    }
    found = known(POSTGRES, claim, claim | {"persistentvolumeclaim": "shared"})
    assert found.claims == {("eu", "data", f"{template}-postgres-0"): "data/postgres"}


def test_a_series_of_a_claim_tells_of_a_call_only_where_both_ends_are_known(known):
    both = {
        "__name__": "volume_requests_total",
        "namespace": "data",
        "persistentvolumeclaim": "data-postgres-0",
        "source_workload": "web",
        "source_workload_namespace": "shop",
        "destination_workload": "postgres",
        "destination_workload_namespace": "data",
    }
    found = known(POSTGRES, both, both | {"destination_workload": "unknown"})
    assert found.claims == {("eu", "data", "data-postgres-0"): "data/postgres"}
    assert dict(found.callees) == {("eu", "shop/web"): {"data/postgres"}}


@pytest.mark.parametrize(
    ("metric", "engines"),
    [
        ("opa_decisions_total", {"platform/opa"}),
        ("gatekeeper_violations", {"platform/opa"}),
        ("opaque_total", set()),
        ("my_opa_decisions_total", set()),
    ],
)
def test_engines_of_policies_are_known_by_their_metrics(known, metric, engines):
    engine = {"__name__": metric, "namespace": "platform", "pod": "opa-7c9d8f6b54-x2v9k"}
    assert known(engine).engines["eu"] == engines


def test_a_mesh_and_the_settings_tell_who_calls_whom(known):
    mesh = {
        "__name__": "istio_requests_total",
        "reporter": "source",
        "source_workload": "web",
        "source_workload_namespace": "shop",
        "destination_workload": "cart",
        "destination_workload_namespace": "shop",
    }
    found = known(mesh, mesh | {"source_workload": "unknown"}, calls=[
        Call(source="shop/cart", target="shop/db"),
        Call(source="shop/x", target="shop/y", cluster="us"),
    ])  # fmt: skip
    assert found.callees["eu", "shop/web"] == {"shop/cart"}
    assert found.callers["eu", "shop/cart"] == {"shop/web"}
    assert found.around(("eu", "shop/cart")) == {"shop/web", "shop/db"}
    assert ("eu", "shop/x") not in found.callees


@pytest.mark.parametrize(
    ("row", "entity"),
    [
        ({"namespace": "shop", "workload": "cart", "pod": "cart-0", "node": "n1"}, "shop/cart"),
        ({"namespace": "shop", "service": "cart"}, "shop/cart"),
        ({"node": "n1", "metric": "node_load1", "job": "node", "instance": "a:1"}, "node n1"),
        ({"node": "n1", "metric": "up", "job": "node", "instance": "a:1"}, "node at a:1"),
        ({"job": "node", "instance": "a:1", "metric": None}, "node at a:1"),
        ({"namespace": "shop"}, "namespace shop"),
        ({}, "the cluster itself"),
    ],
)
def test_a_row_is_about_what_a_person_would_say(row, entity):
    assert entity_of(row) == entity


@pytest.mark.parametrize(
    ("event", "entities"),
    [
        ({"kind": "Pod", "name": "postgres-0", "namespace": "data"}, ["data/postgres"]),
        ({"kind": "Deployment", "name": "cart", "namespace": "shop"}, ["shop/cart"]),
        ({"kind": "ReplicaSet", "name": "cart-7c9d8f6b54", "namespace": "shop"}, ["shop/cart"]),
        ({"kind": "Node", "name": "n7"}, ["node n7"]),
        ({"kind": "Flag", "name": "x", "namespace": "shop", "workload": "cart"}, ["shop/cart"]),
        ({"kind": "Bundle", "name": "p", "namespace": "sys", "source": "opa"}, ["sys/opa"]),
        (
            {"kind": "PersistentVolumeClaim", "name": "data-postgres-0", "namespace": "data"},
            ["data/postgres"],
        ),
        (
            {"kind": "Pod", "name": "exporter-x2v9k", "namespace": "mon", "host": "n7"},
            ["mon/exporter", "exporter at 10.0.0.7:9100"],
        ),
    ],
)
def test_an_event_is_about_what_it_names(known, event, entities):
    target = {"__name__": "up", "job": "exporter", "instance": "10.0.0.7:9100", "node": "n7"}
    claim = {
        "__name__": "kubelet_volume_stats_used_bytes",
        "namespace": "data",
        "persistentvolumeclaim": "data-postgres-0",
    }
    found = known(POSTGRES, target, claim)
    empty = dict.fromkeys(("kind", "name", "namespace", "workload", "host", "source"))
    assert entities_of(empty | {"cluster": "eu"} | event, found) == entities
