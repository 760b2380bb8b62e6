"""Amounts that cannot be, and facts that changed within the history: no advice rests on them."""

import numpy as np
import pytest

from orchestration.advice_settings import AdviceSettings
from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.browse import Wanted, listing
from orchestration.steps.advice.patches import as_yaml, patches
from orchestration.steps.advice.rightsizing.facts import gather

MIB, DAY = 1024.0**2, 288
HPA = "kube_horizontalpodautoscaler"


def steady(n, level=0.2):
    return level * (1 + 0.01 * np.random.default_rng(1).standard_normal(n))


@pytest.mark.parametrize("first", [False, True])
def test_two_limits_within_an_hour_count_once(containers, now, first):
    """db-0 is set to 0.4, and 20 minutes later made anew with 0.5; then five days at 8 %."""
    own = {"namespace": "shop", "pod": "db-0", "container": "app"}
    n = 5 * DAY
    a, b = np.full(n, np.nan), np.full(n, np.nan)
    a[:4], b[4:] = 0.4, 0.5

    def kube(which, values, uid):
        name = f"kube_pod_container_resource_{which}"
        return values, {"metric__": name, "resource": "cpu", "unit": "core", "uid": uid} | own

    series = [
        (np.cumsum(np.full(n, 0.3 * 300)), {"metric__": "container_cpu_usage_seconds_total"} | own),
        kube("requests", np.full(n, 0.31), "u2"),
        (np.cumsum(np.full(n, 3000.0)), {"metric__": "container_cpu_cfs_periods_total"} | own),
        (
            np.cumsum(np.full(n, 240.0)),
            {"metric__": "container_cpu_cfs_throttled_periods_total"} | own,
        ),
        kube("limits", b, "u2"),
    ]
    containers.put([*series, kube("limits", a, "u1")] if first else series)
    facts = gather(containers.lake.snapshot(), now, AdviceSettings())
    share = facts.trouble.throttled_by(facts.set_now.cpu_limit)[0]
    containers.make()
    rows = listing(containers.lake, Wanted(kinds=["container_cpu"], abstained=True)).rows
    assert share == pytest.approx(0.08, abs=0.002)
    (row,) = rows  # 8 % is above `throttled`
    assert row["proposed"]["cpu_limit_cores"] == pytest.approx(0.625)


def test_a_target_of_nothing_that_is_requested_is_not_zero(containers):
    own = {"namespace": "shop", "horizontalpodautoscaler": "cart"}
    containers.container(steady(8 * DAY), np.full(8 * DAY, 200 * MIB), (None, 256 * MIB))
    target = {"metric_name": "cpu", "metric_target_type": "utilization"}
    of = {"scaletargetref_kind": "Deployment", "scaletargetref_name": "cart"}
    containers.put(
        [
            (np.full(6, 80.0), {"metric__": f"{HPA}_spec_target_metric"} | target | own),
            (np.full(6, 1.0), {"metric__": f"{HPA}_info"} | of | own),
            (
                np.full(6, 1.0),
                {
                    "metric__": "kube_deployment_spec_replicas",
                    "namespace": "shop",
                    "workload": "cart",
                },
            ),
        ]
    )
    containers.make(rightsizing=RightsizingSettings(hpa="retarget"))
    rows = listing(containers.lake, Wanted()).rows
    assert [row["kind"] for row in rows] == ["container_cpu"]
    text = as_yaml(patches(rows))
    assert "cpu:" in text
    assert "averageUtilization" not in text


def test_an_autoscaler_is_of_what_it_scales_now(containers, now):
    n = 3 * DAY
    for i in range(8):
        own = {"namespace": "shop", "horizontalpodautoscaler": f"scaler{i}"}
        v = np.full(n, np.nan)
        old, new = v.copy(), v.copy()
        old[:DAY], new[DAY:] = 1, 1  # retargeted two days ago
        target = {"metric_name": "cpu", "metric_target_type": "utilization"}
        series = [(np.full(6, 80.0), {"metric__": f"{HPA}_spec_target_metric"} | target | own)]
        for values, name in ((old, f"old{i}"), (new, f"new{i}")):
            containers.container(steady(n), pod=f"{name}-7c9d8f6b54-x2v9k")
            series.append((values, {"metric__": f"{HPA}_info", "scaletargetref_name": name} | own))
        containers.put(series)
    facts = gather(containers.lake.snapshot(), now, AdviceSettings())
    names = facts.inventory.containers["workload"].to_list()
    scaled = {name for name, at in zip(names, facts.scaled.cpu, strict=True) if at > 0.0}
    assert scaled == {f"new{i}" for i in range(8)}


def test_a_counter_that_overflows_costs_no_other_its_advice(containers):
    containers.container(steady(3 * DAY), cluster="good")
    own = {"namespace": "shop", "pod": "bad-0", "container": "app"}
    counter = np.cumsum(steady(3 * DAY) * 300.0)
    counter[-10] = np.finfo(float).max
    containers.put([(counter, {"metric__": "container_cpu_usage_seconds_total"} | own)])
    made = containers.make()
    assert made.failed == {}
    rows = listing(containers.lake, Wanted(kinds=["container_cpu"])).rows
    assert "good" in {row["cluster"] for row in rows}


def test_what_is_requested_is_finite(containers):
    containers.container(steady(3 * DAY), request=(np.inf, None), cluster="c2")
    containers.container(steady(3 * DAY), request=(-1.0, None), cluster="c3")
    containers.container(steady(3 * DAY), request=(1.0, None), cluster="c4")
    containers.make()
    rows = listing(containers.lake, Wanted(kinds=["container_cpu"], abstained=True)).rows
    told = {row["cluster"]: row for row in rows}
    assert {name for name, row in told.items() if row["abstained"]} == {"c2", "c3"}
    assert "is told as no amount" in told["c2"]["reason"]
