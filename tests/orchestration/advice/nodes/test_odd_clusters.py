"""What metrics tell of pods and nodes is followed, also told oddly, twice, or in part."""

import numpy as np
import pytest

from detectors.packing import Blocker
from orchestration.advice_settings import AdviceSettings
from orchestration.node_advice_settings import NodeAdviceSettings
from orchestration.steps.advice.nodes.adviser import plans
from orchestration.steps.advice.nodes.budgets import Budget, cover
from orchestration.steps.advice.nodes.told import why_kept

GIB = 2.0**30


def _settings(**nodes):
    return AdviceSettings(nodes=NodeAdviceSettings(**({"spare": False, "least": 1} | nodes)))


def _plan(snapshot, now, **nodes):
    ((world, plan),) = plans(snapshot, now, _settings(**nodes))
    names = world.machines["node"].to_list()
    emptied = [names[at] for at in plan.drained]
    moves = {
        world.tenants["pod"][int(pod)]: names[to]
        for pod, to in zip(plan.pod, plan.target, strict=True)
    }
    kept = {
        names[at]: (Blocker(int(code)), why_kept(world, plan, at))
        for at, code in enumerate(plan.blocker)
        if code
    }
    return emptied, moves, kept


def test_a_waiting_workload_without_replicas_keeps_its_room_where_pools_are_told(told, now):
    # Labels of pools, as on EKS, GKE, AKS: the pod that waits has no sibling anywhere.
    pool = {"eks_amazonaws_com_nodegroup": "blue"}
    for name in ("n1", "n2"):
        told.node(name, labels=pool)
        told.pod(f"web{name}-5d9f-x2v9k", name, cpu=1.0)
    told.pod("batch-7c9d8f6b54-x2v9k", None, cpu=6.0, memory=GIB, phase="Pending")
    ((_, plan),) = plans(told.put(), now, _settings())
    assert plan.waiting.tolist() != [-1]  # either node has 7 cores free
    assert plan.drained.tolist() == []  # 1 + 1 + 6 are over 90 % of what one node has


def test_what_only_a_first_container_asks_for_is_asked_for(told, now):
    told.node("n1")
    told.node("n2", nvidia_com_gpu=1.0)
    told.pod("web-5d9f-x2v9k", "n1", cpu=2.0)
    told.pod("infer-5d9f-x2v9k", "n2", cpu=1.0)
    told.say(
        "kube_pod_init_container_resource_requests", 1.0, resource="nvidia_com_gpu",
        namespace="shop", pod="infer-5d9f-x2v9k", container="warm-up",
    )  # fmt: skip
    _, moves, _ = _plan(told.put(), now)
    assert "infer-5d9f-x2v9k" not in moves  # n1 has no GPU


def test_what_is_known_of_a_selector_binds_though_a_part_is_not(told, now):
    told.node("n1", labels={"disk": "hdd"})
    told.node("n2", labels={"disk": "ssd"})
    told.pod("big-5d9f-x2v9k", "n1", cpu=4.0, selector={})
    told.pod("db-5d9f-x2v9k", "n2", cpu=1.0, selector={"disk": "ssd", "not_allowlisted": "x"})
    _, moves, _ = _plan(told.put(), now)
    assert moves.get("db-5d9f-x2v9k") != "n1"


def test_two_kube_state_metrics_are_one(told, now):
    for instance in ("10.0.0.1:8080", "10.0.0.2:8080"):
        for name, cpu in (("n1", 4.0), ("n2", 1.0)):
            for resource, value in (("cpu", 8.0), ("memory", 32 * GIB), ("pods", 110.0)):
                told.say(
                    "kube_node_status_allocatable", value, node=name, resource=resource,
                    instance=instance,
                )  # fmt: skip
            own = {"namespace": "shop", "pod": f"web{name}-5d9f-x2v9k", "instance": instance}
            told.say("kube_pod_info", node=name, created_by_kind="ReplicaSet", **own)
            told.say("kube_pod_owner", owner_kind="ReplicaSet", owner_name=f"web{name}-5d9f", **own)
            told.say(
                "kube_pod_container_resource_requests", cpu, container="app", resource="cpu",
                node=name, **own,
            )  # fmt: skip
    ((_, plan),) = plans(told.put(), now, _settings())
    assert plan.used_before[:, 0].tolist() == [4.0, 1.0]


def test_a_budget_of_more_pods_than_its_namesake_has_is_about_others_too():
    # `web` expects five pods, and the workload web has two: it is about three others.
    told = cover([Budget("shop", "web", 0, expected=5)], {("shop", "web"): 2, ("shop", "api"): 3})
    assert ("shop", "api") in told.of


def test_a_pod_that_moved_five_minutes_ago_is_on_one_node(told, now):
    for name in ("n1", "n2"):
        told.node(name)
    told.pod("other-5d9f-x2v9k", "n1", cpu=1.0)
    # A StatefulSet's pod: until 11:52 on n2, since then on n1.
    own = {"namespace": "shop", "pod": "db-0"}
    then = np.array([1.0, 1.0, 1.0, 1.0, 1.0, np.nan])
    here = np.array([np.nan] * 5 + [1.0])
    for node, seen in (("n2", then), ("n1", here)):
        seen = np.isfinite(seen)
        at = round(now.timestamp() * 1000) - 300_000 * np.arange(6, 0, -1)
        labels = [
            {"__name__": "kube_pod_info", "cluster": "c1", "node": node, "uid": node,
             "created_by_kind": "StatefulSet"} | own,
            {"__name__": "kube_pod_container_resource_requests", "cluster": "c1", "node": node,
             "uid": node, "container": "app", "resource": "cpu"} | own,
        ]  # fmt: skip
        told._fill(told.lake, labels, [at[seen]] * 2, [np.ones(6)[seen], 2 * np.ones(6)[seen]])
    ((world, _),) = plans(told.put(), now, _settings())
    row = world.tenants.to_dicts()[[one["pod"] for one in world.tenants.to_dicts()].index("db-0")]
    assert (row["node"], row["resource cpu"]) == ("n1", 2.0)


def test_a_zonal_volume_stays_where_the_zone_of_its_node_is_not_told(told, now):
    zone = "topology_kubernetes_io_zone"
    told.node("n1", labels={zone: "a"})
    told.node("n2", labels={zone: "b"})
    told.node("n3")
    for name, cpu in (("n1", 4.0), ("n2", 4.0)):
        told.pod(f"big{name}-5d9f-x2v9k", name, cpu=cpu)
    told.pod("db-5d9f-x2v9k", "n3", cpu=1.0, claim="data")
    _, moves, _ = _plan(told.put(), now)
    assert "db-5d9f-x2v9k" not in moves


def test_a_waiting_pod_of_a_daemon_set_takes_no_other_node(told, now):
    # It waits for its own node; it can go nowhere else, and takes no room there.
    told.node("n1")
    told.node("n2")
    told.pod("web-5d9f-x2v91", "n1", cpu=3.0)
    told.pod("api-5d9f-x2v92", "n2", cpu=1.0)
    told.pod("agent-x2v9k", None, owner="DaemonSet", cpu=4.0, phase="Pending")
    emptied, _, _ = _plan(told.put(), now)
    assert emptied == ["n2"]


def test_an_evicted_pod_takes_no_room(told, now):
    told.node("n1")
    told.node("n2")
    told.pod("web-5d9f-x2v91", "n1", cpu=4.0)
    told.pod("app-5d9f-x2v92", "n2", cpu=1.0)
    told.pod("old-5d9f-x2v93", "n2", cpu=6.0, phase="Failed")
    told.say("kube_pod_status_phase", phase="Failed", namespace="shop", pod="old-5d9f-x2v93")
    ((_, plan),) = plans(told.put(), now, _settings())
    assert plan.used_before[:, 0].tolist() == [4.0, 1.0]


def test_a_node_is_ready_by_its_condition_ready_alone(told, now):
    told.node("n1")
    told.node("n2")
    told.pod("web-5d9f-x2v91", "n1", cpu=4.0)
    told.pod("app-5d9f-x2v92", "n2", cpu=1.0)
    for node, ready, disk in (("n1", 1.0, 0.0), ("n2", 0.0, 1.0)):
        for condition, value in (("Ready", ready), ("DiskPressure", disk)):
            told.say(
                "kube_node_status_condition", value, node=node, condition=condition, status="true"
            )
    kept = _plan(told.put(), now)[2]
    assert kept["n2"] == (Blocker.NOT_ASKED, "it is not ready")


def test_a_taint_that_is_told_as_nothing_is_none(told, now):
    for name in ("n1", "n2"):
        told.node(name)
    told.say("kube_node_spec_taint", 0.0, node="n1", key="gpu", value="", effect="NoSchedule")
    told.pod("web-5d9f-x2v91", "n1", cpu=4.0)
    told.pod("app-5d9f-x2v92", "n2", cpu=1.0)
    assert _plan(told.put(), now)[1] == {"app-5d9f-x2v92": "n1"}


def test_prices_that_are_set_go_before_those_of_opencost(told, now):
    for name in ("n1", "n2"):
        told.node(name, labels={"node_kubernetes_io_instance_type": name})
        told.pod(f"web{name}-5d9f-x2v91", name, cpu=1.0)
        told.say("node_total_hourly_cost", 0.5, node=name)
    ((world, _),) = plans(told.put(), now, _settings(prices={"n1": 0.25}))
    assert world.machines["price"].to_list() == [0.25, 0.5]


def test_a_budget_is_not_taken_for_one_of_a_daemon_set(told, now):
    """It is of as many pods as the workload has, and as the daemon set."""
    for name in ("n1", "n2"):
        told.node(name)
        told.pod(f"agent-{name}x2v9", name, owner="DaemonSet", cpu=0.1)
        told.say(
            "kube_pod_owner", namespace="shop", pod=f"agent-{name}x2v9", owner_kind="DaemonSet",
            owner_name="agent",
        )  # fmt: skip
        told.pod(f"db-{name}", name, owner="StatefulSet", cpu=1.0)
        told.say(
            "kube_pod_owner", namespace="shop", pod=f"db-{name}", owner_kind="StatefulSet",
            owner_name="db",
        )  # fmt: skip
    of = {"namespace": "shop", "poddisruptionbudget": "keep"}
    told.say("kube_poddisruptionbudget_status_pod_disruptions_allowed", 0.0, **of)
    told.say("kube_poddisruptionbudget_status_expected_pods", 2.0, **of)
    ((world, _),) = plans(told.put(), now, _settings())
    assert world.covered.guessed == ()
    assert [budget.name for budget in world.covered.of.values()] == ["keep"]


def test_what_is_used_in_a_tenth_of_the_time_has_to_fit(told, now):
    peak = np.where(np.arange(288) % 10 == 0, 6.0, 0.5)
    for name, cpu in (("n1", 2.0), ("n2", 1.0)):
        told.node(name)
        told.pod(f"web{name}-5d9f-x2v91", name, cpu=cpu, used=(peak, GIB))
    kept = _plan(told.put(), now)[2]
    assert kept["n2"][0] == Blocker.ROOM
    assert "cpu (really used)" in kept["n2"][1]


def _requested(told, now, pod="app-5d9f-x2v9k"):
    ((world, _),) = plans(told.put(), now, _settings())
    row = next(one for one in world.tenants.to_dicts() if one["pod"] == pod)
    return row["resource cpu"], row["resource memory"], set(world.unseen)


def _first(told, name, cpu, always=False, pod="app-5d9f-x2v9k"):
    own = {"namespace": "shop", "pod": pod, "container": name}
    told.say("kube_pod_init_container_resource_requests", cpu, resource="cpu", **own)
    policy = {"restart_policy": "Always"} if always else {}
    told.say("kube_pod_init_container_info", image="x", **policy, **own)


def test_first_containers_that_go_on_are_asked_for_beside_the_others(told, now):
    for name in ("n1", "n2"):
        told.node(name)
    told.pod("app-5d9f-x2v9k", "n1", cpu=1.0)
    for name, cpu, always in (("mesh", 0.25, True), ("logs", 0.5, True), ("load", 0.5, False)):
        _first(told, name, cpu, always)
    assert _requested(told, now)[0] == 1.75  # more than 0.5 beside both
    _first(told, "warm-up", 2.0)
    cpu, memory, unseen = _requested(told, now)
    assert (cpu, memory) == (2.75, GIB)  # 2 of the largest of the first, beside both
    assert not [text for text in unseen if "first containers" in text]


def test_where_it_is_not_told_whether_first_containers_go_on_it_is_said(told, now):
    for name in ("n1", "n2"):
        told.node(name)
    told.pod("app-5d9f-x2v9k", "n1", cpu=1.0)
    assert not [text for text in _requested(told, now)[2] if "first containers" in text]
    _first(told, "warm-up", 2.0)
    cpu, _, unseen = _requested(told, now)
    assert cpu == 2.0
    assert [text for text in unseen if "which first containers go on running" in text]


def test_what_a_runtime_class_takes_is_asked_for(told, now):
    for name in ("n1", "n2"):
        told.node(name)
    told.pod("app-5d9f-x2v9k", "n1", cpu=1.0)
    text = "what runtime classes take (no kube_pod_overhead_cpu_cores and no"
    assert [one for one in _requested(told, now)[2] if one.startswith(text)]
    own = {"namespace": "shop", "pod": "app-5d9f-x2v9k", "runtime_class": "kata"}
    for instance in ("10.0.0.1:8080", "10.0.0.2:8080"):
        told.say("kube_pod_overhead_cpu_cores", 0.25, instance=instance, **own)
        told.say("kube_pod_overhead_memory_bytes", GIB / 2, instance=instance, **own)
    cpu, memory, unseen = _requested(told, now)
    assert (cpu, memory) == (1.25, 1.5 * GIB)
    assert not [one for one in unseen if "runtime classes" in one]


@pytest.mark.parametrize("name", ["db-5d9f-pdb", "keep"])
def test_a_budget_that_two_exporters_tell_is_one(told, now, name):
    """Of a workload whose name ends as a template's hash does; by its name, and by its pods."""
    for name in ("n1", "n2"):
        told.node(name)
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=4.0)
    for number in range(2):
        told.pod(f"db-5d9f-{number}", "n2", cpu=0.5, owner="StatefulSet")
        own = {"namespace": "shop", "pod": f"db-5d9f-{number}"}
        told.say("kube_pod_owner", owner_kind="StatefulSet", owner_name="db-5d9f", **own)
    for instance in ("10.0.0.1:8080", "10.0.0.2:8080"):
        of = {"namespace": "shop", "poddisruptionbudget": name, "instance": instance}
        told.say("kube_poddisruptionbudget_status_pod_disruptions_allowed", 0.0, **of)
        told.say("kube_poddisruptionbudget_status_expected_pods", 2.0, **of)
    snapshot = told.put()
    ((world, _),) = plans(snapshot, now, _settings())
    (of,) = world.covered.of
    assert of[0] == "shop"
    assert world.covered.guessed == ()
    kept = _plan(snapshot, now)[2]
    assert kept["n2"][0] == Blocker.BUDGET
    assert f"budget {name} allows" in kept["n2"][1]
