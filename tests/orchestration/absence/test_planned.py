"""Workloads and nodes that are gone: wanted, or not."""

import pytest

from tests.orchestration.absence.fleet import CARTS, about, at, node_dies


@pytest.mark.parametrize("told", [False, True])
def test_a_deployment_scaled_down_is_none(fleet, find, tell, told):
    fleet.silence(at(8), cluster="c1", pod=CARTS[:2])
    if told:
        message = "Scaled down replica set cart-7c9d8f6b54 to 1 from 3"
        tell("c1", (at(8), "ScalingReplicaSet", "Deployment", "shop", "cart", message))
    assert find(fleet) == []


SCALED = "Scaled down replica set cart-7c9d8f6b54 to 0 from 3"
MADE = "Scaled up replica set cart-6b5f4d7c88 to 3 from 0"


def test_a_workload_without_any_pod_is_found(fleet, find):
    fleet.silence(at(8), cluster="c1", pod=CARTS)
    (row,) = find(fleet)
    assert about(row) == {"cluster": "c1", "namespace": "shop", "workload": "cart"}


def test_a_workload_scaled_to_nothing_is_none(fleet, find, tell):
    fleet.silence(at(8), cluster="c1", pod=CARTS)
    tell("c1", (at(7, 59), "ScalingReplicaSet", "Deployment", "shop", "cart", SCALED))
    assert find(fleet) == []


def test_a_release_that_never_starts_is_found(fleet, find, tell):
    fleet.silence(at(8), cluster="c1", pod=CARTS)
    tell(
        "c1",
        (at(7, 59), "ScalingReplicaSet", "Deployment", "shop", "cart", SCALED),
        (at(8, 0), "ScalingReplicaSet", "Deployment", "shop", "cart", MADE),
    )
    assert len(find(fleet)) == 1


def test_a_dead_node_is_one_row_that_names_it(fleet, find, tell):
    node_dies(fleet, 8)
    tell("c1", (at(8, 1), "NodeNotReady", "Node", None, "n2", "Node n2 is not ready"))
    (row,) = find(fleet)
    assert about(row) == {"cluster": "c1", "node": "n2"}
    assert (row["start"], row["actual"]) == (at(8), 0.0)


def test_a_node_that_is_taken_away_is_none(fleet, find, tell):
    node_dies(fleet, 8)
    tell("c1", (at(7, 50), "ScaleDown", "Node", None, "n2", "node removed by cluster autoscaler"))
    assert find(fleet) == []


def test_a_node_removed_long_after_it_died_is_over_then(fleet, find, tell):
    node_dies(fleet, 8)
    tell(
        "c1",
        (at(8, 1), "NodeNotReady", "Node", None, "n2", "Node n2 is not ready"),
        (at(9), "RemovingNode", "Node", None, "n2", "Removing Node n2 from Controller"),
    )
    (row,) = find(fleet)
    assert (row["start"], row["end"], row["state"]) == (at(8), at(9), "final")


def test_nodes_come_and_go_where_nodes_come_and_go(fleet, find, tell):
    for number, address in ((5, "10.0.0.5"), (6, "10.0.0.6")):
        fleet._node("c1", f"n{number}", address)
        fleet.silence(at(2, number), cluster="c1", node=f"n{number}")
        fleet.silence(at(2, number), cluster="c1", instance={f"{address}:9100", f"{address}:10250"})
    fleet.silence(at(8), cluster="c1", instance={"10.0.0.2:9100", "10.0.0.2:10250"})
    fleet.silence(at(8), cluster="c1", pod=CARTS[1])
    assert find(fleet) == []
    tell("c1", (at(8, 1), "NodeNotReady", "Node", None, "n2", "Node n2 is not ready"))
    (row,) = find(fleet, put=False)
    assert about(row) == {"cluster": "c1", "node": "n2"}


def test_a_daemon_missing_on_one_node_is_found(fleet, find):
    fleet.silence(at(8), cluster="c1", pod="fluent-cx2v9")
    (row,) = find(fleet)
    assert about(row) == {"cluster": "c1", "namespace": "logs", "workload": "fluent", "node": "n2"}
    assert (row["actual"], row["expected"]) == (3.0, 4.0)


def test_a_daemon_that_was_replaced_on_its_node_is_none(fleet, find):
    fleet.silence(at(8), cluster="c1", pod="fluent-cx2v9")
    fleet.add("c1", "container_memory_bytes", since=at(8, 3), namespace="logs", pod="fluent-zx2v9",
              container="fluent", job="kubelet", instance="10.0.0.2:10250", node="n2")  # fmt: skip
    assert find(fleet) == []


def test_objects_tell_what_was_planned(fleet, find, observe):
    fleet.silence(at(8), cluster="c1", pod=CARTS)
    fleet.silence(at(8), cluster="c2", pod="fluent-cx2v9")
    node_dies(fleet, 8, node="n3", address="10.0.0.3", cluster="c3")
    assert len(find(fleet)) == 3
    observe("c1", (at(8, 1), "Deployment", "shop", "cart", "changed", '{"replicas": 0}'))
    observe("c2", (at(8, 1), "DaemonSet", "logs", "fluent", "changed", '{"desired": 3}'))
    observe("c3", (at(8, 1), "Node", None, "n3", "removed", None))
    assert find(fleet, put=False) == []


def test_objects_tell_what_was_not_planned(fleet, find, observe):
    fleet.silence(at(8), cluster="c1", pod=CARTS)
    fleet.silence(at(8), cluster="c2", pod="fluent-cx2v9")
    observe("c1", (at(8, 1), "Deployment", "shop", "cart", "changed", '{"replicas": 3}'))
    observe("c2", (at(8, 1), "DaemonSet", "logs", "fluent", "changed", '{"desired": 4}'))
    assert len(find(fleet)) == 2


def test_a_workload_taken_away_later_is_over_then(fleet, find, observe):
    fleet.silence(at(8), cluster="c1", pod=CARTS)
    observe("c1", (at(9), "Deployment", "shop", "cart", "removed", None))
    (row,) = find(fleet)
    assert (row["start"], row["end"], row["state"]) == (at(8), at(9), "final")
