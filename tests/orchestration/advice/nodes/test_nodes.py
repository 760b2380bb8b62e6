"""Which nodes could be emptied, from metrics in a lake."""

from datetime import timedelta

import numpy as np
import pytest

from detectors.packing import Blocker
from orchestration.advice_settings import AdviceSettings, PriceSettings
from orchestration.node_advice_settings import NodeAdviceSettings
from orchestration.steps.advice.make import make_advice
from orchestration.steps.advice.nodes.adviser import advise, follow, plans
from orchestration.steps.advice.nodes.told import why_kept
from orchestration.steps.advice.rows import held

GIB = 1024.0**3
GPU = ("nvidia.com/gpu", "present", "NoSchedule")
BEARS = ("nvidia.com/gpu", "Exists", "", "")


def _settings(**nodes):
    return AdviceSettings(nodes=NodeAdviceSettings(**({"spare": False, "least": 1} | nodes)))


def _plan(told, now, **nodes):
    """Of the one cluster: the emptied nodes, where pods go, and why each other node is kept."""
    ((world, plan),) = plans(told.put(), now, _settings(**nodes))
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


def test_an_advice_with_its_proof(told, now):
    for name, cpu in (("n1", 4.0), ("n2", 3.0), ("n3", 1.0)):
        told.node(name)
        told.pod(
            f"big-{name}-7c9d8f6b54-x2v9k", name, cpu=cpu, memory=cpu * 2 * GIB, used=(cpu / 2, GIB)
        )
    told.pod("cart-5d9f-x2v9k", "n3", cpu=0.5, used=(0.25, 0.5 * GIB))
    told.pod("agent-x2v9k", "n3", owner="DaemonSet", cpu=0.1)
    (one,) = advise(told.put(), now, _settings())
    assert (one.cluster, one.kind, one.entity, one.node) == ("c1", "node_empty", "n3", "n3")
    assert one.title == (
        "node n3 of c1 could be emptied: its 2 pods fit on 1 other node, which saves 8 cores and "
        "32 GiB"
    )
    assert (one.saving_cpu_cores, one.saving_memory_bytes) == (8.0, 32 * GIB)
    assert one.current["pods_to_move"] == 2
    facts = {fact.what: fact.value for fact in one.evidence}
    assert facts["shop/cart-5d9f-x2v9k moves to"] == "n1"
    assert facts["shop/big-n3-7c9d8f6b54-x2v9k moves to"] == "n1"
    assert facts["pods that go with the node (of DaemonSets, static)"] == 1
    assert facts["cpu requested of what is allocatable, before"] == pytest.approx(
        8.6 / 24, abs=1e-4
    )
    assert facts["cpu requested of what is allocatable, after"] == pytest.approx(8.5 / 16, abs=1e-4)
    assert facts["cpu requested of the fullest node that takes its pods, after"] == 5.5 / 8
    # Of n1 with what it takes: 2 + 0.5 + 0.25 cores used of 8.
    assert facts["CPU used of the fullest of those nodes at most, after"] == pytest.approx(
        2.75 / 8, abs=1e-4
    )
    assert facts["memory used of the fullest of those nodes at most, after"] == pytest.approx(
        2.5 / 32, abs=1e-4
    )
    assert (one.risk, one.current_risk) == (0.0, 0.0)
    assert any("tolerations" in fact.what for fact in one.evidence if "not seen" in fact.what)


def test_what_is_used_has_to_fit_too(told, now):
    for name, used in (("n1", 7.0), ("n2", 3.0), ("n3", 1.0)):
        told.node(name)
        told.pod(f"app-{name}-7c9d8f6b54-x2v9k", name, cpu=1.0, used=(used, GIB))
    emptied, moves, kept = _plan(told, now)
    assert emptied == ["n3"]
    assert moves == {"app-n3-7c9d8f6b54-x2v9k": "n2"}
    assert kept["n1"][0] == Blocker.ROOM
    assert "cpu (really used)" in kept["n1"][1]


def test_a_risk_is_the_share_of_time_in_which_it_would_not_have_fit(told, now):
    peak = np.where(np.arange(288) < 9, 6.0, 1.0)  # 3 % of a day: the 95th percentile is 1 core
    told.node("n1")
    told.node("n2")
    for name, cpu in (("n1", 2.0), ("n2", 1.0)):
        told.pod(f"app-{name}-7c9d8f6b54-x2v9k", name, cpu=cpu, used=(peak, GIB))
    (one,) = advise(told.put(), now, _settings())
    assert one.current_risk == 0.0
    assert one.risk == pytest.approx(9 / 288, abs=0.005)


@pytest.mark.parametrize(
    ("pod", "blocker", "text"),
    [
        ({"owner": None}, Blocker.BARE, "no controller"),
        ({"claim": "data-0"}, Blocker.LOCAL, "data of shop/app-7c9d8f6b54-x2v9k lie on it"),
        ({}, Blocker.BUDGET, "budget app-pdb allows no eviction of shop/app-7c9d8f6b54-x2v9k"),
    ],
)
def test_who_stands_in_the_way(told, now, pod, blocker, text):
    told.node("n1")
    told.node("n2")
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=4.0)
    told.pod("app-7c9d8f6b54-x2v9k", "n2", **pod)
    told.say(
        "kube_persistentvolumeclaim_info", namespace="shop", persistentvolumeclaim="data-0",
        storageclass="local-path", volumename="pv-1",
    )  # fmt: skip
    if blocker == Blocker.BUDGET:
        budget = {"namespace": "shop", "poddisruptionbudget": "app-pdb"}
        told.say("kube_poddisruptionbudget_status_pod_disruptions_allowed", 0.0, **budget)
    emptied, _, kept = _plan(told, now)
    assert emptied == ["n1"]
    assert kept["n2"][0] == blocker
    assert text in kept["n2"][1]


def test_local_volumes_by_their_path(told, now):
    told.node("n1")
    told.node("n2")
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=4.0)
    told.pod("app-7c9d8f6b54-x2v9k", "n2", claim="data-0")
    claim = {"namespace": "shop", "persistentvolumeclaim": "data-0", "storageclass": "fast"}
    told.say("kube_persistentvolumeclaim_info", volumename="pv-1", **claim)
    told.say("kube_persistentvolume_info", persistentvolume="pv-1", local_path="/mnt/disks/a")
    assert _plan(told, now)[2]["n2"][0] == Blocker.LOCAL


def test_a_budget_that_allows_one_is_no_obstacle(told, now):
    told.node("n1")
    told.node("n2")
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=4.0)
    told.pod("app-7c9d8f6b54-x2v9k", "n2")
    budget = {"namespace": "shop", "poddisruptionbudget": "app-pdb"}
    told.say("kube_poddisruptionbudget_status_pod_disruptions_allowed", 1.0, **budget)
    assert _plan(told, now)[0] == ["n2"]


def test_taints_keep_away_who_does_not_bear_them(told, now):
    told.node("n1", taints=[GPU])
    told.node("n2")
    told.pod("gpu-7c9d8f6b54-x2v9k", "n1", cpu=4.0, tolerations=[BEARS])
    told.pod("app-7c9d8f6b54-x2v9k", "n2")
    emptied, moves, kept = _plan(told, now)
    assert emptied == ["n1"]
    assert moves == {"gpu-7c9d8f6b54-x2v9k": "n2"}
    assert kept["n2"][0] == Blocker.NOWHERE


def test_without_tolerations_a_pod_stays_among_the_taints_that_it_is_among(told, now):
    for name, taints in (("n1", [GPU]), ("n2", []), ("n3", [GPU])):
        told.node(name, taints=taints)
    told.pod("train-7c9d8f6b54-x2v9k", "n1", cpu=4.0)
    told.pod("web-7c9d8f6b54-x2v9k", "n2", cpu=3.0)
    told.pod("infer-7c9d8f6b54-x2v9k", "n3")
    emptied, moves, kept = _plan(told, now)
    assert moves["infer-7c9d8f6b54-x2v9k"] == "n1"
    assert kept["n1"][0] == Blocker.RECEIVES
    # A pod without taints around it bears none, one with them may go where there are none.
    assert "n3" in emptied


def test_selectors_by_the_labels_of_nodes(told, now):
    told.node("n1", labels={"disk": "hdd"})
    told.node("n2", labels={"disk": "ssd"})
    told.node("n3", labels={"disk": "ssd"})
    told.pod("big-7c9d8f6b54-x2v9k", "n1", cpu=6.0, selector={})
    told.pod("db-7c9d8f6b54-x2v9k", "n2", cpu=2.0, selector={"disk": "ssd"})
    told.pod("app-7c9d8f6b54-x2v9k", "n3", cpu=1.0, selector={"disk": "ssd"})
    emptied, moves, _ = _plan(told, now)
    assert emptied == ["n3"]
    assert moves == {"app-7c9d8f6b54-x2v9k": "n2"}


def test_pods_stay_in_the_pools_of_their_replicas(told, now):
    for name, pool in (("n1", "a"), ("n2", "b"), ("n3", "b")):
        told.node(name, labels={"nodepool": pool})
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=6.0)
    told.pod("db-7c9d8f6b54-x2v9k", "n2", cpu=2.0)
    told.pod("app-7c9d8f6b54-x2v9k", "n3", cpu=1.0)
    emptied, moves, kept = _plan(told, now)
    assert (emptied, moves) == (["n3"], {"app-7c9d8f6b54-x2v9k": "n2"})
    assert kept["n1"][0] == Blocker.NOWHERE


def test_volumes_of_a_zone_stay_in_it(told, now):
    for name, zone in (("n1", "a"), ("n2", "b"), ("n3", "b")):
        told.node(name, labels={"topology_kubernetes_io_zone": zone})
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=6.0)
    told.pod("db-7c9d8f6b54-x2v9k", "n2", cpu=2.0)
    told.pod("app-7c9d8f6b54-x2v9k", "n3", cpu=1.0, claim="data-0")
    emptied, moves, _ = _plan(told, now)
    assert emptied[0] == "n3"
    assert moves["app-7c9d8f6b54-x2v9k"] == "n2"


def test_gpus_are_counted(told, now):
    told.node("n1", nvidia_com_gpu=4.0)
    told.node("n2", nvidia_com_gpu=4.0)
    told.pod("a-7c9d8f6b54-x2v9k", "n1", nvidia_com_gpu=3.0)
    told.pod("b-7c9d8f6b54-x2v9k", "n2", nvidia_com_gpu=2.0)
    assert _plan(told, now)[2]["n2"] == (
        Blocker.ROOM, "shop/b-7c9d8f6b54-x2v9k finds no room elsewhere: short of nvidia_com_gpu",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "value", "labels", "text"),
    [
        ("kube_node_role", 1.0, {"role": "control-plane"}, "control plane"),
        ("kube_node_spec_unschedulable", 1.0, {}, "cordoned"),
        ("kube_node_status_condition", 0.0, {"condition": "Ready", "status": "true"}, "not ready"),
        ("kube_node_created", 1795434000.0, {}, "young"),
    ],
)
def test_nodes_that_are_left_alone(told, now, metric, value, labels, text):
    told.node("n1")
    told.node("n2")
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=4.0)
    told.pod("app-7c9d8f6b54-x2v9k", "n2")
    told.say(metric, value, node="n2", **labels)
    _, _, kept = _plan(told, now, youngest=timedelta(days=2))
    assert kept["n2"][0] == Blocker.NOT_ASKED
    assert text in kept["n2"][1]


def test_pods_that_have_ended_or_gone_need_no_room(told, now):
    told.node("n1")
    told.node("n2")
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=4.0)
    told.pod("done-7c9d8f6b54-x2v9k", "n2", cpu=6.0, phase="Succeeded")
    told.put(now)
    told.pod("gone-7c9d8f6b54-x2v9k", "n2", cpu=6.0)
    told.put(now - timedelta(minutes=15))
    told.pod("app-7c9d8f6b54-x2v9k", "n2")
    assert _plan(told, now)[:2] == (["n2"], {"app-7c9d8f6b54-x2v9k": "n1"})


def test_pods_that_wait_come_first(told, now):
    told.node("n1")
    told.node("n2")
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=4.0)
    told.pod("app-7c9d8f6b54-x2v9k", "n2", cpu=1.0)
    told.pod("new-7c9d8f6b54-x2v9k", None, cpu=3.0, phase="Pending")
    emptied, _, kept = _plan(told, now)
    assert emptied == []
    assert kept["n1"][0] == Blocker.RECEIVES


def test_what_a_node_costs(told, now):
    for name, kind in (("n1", "large"), ("n2", "small"), ("n3", "small")):
        told.node(name, labels={"node_kubernetes_io_instance_type": kind})
        told.pod(f"app-{name}-7c9d8f6b54-x2v9k", name, cpu=1.0)
    snapshot = told.put()
    prices = {"large": 0.4, "small": 0.1}
    first = advise(snapshot, now, _settings(prices=prices))[0]
    assert first.node == "n1"  # the same to move, and four times the price
    assert first.saving_cost == pytest.approx(0.4 * 730)
    by_core = _settings().model_copy(update={"prices": PriceSettings(cpu_core_hour=0.03)})
    assert advise(snapshot, now, by_core)[0].saving_cost == pytest.approx(8 * 0.03 * 730)
    assert advise(snapshot, now, _settings())[0].saving_cost is None
    for name in ("n1", "n2", "n3"):
        told.say("node_total_hourly_cost", 0.2, node=name)
    assert advise(told.put(), now, _settings())[0].saving_cost == pytest.approx(0.2 * 730)


def test_where_requests_are_not_told_it_says_so_and_is_less_sure(told, now):
    for name, used in (("n1", 3.0), ("n2", 1.0)):
        told.node(name)
        pod = {"namespace": "shop", "pod": f"app-{name}-7c9d8f6b54-x2v9k"}
        told.say("kube_pod_info", node=name, created_by_kind="ReplicaSet", **pod)
        told.counts("container_cpu_usage_seconds_total", used, container="app", **pod)
    (one,) = advise(told.put(), now, _settings())
    assert one.node == "n2"
    assert one.reason.startswith("what pods request is not told; placed by what they really used")
    assert one.confidence < 0.5


def test_clusters_are_on_their_own_and_some_tell_too_little(told, now):
    for cluster in ("c1", "c2"):
        for name, cpu in (("n1", 4.0), ("n2", 1.0)):
            told.node(name, cluster=cluster)
            told.pod(f"app-{name}-7c9d8f6b54-x2v9k", name, cpu=cpu, cluster=cluster)
    told.node("n1", cluster="c3")
    told.pod("app-7c9d8f6b54-x2v9k", "n1", cluster="c4")
    found = advise(told.put(), now, _settings())
    assert [(one.cluster, one.node) for one in found] == [("c1", "n2"), ("c2", "n2")]
    assert advise(told.put(), now - timedelta(days=3), _settings()) == []


def test_a_guessed_budget_is_told(told, now):
    told.node("n1")
    told.node("n2")
    told.pod("web-7c9d8f6b54-x2v9k", "n1", cpu=4.0, namespace="other")
    told.pod("app-7c9d8f6b54-x2v9k", "n2", namespace="other")
    budget = {"namespace": "other", "poddisruptionbudget": "all-of-it"}
    told.say("kube_poddisruptionbudget_status_pod_disruptions_allowed", 1.0, **budget)
    (one,) = advise(told.put(), now, _settings())
    assert any("other/all-of-it" in fact.what for fact in one.evidence)


def test_kept_in_the_table_and_followed(told, now):
    for name, cpu in (("n1", 4.0), ("n2", 3.0), ("n3", 1.0)):
        told.node(name)
        told.pod(f"app-{name}-7c9d8f6b54-x2v9k", name, cpu=cpu)
    told.put()
    settings = _settings()
    made = make_advice(told.lake, settings, now)
    assert made.given == {"node_empty": 1}
    assert made.failed == {}
    assert make_advice(told.lake, settings, now).written == 0
    later = now + timedelta(hours=2)
    for name, cpu in (("n1", 5.0), ("n2", 3.0)):
        told.node(name)
        told.pod(f"app-{name}-7c9d8f6b54-x2v9k", name, cpu=cpu)
    told.put(later)
    rows = held(told.lake.snapshot(), ["nodes"])
    became = follow(told.lake.snapshot(), rows, later, settings)
    assert [one.applied for one in became.values()] == [True]
    make_advice(told.lake, settings, later)
    states = {row["node"]: row["state"] for row in held(told.lake.snapshot(), ["nodes"])}
    assert states["n3"] == "applied"
    # Of a cluster that tells nothing any more, nothing is known.
    assert follow(told.lake.snapshot(), rows, later + timedelta(days=1), settings) == {}


def test_advice_on_nodes_stays_while_their_exporter_is_down(told, now):
    for name, cpu in (("n1", 4.0), ("n2", 3.0), ("n3", 1.0)):
        told.node(name)
        told.pod(f"app-{name}-7c9d8f6b54-x2v9k", name, cpu=cpu)
    told.put()
    states = []
    for hours in (0, 2, 23, 26):
        assert make_advice(told.lake, _settings(), now + timedelta(hours=hours)).failed == {}
        states += [row["state"] for row in held(told.lake.snapshot(), ["nodes"])]
    assert states == ["open", "open", "open", "withdrawn"]
