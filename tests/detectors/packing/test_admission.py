"""Taints, tolerations, selectors and pools, as the scheduler takes them."""

import pytest

from detectors.packing import PodRules, Taint, Toleration, admitted, tolerated
from detectors.packing.admission import NodeTraits

GPU = Taint("nvidia.com/gpu", "present", "NoSchedule")
SPOT = Taint("spot", "true", "NoExecute")


@pytest.mark.parametrize(
    ("toleration", "bears"),
    [
        (("nvidia.com/gpu", "Equal", "present", "NoSchedule"), True),
        (("nvidia.com/gpu", "Equal", "present", ""), True),
        (("nvidia.com/gpu", "", "present", ""), True),
        (("nvidia.com/gpu", "Equal", "absent", "NoSchedule"), False),
        (("nvidia.com/gpu", "Equal", "present", "NoExecute"), False),
        (("nvidia.com/gpu", "Exists", "", "NoSchedule"), True),
        (("", "Exists", "", ""), True),
        (("", "Exists", "", "NoExecute"), False),
        (("amd.com/gpu", "Exists", "", ""), False),
    ],
)
def test_a_taint_is_borne_by_a_toleration_that_matches(toleration, bears):
    rules = PodRules(tolerations=frozenset({Toleration(*toleration)}))
    assert tolerated(frozenset({GPU}), rules) is bears


def test_all_taints_are_to_be_borne_but_those_that_only_prefer():
    rules = PodRules(tolerations=frozenset({Toleration("spot", "Exists", "", "")}))
    assert not tolerated(frozenset({GPU, SPOT}), rules)
    assert tolerated(frozenset({SPOT, Taint("x", "", "PreferNoSchedule")}), rules)


def test_where_tolerations_are_not_told_it_bears_what_its_node_has():
    rules = PodRules(tolerations=None, borne=frozenset({SPOT}))
    assert tolerated(frozenset({SPOT}), rules)
    assert not tolerated(frozenset({SPOT, GPU}), rules)
    # What is told counts, not where it runs: a taint may be newer than the pod.
    assert not tolerated(frozenset({SPOT}), PodRules(borne=frozenset({SPOT})))


def test_selectors_and_pools():
    fast = NodeTraits(labels={"disk": "ssd", "zone": "a"}, pool="fast")
    slow = NodeTraits(labels={"disk": "hdd"}, pool="slow")
    bare = NodeTraits()
    rules = [
        PodRules(),
        PodRules(selector=frozenset({("disk", "ssd")})),
        PodRules(selector=frozenset({("disk", "ssd"), ("zone", "b")})),
        PodRules(selector=None, pools=frozenset({"slow", ""})),
    ]
    assert admitted(rules, [fast, slow, bare]).tolist() == [
        [True, True, True],
        [True, False, False],
        [False, False, False],
        [False, True, True],
    ]
