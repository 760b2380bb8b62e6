"""What one cluster tells may be nonsense: the others are advised all the same."""

import numpy as np
import pytest

from orchestration.advice_settings import AdviceSettings
from orchestration.node_advice_settings import NodeAdviceSettings
from orchestration.steps.advice.nodes.adviser import advise


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
        ("kube_node_status_allocatable", 1.0, {"node": "m1", "resource": "taints"}),
        ("kube_node_status_allocatable", 1.0, {"node": "m1", "resource": "node"}),
        ("kube_pod_container_resource_requests", 1.0,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "container": "a", "resource": "pod"}),
        ("kube_pod_container_resource_requests", 1.0,
         {"namespace": "shop", "pod": "x-5d9f-x2v9k", "container": "a", "resource": "owner"}),
    ],
)  # fmt: skip
def test_nonsense_of_one_cluster_ends_no_advice_on_others(told, now, metric, value, labels):
    for name in ("n1", "n2"):
        told.node(name)
        told.pod(f"web{name}-5d9f-x2v9k", name, cpu=1.0)
    told.node("m1", cluster="bad")
    told.pod("x-5d9f-x2v9k", "m1", cluster="bad")
    told.say("kube_node_status_allocatable", 1.0, "bad", node="m9", resource="memory")
    told.say(metric, value, "bad", **labels)
    found = advise(told.put(), now, _settings())
    assert [one.cluster for one in found if one.cluster == "c1"]
