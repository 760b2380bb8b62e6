"""What is advised for containers of known use, and where nothing can be."""

import json
from datetime import timedelta

import numpy as np
import pytest

from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.browse import Wanted, listing
from orchestration.steps.advice.rightsizing import usage

MIB = 1024.0**2
GIB = 1024.0**3
DAY = 288


def steady(level, days=8, spread=0.01, seed=1):
    return level * (1.0 + spread * np.random.default_rng(seed).standard_normal(days * DAY))


def own(**settings):
    return {"rightsizing": RightsizingSettings(**settings)}


@pytest.fixture
def advised(containers):
    """The advice on the one container, by kind; those of which nothing can be told, too."""

    def build(**settings):
        made = containers.make(**settings)
        assert not made.failed
        rows = listing(containers.lake, Wanted(abstained=True)).rows
        return {row["kind"]: row for row in rows}

    return build


def test_too_much_is_asked_for(containers, advised):
    containers.container(steady(0.2), steady(200 * MIB))
    cpu, memory = advised()["container_cpu"], advised()["container_memory"]
    assert cpu["current"] == {"cpu_request_cores": 1.0, "cpu_limit_cores": None}
    assert 0.2 < cpu["proposed"]["cpu_request_cores"] < 0.215
    assert cpu["proposed"]["cpu_limit_cores"] is None
    assert cpu["saving_cpu_cores"] == pytest.approx(1.0 - cpu["proposed"]["cpu_request_cores"])
    assert cpu["risk"] <= 0.05
    assert cpu["current_risk"] == 0.0
    assert memory["proposed"]["memory_request_bytes"] / MIB == pytest.approx(210 * 1.2, rel=0.15)
    assert (cpu["namespace"], cpu["workload"], cpu["container"]) == ("shop", "cart", "app")
    assert "request 1 core → 0.2" in cpu["title"]


def test_the_saving_is_of_all_pods(containers, advised):
    for pod in ("cart-7c9d8f6b54-x2v9k", "cart-7c9d8f6b54-zzzzz"):
        containers.container(steady(0.2), pod=pod)
    cpu = advised()["container_cpu"]
    assert cpu["saving_cpu_cores"] == pytest.approx(2 * (1 - cpu["proposed"]["cpu_request_cores"]))
    assert "in 2 pods" in cpu["title"]


def test_pods_that_a_rollout_replaced_are_none_of_them(containers, advised, now):
    containers.container(steady(0.2), end=now - timedelta(minutes=20))
    containers.container(steady(0.2)[:5], pod="cart-6d8c7b9f55-bbbbb")
    assert "in 1 pod" in advised()["container_cpu"]["title"]


def test_what_is_well_gets_no_advice(containers, advised):
    containers.container(steady(0.2), steady(200 * MIB), (0.21, 250 * MIB))
    assert advised() == {}


def test_too_little_is_asked_for(containers, advised):
    containers.container(steady(2.0), request=(0.5, None))
    cpu = advised()["container_cpu"]
    assert cpu["proposed"]["cpu_request_cores"] > 2.0
    assert (cpu["current_risk"], cpu["saving_cpu_cores"] < -1.4) == (1.0, True)
    assert "more in 1 pod" in cpu["title"]


def test_a_start_counts_apart(containers, advised):
    used, taken = steady(0.1), steady(100 * MIB)
    used[:DAY], taken[:DAY] = np.nan, np.nan
    used[DAY : DAY + 2], taken[DAY : DAY + 2] = 1.5, 400 * MIB
    # Every five minutes of a day are one in 288: no quantile would miss or hold the start.
    containers.container(
        used, taken, (1.0, 1024 * MIB), (1.0, 1024 * MIB), pod="cart-7c9d8f6b54-x2v9k"
    )
    found = advised(**own(keep_class=False))
    cpu, memory = found["container_cpu"]["proposed"], found["container_memory"]["proposed"]
    assert cpu["cpu_request_cores"] < 0.12
    assert cpu["cpu_limit_cores"] >= 1.5 * 1.25 - 1e-3
    assert memory["memory_request_bytes"] < 110 * MIB
    assert memory["memory_limit_bytes"] >= 400 * 1.08 * MIB


def test_a_restart_in_its_pod_is_a_start(containers, advised, now):
    taken = steady(100 * MIB)
    taken[4 * DAY : 4 * DAY + 2] = 400 * MIB
    containers.container(memory=taken, request=(None, 1024 * MIB), limit=(None, 1024 * MIB))
    count = np.where(np.arange(8 * DAY) < 4 * DAY, 0.0, 1.0)
    labels = {"namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k", "container": "app"}
    restarts = {"metric__": "kube_pod_container_status_restarts_total"} | labels
    before = advised(**own(keep_class=False))["container_memory"]["proposed"]
    containers.put([(count, restarts)])
    after = advised(**own(keep_class=False))["container_memory"]["proposed"]
    assert before["memory_request_bytes"] == 400 * MIB
    assert after["memory_request_bytes"] < 110 * MIB
    assert after["memory_limit_bytes"] == before["memory_limit_bytes"]


def test_what_a_request_of_memory_does_not_hold_is_told(containers, advised):
    """What is above the request is not killed, and so not in the risk; it may be evicted."""
    taken = steady(100 * MIB)
    taken[:DAY] = np.nan
    taken[DAY : DAY + 2] = 200 * MIB
    containers.container(memory=taken, request=(None, GIB), limit=(None, 2 * GIB))
    memory = advised()["container_memory"]
    told = {one["what"]: one["value"] for one in memory["evidence"]}
    share = told["above the proposed request, evicted first"]
    assert share == pytest.approx(2 / (7 * DAY), rel=0.01)
    # Of the highest of all that was seen, Gumbel's law says 63 %; the request is below it.
    assert 0.63 < told["chance of exceeding the request in as long a time"] <= 1.0
    assert "0.0992 % of its minutes were above the request, and later ones" in memory["reason"]
    assert "evicted first" in memory["reason"]


def test_guaranteed_stays_guaranteed(containers, advised):
    containers.container(steady(0.2), steady(200 * MIB), (1.0, GIB), (1.0, GIB))
    found = advised()
    cpu, memory = found["container_cpu"]["proposed"], found["container_memory"]["proposed"]
    assert cpu["cpu_request_cores"] == cpu["cpu_limit_cores"] >= 0.2 * 1.25
    assert memory["memory_request_bytes"] == memory["memory_limit_bytes"] > 208 * MIB


def test_never_below_what_killed_it(containers, advised):
    taken = steady(200 * MIB)
    containers.container(memory=taken, request=(None, 256 * MIB), limit=(None, 300 * MIB))
    labels = {"namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k", "container": "app"}
    metric = "kube_pod_container_status_last_terminated_reason"
    killed = {"metric__": metric, "reason": "OOMKilled"} | labels
    containers.put([(np.full(DAY, 1.0), killed)])
    memory = advised()["container_memory"]
    assert memory["proposed"]["memory_limit_bytes"] >= 300 * 1.25 * MIB
    assert memory["current_risk"] > 0.0
    assert "killed for want of memory at 300 MiB" in memory["reason"]


@pytest.mark.parametrize("told", ["container_oom_events_total", "event"])
def test_kills_that_are_told_otherwise(containers, advised, told, now):
    containers.container(
        memory=steady(200 * MIB), request=(None, 256 * MIB), limit=(None, 300 * MIB)
    )
    labels = {"namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k", "container": "app"}
    if told == "event":
        containers.killed(now - timedelta(hours=3), "cart-7c9d8f6b54-x2v9k")
    else:
        count = np.where(np.arange(DAY) < 100, 0.0, 1.0)
        containers.put([(count, {"metric__": told} | labels)])
    assert advised()["container_memory"]["proposed"]["memory_limit_bytes"] >= 375 * MIB


def test_what_was_killed_without_a_limit_is_in_the_risk(containers, advised):
    """A node that ran short: nothing that is proposed keeps it from that."""
    containers.container(memory=steady(200 * MIB), request=(None, GIB))
    count = np.where(np.arange(DAY) < 100, 0.0, 1.0)
    labels = {"namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k", "container": "app"}
    containers.put([(count, {"metric__": "container_oom_events_total"} | labels)])
    memory = advised()["container_memory"]
    assert memory["current_risk"] == memory["risk"] == pytest.approx(1 / (8 * DAY))


def test_the_saving_is_of_each_pod_as_it_is_set(containers, advised):
    """While a change is rolled out, or where something resizes pods one by one."""
    containers.container(steady(0.2), request=(4.0, None))
    containers.container(steady(0.2), request=(1.0, None), pod="cart-6d8c7b9f55-bbbbb")
    cpu = advised()["container_cpu"]
    assert cpu["saving_cpu_cores"] == pytest.approx(5.0 - 2 * cpu["proposed"]["cpu_request_cores"])
    told = {one["what"]: one["value"] for one in cpu["evidence"]}
    assert told["requested by all pods, which are set differently"] == 5.0


@pytest.mark.parametrize("uids", ["ab", "ba"])
def test_a_pod_that_was_made_anew_under_its_name_is_set_as_it_is_now(
    containers, advised, now, uids
):
    for uid, request, end in zip(uids, (1.0, 0.5), (now - timedelta(hours=2), now), strict=True):
        used = steady(0.1)[: -24 if request == 1.0 else 24]
        containers.container(used, request=(request, None), pod="cart-0", end=end, uid=uid)
    assert advised()["container_cpu"]["current"]["cpu_request_cores"] == 0.5


def test_throttled_containers_get_a_higher_limit(containers, advised):
    containers.container(steady(0.3), request=(0.3, None), limit=(0.5, None))
    labels = {"namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k", "container": "app"}
    periods = np.cumsum(np.full(DAY, 3000.0))
    containers.put(
        [
            (periods, {"metric__": "container_cpu_cfs_periods_total"} | labels),
            (0.2 * periods, {"metric__": "container_cpu_cfs_throttled_periods_total"} | labels),
        ]
    )
    cpu = advised()["container_cpu"]
    assert cpu["proposed"]["cpu_limit_cores"] == pytest.approx(0.625)
    assert "it is throttled 20 % of the time" in cpu["reason"]


def autoscaled(containers, target=70.0):
    labels = {"namespace": "shop", "horizontalpodautoscaler": "cart-hpa"}
    info = "kube_horizontalpodautoscaler_info"
    spec = "kube_horizontalpodautoscaler_spec_target_metric"
    of = {"scaletargetref_kind": "Deployment", "scaletargetref_name": "cart"}
    how = {"metric_name": "cpu", "metric_target_type": "utilization"}
    containers.put(
        [
            (np.full(6, 1.0), {"metric__": info} | labels | of),
            (np.full(6, target), {"metric__": spec} | labels | how),
        ]
    )


def test_what_is_scaled_by_its_request_is_left_alone(containers, advised):
    containers.container(steady(0.2))
    autoscaled(containers)
    cpu = advised()["container_cpu"]
    assert cpu["abstained"]
    assert "an autoscaler holds it at 70 % of its request" in cpu["reason"]


def test_or_gets_another_target_that_keeps_its_use(containers, advised):
    containers.container(steady(0.2), request=(0.4, None))
    containers.container(steady(0.1), request=(0.2, None), container="proxy")
    autoscaled(containers, 50.0)
    rows = containers.make(**own(hpa="retarget"))
    assert rows.given == {"container_cpu": 2}
    for row in listing(containers.lake, Wanted()).rows:
        asked = sum(
            one["proposed"]["cpu_request_cores"] for one in listing(containers.lake, Wanted()).rows
        )
        target = row["proposed"]["hpa_target_utilization_percent"]
        assert target / 100 * asked == pytest.approx(0.5 * 0.6, rel=0.02)


def test_what_is_not_changed_counts_for_the_target_as_it_is(containers, advised):
    containers.container(steady(0.2), request=(0.8, None))
    # A little more than it is given, too little to be told.
    containers.container(steady(0.2), request=(0.22, None), container="proxy")
    autoscaled(containers, 50.0)
    (row,) = advised(**own(hpa="retarget")).values()
    asked = row["proposed"]["cpu_request_cores"] + 0.22
    target = row["proposed"]["hpa_target_utilization_percent"]
    assert (row["container"], row["proposed"]["hpa"]) == ("app", "cart-hpa")
    assert target == round(50.0 * 1.02 / asked)


def test_a_target_of_nothing_that_is_requested_costs_no_other_its_advice(containers):
    containers.container(steady(0.2), request=(None, None))
    containers.container(steady(0.2), request=(0.9, None), pod="mail-7c9d8f6b54-x2v9k")
    autoscaled(containers)
    rows = containers.make(**own())
    assert rows.failed == {}
    assert rows.given["container_cpu"] >= 1


def test_an_autoscaler_that_scales_by_more_is_not_named(containers, advised):
    containers.container(steady(0.2), request=(0.8, None))
    autoscaled(containers, 50.0)
    labels = {"namespace": "shop", "horizontalpodautoscaler": "cart-hpa"}
    how = {"metric_name": "requests_per_second", "metric_target_type": "average"}
    metric = {"metric__": "kube_horizontalpodautoscaler_spec_target_metric"}
    containers.put([(np.full(6, 100.0), metric | labels | how)])
    proposed = advised(**own(hpa="retarget"))["container_cpu"]["proposed"]
    assert "hpa" not in proposed
    assert proposed["hpa_target_utilization_percent"] > 50.0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"cpu": steady(0.2, days=1)[:200]}, "17 h of history, at least 1 days are needed"),
        ({"request": (None, None)}, "no request or limit of it is known"),
        ({"unit": ("millicore", "byte")}, "what is set is told in 'millicore'"),
        ({"cpu": np.zeros(3 * DAY)}, "no use of CPU was measured"),
        ({"request": (500.0, None)}, "500 cores are requested and the largest node has 8 cores"),
        ({"cpu": steady(20.0)}, "the largest node has 8 cores"),
    ],
)
def test_no_figure_is_made_up(containers, advised, given, reason):
    known = {"cpu": steady(0.2), "request": (1.0, None)} | given
    containers.container(**known)
    size = {"metric__": "kube_node_status_allocatable", "node": "n1", "resource": "cpu"}
    containers.put([(np.full(6, 8.0), size)])
    row = advised()["container_cpu"]
    assert row["abstained"]
    assert reason in row["reason"]
    assert row["proposed"] == {}
    assert row["saving_cpu_cores"] is None


def test_a_time_in_which_it_did_not_run_is_no_history(containers, advised, now):
    containers.container(np.full(24, 0.2), pod="cart-1", end=now - timedelta(days=12))
    containers.container(np.full(24, 0.2), pod="cart-2")
    row = advised()["container_cpu"]
    assert row["abstained"]
    assert "3.8 h of history, at least 1 days are needed" in row["reason"]


def test_what_runs_by_schedule_has_a_history_of_its_runs(containers, advised, now):
    for day in range(8):
        pod, end = f"backup-{29394720 + 1440 * day}-x2v9k", now - timedelta(days=7 - day)
        containers.container(np.full(6, 0.2), pod=pod, end=end, workload="backup")
    kind = {"metric__": "kube_cronjob_status_last_schedule_time", "cronjob": "backup"}
    containers.put([(np.full(6, 1.0), kind | {"namespace": "shop", "workload": "backup"})])
    assert not advised()["container_cpu"]["abstained"]


def test_negative_memory_is_told(containers, advised):
    taken = steady(200 * MIB)
    taken[100] = -1.0
    containers.container(memory=taken)
    assert "negative" in advised()["container_memory"]["reason"]


def test_what_leaks_is_not_made_smaller(containers, advised):
    taken = np.linspace(100 * MIB, 400 * MIB, 8 * DAY)
    containers.container(memory=taken, request=(None, 2 * GIB), limit=(None, 4 * GIB))
    assert "as one that leaks" in advised()["container_memory"]["reason"]


def test_what_has_gone_is_told_and_then_forgotten(containers, advised, now):
    containers.container(steady(0.2), end=now - timedelta(hours=3))
    assert "it was not seen since 2026-11-23 08:55 UTC" in advised()["container_cpu"]["reason"]
    containers.make(now + timedelta(days=2))
    assert containers.rows()[0]["state"] == "withdrawn"


def test_classes_are_kept_unless_asked(containers, advised):
    containers.container(steady(0.2), request=(None, None))
    containers.container(steady(0.2), container="other")
    containers.make()
    of = (
        "SELECT reason FROM advice WHERE container = 'app' AND abstained AND kind = 'container_cpu'"
    )
    assert "BestEffort" in containers.lake.sql(of)["reason"][0].as_py()
    containers.make(**own(keep_class=False))
    row = next(row for row in containers.rows() if row["container"] == "app")
    assert json.loads(row["proposed"])["cpu_request_cores"] > 0.2
    assert row["saving_cpu_cores"] < -0.2


@pytest.mark.parametrize("told", ["info", "resource_requests"])
def test_an_init_container_is_not_sized(containers, advised, told):
    """What is set for it stands elsewhere, in the lake and in the template: no patch would fit."""
    containers.container(steady(0.2), container="proxy", request=(None, None))
    containers.container(steady(0.2), request=(0.21, 256 * MIB))
    labels = {"namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k", "container": "proxy"}
    metric = {"metric__": f"kube_pod_init_container_{told}", "resource": "cpu"}
    containers.put([(np.full(6, 1.0), metric | labels)])
    row = advised(**own(keep_class=False))["container_cpu"]
    assert (row["container"], row["abstained"]) == ("proxy", True)
    assert "it is an init container" in row["reason"]


def test_a_short_history_is_less_sure(containers, advised):
    containers.container(steady(0.2, days=2))
    containers.container(steady(0.2, days=13), pod="pay-7c9d8f6b54-x2v9k")
    containers.make()
    rows = {row["workload"]: row for row in containers.rows()}
    assert rows["cart"]["confidence"] < 0.5 < 0.9 < rows["pay"]["confidence"]
    assert "a week has not been seen yet" in rows["cart"]["reason"]
    assert "a week" not in rows["pay"]["reason"]


def test_a_peak_once_a_week_is_in_the_risk(containers, advised):
    used = steady(0.2, days=13)
    used[6 * DAY : 6 * DAY + DAY] = 1.0
    containers.container(used, request=(4.0, None))
    cpu = advised()["container_cpu"]
    assert cpu["proposed"]["cpu_request_cores"] == pytest.approx(1.0, rel=0.02)


def test_what_is_told_of_each_core_is_not_taken_for_the_whole(containers, advised):
    labels = {"namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k", "container": "app"}
    metric = {"metric__": "container_cpu_usage_seconds_total"} | labels
    used = np.cumsum(steady(0.8) * 300.0)
    cores = [(used / 40, metric | {"cpu": f"cpu{n:02}"}) for n in range(40)]
    containers.put([(used, metric | {"cpu": "total"}), *cores])
    containers.container()
    assert advised()["container_cpu"]["proposed"]["cpu_request_cores"] > 0.8


def test_a_gap_is_no_peak(containers, advised):
    """After half an hour without samples the counter has risen by that of the half hour."""
    used = steady(0.2)
    used[4 * DAY : 4 * DAY + 6] = np.nan
    counter = np.cumsum(np.where(np.isnan(used), 0.2, used) * 300.0)
    counter[np.isnan(used)] = np.nan
    labels = {"namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k", "container": "app"}
    containers.container(memory=steady(200 * MIB))
    containers.put([(counter, {"metric__": "container_cpu_usage_seconds_total"} | labels)])
    peak = [one for one in advised()["container_cpu"]["evidence"] if "highest" in one["what"]]
    assert peak[0]["value"] < 0.22


def test_what_does_not_fit_into_a_query_is_asked_in_several(containers, advised, monkeypatch):
    for pod in ("b", "c", "d", "f", "g"):
        containers.container(steady(0.2, days=2), pod=f"cart-7c9d8f6b54-{pod * 5}")
    whole = advised()["container_cpu"]
    monkeypatch.setattr(usage, "AT_ONCE", 2)
    assert containers.make().written == 0
    assert advised()["container_cpu"] == whole
