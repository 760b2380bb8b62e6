"""Settings that deserve a look, from metrics in a lake."""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.advice_settings import AdviceSettings, PriceSettings
from orchestration.setting_advice_settings import SettingAdviceSettings
from orchestration.steps.advice.browse import Total, Wanted, listing
from orchestration.steps.advice.make import make_advice
from orchestration.steps.advice.settings.adviser import advise
from orchestration.steps.advice.summary import saving

HOURS = np.arange(288) // 12
GIB = 2.0**30


def _advised(told, now, **settings):
    given = AdviceSettings(
        settings=SettingAdviceSettings(**settings), prices=PriceSettings(cpu_core_hour=0.1)
    )
    return {(one.kind, one.cluster): one for one in advise(told.put(), now, given)}


def _facts(one):
    return {fact.what: fact.value for fact in one.evidence}


def _container(told, cluster, limit=None, request=None, used=0.1, throttled=0.0, name="app-0"):
    own = {"cluster": cluster, "namespace": "shop", "pod": name, "container": "app"}
    sizes = {
        "kube_pod_container_resource_limits": limit,
        "kube_pod_container_resource_requests": request,
    }
    for metric, value in sizes.items():
        if value is not None:
            told.say(metric, value, resource="cpu", **own)
    told.counts("container_cpu_usage_seconds_total", used, **own)
    if throttled is not None:
        told.counts("container_cpu_cfs_periods_total", 10.0, **own)
        told.counts("container_cpu_cfs_throttled_periods_total", 10.0 * throttled, **own)


def test_throttled_though_idle_and_not_so_elsewhere(told, now):
    _container(told, "c1", limit=0.2, throttled=0.3)
    _container(told, "c2", limit=0.5, throttled=0.01)
    _container(told, "c3", limit=0.2, throttled=0.3, used=0.19)  # not idle
    found = _advised(told, now)
    assert list(found) == [("setting_cpu_limit", "c1")]
    one = found["setting_cpu_limit", "c1"]
    assert one.entity == "shop/app/app"
    assert one.title == (
        "shop/app of c1 is throttled though idle: in 30 % of periods, using 50 % of its limit of "
        "0.2 cores"
    )
    assert one.proposed == {"limit_cpu_cores": 0.3}
    assert one.current_risk == pytest.approx(0.3, abs=0.01)
    assert "another cluster, where the CPU limit is more, backs it" in one.reason
    assert one.confidence == 0.8
    assert _facts(one)["other clusters that run it and tell how it is set"] == 2


def test_throttled_as_much_with_more_elsewhere_is_less_sure(told, now):
    _container(told, "c1", limit=0.2, throttled=0.3)
    _container(told, "c2", limit=0.9, throttled=0.28)
    one = _advised(told, now)["setting_cpu_limit", "c1"]
    assert "no better" in one.reason
    assert one.confidence == 0.25


def test_nobody_else_is_said(told, now):
    _container(told, "c1", limit=0.2, throttled=0.3)
    one = _advised(told, now)["setting_cpu_limit", "c1"]
    assert "nothing backs it" in one.reason
    assert one.confidence == 0.5
    assert _facts(one)["other clusters that run it and tell how it is set"] == 0
    assert _advised(told, now, leave_out=("setting_cpu_limit",)) == {}


def test_seconds_where_periods_are_not_told(told, now):
    _container(told, "c1", limit=0.2, used=0.08, throttled=None)
    own = {"cluster": "c1", "namespace": "shop", "pod": "app-0", "container": "app"}
    told.counts("container_cpu_cfs_throttled_seconds_total", 0.02, **own)
    one = _advised(told, now)["setting_cpu_limit", "c1"]
    assert "20 % of the time that it wanted to run" in one.title


def test_a_request_that_another_cluster_does_without(told, now):
    _container(told, "c1", request=2.0, used=0.3)
    _container(told, "c2", request=0.5, used=0.3)
    _container(told, "c3", request=0.4, used=0.1)  # it is asked for less
    found = _advised(told, now)
    assert list(found) == [("setting_cpu_request", "c1")]
    one = found["setting_cpu_request", "c1"]
    # A quarter more than it uses itself.
    assert one.proposed == {"request_cpu_cores": 0.375}
    assert one.saving_cpu_cores == 1.625
    assert one.saving_cost == pytest.approx(1.625 * 0.1 * 730)


@pytest.mark.parametrize(("request_now", "proposed"), [(0.012, 0.01), (0.01, None), (0.008, None)])
def test_a_request_is_not_moved_to_where_it_is_or_above(told, now, request_now, proposed):
    """The smallest request that is proposed at all is 10 millicores."""
    _container(told, "c1", request=request_now, used=0.002)
    _container(told, "c2", request=0.004, used=0.002)
    found = {one.cluster: one.proposed["request_cpu_cores"] for one in _advised(told, now).values()}
    assert found == ({} if proposed is None else {"c1": proposed})


@pytest.mark.parametrize(
    ("beside", "kind"),
    [
        (
            [{"request": 0.5, "used": 0.3}, {"request": 0.97, "used": 0.61, "throttled": 0.004}],
            "setting_cpu_request",
        ),
        (
            [{"limit": 0.5, "throttled": 0.01}, {"limit": 0.77, "used": 0.3, "throttled": 0.02}],
            "setting_cpu_limit",
        ),
    ],
)
def test_whatever_figures_another_cluster_has_none_is_told(told, now, beside, kind):
    """Who may read this cluster alone reads the same: that one differs, not by what."""
    own = {"request": 2.0, "used": 0.3} if "request" in kind else {"limit": 0.2, "throttled": 0.3}
    rows = []
    for day, other in enumerate(beside):
        until = now + timedelta(days=10 * day)
        _container(told, "c1", **own)
        _container(told, "c2", **other)
        given = advise(told.put(until), until, AdviceSettings())
        rows += [one for one in given if (one.kind, one.cluster) == (kind, "c1")]
    assert rows[0] == rows[1]


def test_a_request_elsewhere_that_throttles_or_is_too_small_is_no_example(told, now):
    _container(told, "c1", request=2.0, used=0.3)
    _container(told, "c2", request=0.5, used=0.3, throttled=0.4)
    _container(told, "c3", request=0.25, used=0.3)
    assert _advised(told, now) == {}


def _autoscaler(told, cluster, current, least=1.0, most=4.0):
    own = {"cluster": cluster, "namespace": "shop", "horizontalpodautoscaler": "app"}
    name = "kube_horizontalpodautoscaler"
    told.say(f"{name}_info", scaletargetref_name="app", scaletargetref_kind="Deployment", **own)
    told.say(
        f"{name}_spec_target_metric", 50.0, metric_name="cpu", metric_target_type="utilization",
        **own,
    )  # fmt: skip
    for what, values in (
        ("spec_min_replicas", least),
        ("spec_max_replicas", most),
        ("status_current_replicas", current),
    ):
        told.say(f"{name}_{what}", np.broadcast_to(np.asarray(values, float), 288), **own)


def test_an_autoscaler_at_its_maximum(told, now):
    _autoscaler(told, "c1", np.where(HOURS % 2 == 0, 4.0, 2.0))
    _autoscaler(told, "c2", np.where(HOURS % 2 == 0, 6.0, 2.0), most=9.0)
    found = _advised(told, now)
    assert list(found) == [("setting_hpa_maximum", "c1")]
    one = found["setting_hpa_maximum", "c1"]
    assert one.workload == "app"
    assert (one.current, one.proposed) == ({"max_replicas": 4.0}, {"max_replicas": 6.0})
    assert "in 50 % of hours" in one.title
    assert "another cluster, where the maximum is more, backs it" in one.reason
    assert one.confidence == 0.8


def test_an_autoscaler_that_never_left_its_minimum(told, now):
    for name in ("app-0", "app-1", "app-2", "app-3"):
        _container(told, "c1", request=1.0, used=0.1, name=name)
    _autoscaler(told, "c1", 4.0, least=4.0, most=9.0)
    one = _advised(told, now)["setting_hpa_minimum", "c1"]
    # 0.4 cores at half of a core each.
    assert _facts(one)["replicas that the busiest hour of the last day needed at its target"] == (
        pytest.approx(0.8, abs=0.01)
    )
    assert one.proposed == {"min_replicas": 2.0}
    assert one.saving_cpu_cores == 2.0


def _replicas(told, memory=None, request=4 * GIB):
    """Four that would be two by their CPU; bytes used and requested by each."""
    for name in ("app-0", "app-1", "app-2", "app-3"):
        _container(told, "c1", request=1.0, used=0.1, name=name)
        own = {"namespace": "shop", "pod": name, "container": "app"}
        if memory is not None:
            told.say("container_memory_working_set_bytes", np.full(288, memory), "c1", **own)
        if request is not None:
            told.say(
                "kube_pod_container_resource_requests", request, "c1", resource="memory", **own
            )
    _autoscaler(told, "c1", 4.0, least=4.0, most=9.0)


def _demand(told, metric, kind, target, now=None):
    """One more metric that the autoscaler goes by, and what it is."""
    own = {"namespace": "shop", "horizontalpodautoscaler": "app"}
    of = own | {"metric_name": metric, "metric_target_type": kind}
    told.say("kube_horizontalpodautoscaler_spec_target_metric", target, "c1", **of)
    if now is not None:
        values = np.broadcast_to(np.asarray(now, float), 288)
        told.say("kube_horizontalpodautoscaler_status_target_metric", values, "c1", **of)


def _unseen(one):
    return [fact.what for fact in one.evidence if fact.what.startswith("not seen: ")]


def test_a_minimum_that_memory_needs_is_left(told, now):
    _replicas(told, memory=3.5 * GIB)
    assert _advised(told, now) == {}


def test_a_minimum_that_memory_needs_not(told, now):
    _replicas(told, memory=2.5 * GIB)
    one = _advised(told, now)["setting_hpa_minimum", "c1"]
    assert one.proposed == {"min_replicas": 3.0}
    facts = _facts(one)
    assert facts["replicas that the busiest hour of the last day filled with memory"] == 2.5
    assert _unseen(one) == []
    assert one.confidence == 0.6


def test_a_target_of_memory_counts(told, now):
    _replicas(told, memory=1.5 * GIB)
    _demand(told, "memory", "utilization", 50.0)
    one = _advised(told, now)["setting_hpa_minimum", "c1"]
    assert one.proposed == {"min_replicas": 3.0}  # 6 GiB at half of 4 each


@pytest.mark.parametrize(("memory", "asked"), [(None, 4 * GIB), (GIB, None)])
def test_where_memory_is_not_known_it_is_said(told, now, memory, asked):
    _replicas(told, memory, asked)
    one = _advised(told, now)["setting_hpa_minimum", "c1"]
    assert _unseen(one) == ["not seen: memory: use or request is not told"]
    assert "memory" in one.reason
    assert one.confidence == 0.4


def test_another_metric_that_needs_the_minimum_keeps_it(told, now):
    _replicas(told, memory=GIB)
    _demand(told, "requests_per_second", "average", 100.0, np.where(HOURS == 7, 90.0, 10.0))
    assert _advised(told, now) == {}


def test_another_metric_that_needs_less_agrees(told, now):
    _replicas(told, memory=GIB)
    _demand(told, "requests_per_second", "average", 100.0, np.where(HOURS == 7, 60.0, 10.0))
    one = _advised(told, now)["setting_hpa_minimum", "c1"]
    assert one.proposed == {"min_replicas": 3.0}  # 4 times 0.6
    assert _unseen(one) == []


def test_another_metric_whose_value_is_not_told_is_said(told, now):
    _replicas(told, memory=GIB)
    _demand(told, "requests_per_second", "average", 100.0)
    one = _advised(told, now)["setting_hpa_minimum", "c1"]
    assert _unseen(one) == [
        "not seen: requests_per_second, by which it scales as well: its value is not told"
    ]
    assert "requests_per_second" in one.reason
    assert one.confidence == 0.4


def test_a_replica_that_does_most_of_it(told, now):
    for cluster, busy in (("c1", 1.0), ("c2", 0.2)):
        for number, used in enumerate((busy, 0.2, 0.2)):
            _container(told, cluster, used=used, name=f"app-{number}")
    found = _advised(told, now)
    assert list(found) == [("setting_balance", "c1")]
    one = found["setting_balance", "c1"]
    assert _facts(one)["the replica"] == "app-0"
    assert one.current["busiest_times_siblings"] == pytest.approx(5.0, rel=0.01)
    assert "in another cluster its replicas share alike" in one.reason


def test_a_leader_everywhere_is_how_it_is_made(told, now):
    for cluster in ("c1", "c2"):
        for number, used in enumerate((1.0, 0.2, 0.2)):
            _container(told, cluster, used=used, name=f"app-{number}")
    assert _advised(told, now) == {}


def test_a_replica_that_came_late_is_not_idle(told, now):
    _container(told, "c1", used=0.4, name="app-0")
    late = np.concatenate([np.full(280, np.nan), np.full(8, 0.4)])
    own = {"cluster": "c1", "namespace": "shop", "pod": "app-1", "container": "app"}
    told.say("container_cpu_usage_seconds_total", np.nancumsum(late) * 300.0 + 0.0 * late, **own)
    assert _advised(told, now) == {}


@pytest.mark.parametrize(("owner", "advised"), [("ReplicaSet", True), ("Job", False)])
def test_all_replicas_on_one_node(told, now, owner, advised):
    for name, node in (("app-0", "n1"), ("app-1", "n1"), ("web-0", "n2")):
        told.say(
            "kube_pod_info", namespace="shop", pod=name, node=node, created_by_kind=owner,
            created_by_name=name.rpartition("-")[0],
        )  # fmt: skip
    for name, node in (("app-0", "n1"), ("app-1", "n2")):
        told.say(
            "kube_pod_info", namespace="shop", pod=name, node=node, created_by_kind=owner,
            created_by_name="app", cluster="c2",
        )  # fmt: skip
    found = _advised(told, now)
    assert (("setting_spread", "c1") in found) is advised
    if advised:
        (one,) = found.values()
        assert one.title == "all 2 replicas of shop/app of c1 are on node n1"
        assert one.proposed == {"nodes": 2}
        assert "in another cluster they are apart" in one.reason


def test_retries_that_multiply_requests_while_they_fail(told, now):
    failing = np.arange(288) >= 270
    for cluster, times in (("c1", 3.0), ("c2", 1.0)):
        edge = {
            "cluster": cluster,
            "source_workload": "web", "source_workload_namespace": "shop",
            "destination_workload": "cart", "destination_workload_namespace": "shop",
        }  # fmt: skip
        arrive = np.where(failing, 10.0 * times, 10.0)
        bad = np.where(failing, 0.3 * arrive, 0.0)
        at = {"reporter": "destination"} | edge
        told.counts("istio_requests_total", 10.0, reporter="source", response_code="200", **edge)
        told.counts("istio_requests_total", arrive - bad, response_code="200", **at)
        told.counts("istio_requests_total", bad, response_code="503", **at)
    found = _advised(told, now)
    assert list(found) == [("setting_retries", "c1")]
    one = found["setting_retries", "c1"]
    assert one.entity == "shop/web -> shop/cart"
    assert one.current["arriving_per_request_while_failing"] == pytest.approx(3.0, rel=0.01)
    assert one.proposed["arriving_per_request_while_failing"] == pytest.approx(1.0, rel=0.01)
    assert "in another cluster it failed as well, and requests were not multiplied" in one.reason


def test_a_caller_of_one_cluster_reads_no_name_of_another(told, now):
    """Rows are filtered by `cluster` alone: nothing in one tells of others."""
    for cluster, request in (("c1", 2.0), ("secret-c2", 0.5)):
        own = {"namespace": "shop", "pod": "app-0", "container": "app"}
        told.say("kube_pod_container_resource_requests", request, cluster, resource="cpu", **own)
        told.counts("container_cpu_usage_seconds_total", 0.2, cluster, **own)
    told.put()
    make_advice(told.lake, AdviceSettings(), now)
    rows = listing(told.lake, Wanted(visible={"c1"})).rows
    assert [row for row in rows if row["kind"] == "setting_cpu_request"]
    assert "secret-c2" not in repr(rows)


def test_the_same_cores_are_saved_once():
    found = [
        Total("c1", "container_cpu", 1, 2.0, None),  # of rightsizing: requests 3, needs 1
        Total("c1", "setting_cpu_request", 1, 2.0, None),  # the same container
    ]
    assert saving(found) == "2 cores"


def test_an_evicted_pod_is_no_replica(told, now):
    told.node("n1")
    told.node("n2")
    told.pod("web-7c9d8f6b54-x2v9k", "n1")
    told.pod("web-7c9d8f6b54-x2v9z", "n1", phase="Failed")
    own = {"namespace": "shop", "pod": "web-7c9d8f6b54-x2v9z"}
    told.say("kube_pod_status_phase", 1.0, phase="Failed", **own)
    told.pod("api-7c9d8f6b54-x2v9k", "n2")
    found = advise(told.put(), now, AdviceSettings())
    assert [one.title for one in found if one.kind == "setting_spread"] == []
