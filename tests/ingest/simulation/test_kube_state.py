"""Nodes, budgets and autoscalers of the fleet, as they are told."""

import numpy as np
import pytest

from ingest.simulation.configuration import simulate_configuration


@pytest.fixture(scope="module")
def told(history):
    sim = history.sim
    return simulate_configuration(end=sim.end, duration=sim.end - sim.start, step=sim.step)


def rows(sim, name, **labels):
    return [
        (one, sim.values[place])
        for place, one in enumerate(sim.series)
        if one["__name__"] == name and labels.items() <= one.items()
    ]


def test_every_node_says_how_large_it_is(history, told):
    measured = {
        (one["cluster"], one["node"])
        for one in history.sim.series
        if one["__name__"] == "node_load1"
    }
    for resource in ("cpu", "memory", "pods"):
        sizes = rows(told, "kube_node_status_allocatable", resource=resource)
        assert {(one["cluster"], one["node"]) for one, _ in sizes} == measured
    assert len(rows(told, "kube_node_labels")) == len(measured)


def test_every_pod_has_an_owner_and_a_node_while_it_is_there(history, told):
    pods = {
        (one["cluster"], one["pod"], one["node"])
        for one in history.sim.series
        if one["__name__"] == "container_cpu_usage_seconds_total"
    }
    for name in ("kube_pod_info", "kube_pod_owner"):
        found = rows(told, name)
        assert {(one["cluster"], one["pod"], one["node"]) for one, _ in found} == pods
        assert 0 < sum(np.isnan(values).any() for _, values in found) < 20
    kinds = {one["owner_kind"] for one, _ in rows(told, "kube_pod_owner")}
    assert kinds == {"ReplicaSet", "StatefulSet"}


def test_who_bears_the_taint_of_the_database_node(told):
    ((taint, _),) = rows(told, "kube_node_spec_taint")
    borne = rows(told, "kube_pod_tolerations", cluster=taint["cluster"])
    assert {one["namespace"] for one, _ in borne} == {"data"}
    assert {(one["key"], one["value"]) for one, _ in borne} == {(taint["key"], taint["value"])}


def test_the_database_may_not_be_evicted_and_the_shop_may(told):
    name = "kube_poddisruptionbudget_status_pod_disruptions_allowed"
    allowed = {one["poddisruptionbudget"]: values[-1] for one, values in rows(told, name)}
    assert allowed["postgres-pdb"] == 0
    assert allowed["frontend-pdb"] == 1


def test_one_autoscaler_is_at_its_maximum_in_one_cluster(told):
    name = "kube_horizontalpodautoscaler"
    now = rows(told, f"{name}_status_current_replicas", horizontalpodautoscaler="search")
    most = rows(told, f"{name}_spec_max_replicas", horizontalpodautoscaler="search")
    at_most = {
        one["cluster"]
        for (one, current), (_, maximum) in zip(now, most, strict=True)
        if current[-1] >= maximum[-1]
    }
    assert at_most == {"us-2"}


def test_one_workload_has_a_lower_limit_in_one_cluster_and_is_throttled_there(history, told):
    sim = history.sim
    shares = {}
    for cluster in ("eu-1", "us-2", "ap-3"):
        ((_, used),) = rows(
            sim, "container_cpu_usage_seconds_total", cluster=cluster, workload="shipping"
        )
        name = "container_cpu_cfs_throttled_seconds_total"
        ((_, throttled),) = rows(sim, name, cluster=cluster, workload="shipping")
        used, throttled = np.ptp(used), np.ptp(throttled)
        shares[cluster] = throttled / (throttled + used)
    assert shares["us-2"] > 0.1 > max(shares["eu-1"], shares["ap-3"])
    name = "kube_pod_container_resource_limits"
    limits = rows(told, name, resource="cpu", workload="shipping")
    assert {one["cluster"]: values[-1] for one, values in limits} == {
        "eu-1": 0.4, "us-2": 0.32, "ap-3": 0.4,
    }  # fmt: skip
