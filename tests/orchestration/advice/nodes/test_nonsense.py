"""What one cluster tells may be nonsense: the others are advised all the same."""

import numpy as np
import pytest

from orchestration.advice_settings import AdviceSettings
from orchestration.node_advice_settings import NodeAdviceSettings
from orchestration.steps.advice.nodes.adviser import advise, plans


def _settings(**nodes):
    return AdviceSettings(nodes=NodeAdviceSettings(**({"spare": False, "least": 1} | nodes)))


@pytest.mark.parametrize(
    ("metric", "value", "labels"),
    [
        ("kube_node_status_allocatable", np.inf, {"node": "m9", "resource": "cpu"}),
        ("kube_poddisruptionbudget_status_pod_disruptions_allowed", np.inf,
         {"namespace": "shop", "poddisruptionbudget": "keep"}),
        ("kube_node_spec_taint", 1.0,
         {"node": "m1", "key": "a\x1fb\x1fc\x1fd", "value": "", "effect": "NoSchedule"}),
        ("kube_node_status_allocatable", -1.0, {"node": "m1", "resource": "nvidia_com_gpu"}),
        ("kube_pod_container_resource_requests", -1.0,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "container": "b", "resource": "cpu"}),
        ("kube_node_status_allocatable", 1.0, {"node": "m1", "resource": "cpu_used"}),
        ("kube_pod_container_resource_requests", 1.0,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "container": "a", "resource": "cpu_used"}),
        ("kube_pod_container_resource_requests", 1.0,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "container": "a"}),
        ("kube_node_labels", 1.0, {"node": "m1", "label_a": "x\x1ey"}),
        ("kube_pod_nodeselectors", 1.0,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "nodeselector_a": "x\x1f\x1ey"}),
        ("container_memory_working_set_bytes", np.inf,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "container": "app"}),
        ("container_memory_working_set_bytes", -5.0,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "container": "app"}),
        ("kube_node_status_allocatable", 1.0, {"node": "m1", "resource": "taints"}),
        ("kube_node_status_allocatable", 1.0, {"node": "m1", "resource": "node"}),
        ("kube_pod_container_resource_requests", 1.0,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "container": "a", "resource": "pod"}),
        ("kube_pod_container_resource_requests", 1.0,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "container": "a", "resource": "owner"}),
    ],
)  # fmt: skip
def test_nonsense_ends_no_advice_on_others_nor_on_the_rest_of_its_cluster(
    told, now, metric, value, labels
):
    for name in ("n1", "n2"):
        told.node(name)
        told.pod(f"web{name}-5d9f-x2v9k", name, cpu=1.0)
    for name in ("m1", "m2"):
        told.node(name, cluster="bad")
    told.pod("x-5d9f-x2v9k", "m1", cluster="bad")
    told.pod("y-5d9f-x2v9k", "m2", cluster="bad", cpu=3.0)
    told.say("kube_node_status_allocatable", 1.0, "bad", node="m9", resource="memory")
    told.say(metric, value, "bad", **labels)
    if metric == "kube_pod_container_resource_requests" and "resource" in labels:
        for name in ("m1", "m2"):
            told.say(
                "kube_node_status_allocatable", 9.0, "bad", node=name, resource=labels["resource"]
            )
    found = advise(told.put(), now, _settings())
    assert {one.cluster for one in found} == {"c1", "bad"}


def test_what_was_left_out_is_said(told, now):
    for name in ("n1", "n2"):
        told.node(name)
        told.pod(f"web{name}-5d9f-x2v9k", name, cpu=1.0)
    told.say("kube_node_status_allocatable", np.inf, node="n1", resource="nvidia_com_gpu")
    told.say("kube_node_labels", 1.0, node="n1", label_a="x\x1ey")
    told.say(
        "container_memory_working_set_bytes", -5.0, namespace="shop", pod="webn1-5d9f-x2v9k",
        container="app",
    )  # fmt: skip
    (one, *_) = advise(told.put(), now, _settings())
    unseen = [fact.what for fact in one.evidence if fact.what.startswith("not seen: ")]
    assert (
        "not seen: 2 series whose values or labels cannot be (of kube_node_labels, "
        "kube_node_status_allocatable)" in unseen
    )
    assert "not seen: use of 1 pod for some of the time: its values cannot be" in unseen


def test_a_resource_may_be_named_as_anything(told, now):
    """Its name is no name of ours: a node's price, a pod's node."""
    for name, cpu in (("n1", 4.0), ("n2", 1.0)):
        told.node(name, price=7.0, node=3.0, why_not=1.0)
        told.pod(f"web{name}-5d9f-x2v9k", name, cpu=cpu, pod=1.0, budget=1.0, price=4.0)
    told.say("node_total_hourly_cost", 0.5, node="n2")
    ((world, plan),) = plans(told.put(), now, _settings())
    assert world.machines["node"].to_list() == ["n1", "n2"]
    assert world.machines["price"].to_list() == [None, 0.5]
    assert plan.drained.tolist() == []  # 4 and 4 prices of 7 are not to be had on one node
    price = world.resources.index("price")
    assert world.nodes.allocatable[:, price].tolist() == [7.0, 7.0]
    assert world.pods.request[:, price].tolist() == [4.0, 4.0]
