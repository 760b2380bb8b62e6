"""Init containers that go on running are sized as others are, from metrics of their own."""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.browse import Wanted, listing
from orchestration.steps.advice.patches import patches

MIB = 1024.0**2
DAY = 288
HOUR = timedelta(hours=1)
POD = {"namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k"}


@pytest.fixture
def beside(containers):
    """A sidecar beside an app that is well as it is; what is set of it is told as of Kubernetes."""

    def put(cpu=None, memory=None, request=(1.0, 512 * MIB), limit=(None, None), policy="Always"):
        containers.container(np.full(3 * DAY, 0.2), request=(0.21, 256 * MIB))
        containers.container(cpu, memory, container="proxy", request=(None, None))
        tell(containers, "info", np.ones(6), restart_policy=policy)
        for which, values in (("requests", request), ("limits", limit)):
            for resource, value in zip(("cpu", "memory"), values, strict=True):
                if value is not None:
                    of = {"resource": resource, "unit": {"cpu": "core"}.get(resource, "byte")}
                    tell(containers, f"resource_{which}", np.full(6, value), **of)
        of = {"namespace": "shop", "deployment": "cart"}
        containers.put([(np.ones(6), {"metric__": "kube_deployment_spec_replicas"} | of)])

    return put


def tell(containers, what, values, **labels):
    metric = f"kube_pod_init_container_{what}"
    labels = {"metric__": metric, "container": "proxy"} | POD | labels
    containers.put([(values, labels)])


def advised(containers, kind, **settings):
    assert not containers.make(rightsizing=RightsizingSettings(**settings)).failed
    rows = listing(containers.lake, Wanted(kinds=[kind], abstained=True)).rows
    return {row["container"]: row for row in rows}


def test_it_is_sized_and_patched_where_it_stands(containers, beside):
    beside(cpu=np.full(3 * DAY, 0.2))
    row = advised(containers, "container_cpu")["proxy"]
    assert row["current"]["cpu_request_cores"] == 1.0
    assert row["proposed"]["cpu_request_cores"] == pytest.approx(0.2, abs=0.01)
    assert row["saving_cpu_cores"] == pytest.approx(0.8, abs=0.01)
    (patch,) = patches([row]).patches
    assert patch.body["spec"]["template"]["spec"] == {
        "initContainers": [{"name": "proxy", "resources": {"requests": {"cpu": "200m"}}}]
    }


def test_one_that_ends_is_not_sized(containers, beside):
    beside(cpu=np.full(3 * DAY, 0.2), policy="")
    row = advised(containers, "container_cpu")["proxy"]
    assert row["abstained"]
    assert "an init container, which ends before others begin" in row["reason"]


def test_kills_under_its_limit_count(containers, beside, now):
    beside(memory=np.full(3 * DAY, 90 * MIB), request=(None, 100 * MIB), limit=(None, 100 * MIB))
    values = np.where(np.arange(3 * DAY) < 2 * DAY, np.nan, 1.0)
    tell(containers, "status_last_terminated_reason", values, reason="OOMKilled")
    row = advised(containers, "container_memory")["proxy"]
    assert row["proposed"]["memory_limit_bytes"] >= 125 * MIB
    assert "it was killed for want of memory at 100 MiB" in row["reason"]
    (fact,) = (one for one in row["evidence"] if one["what"] == "killed for want of memory")
    assert fact["metric"] == "kube_pod_init_container_status_last_terminated_reason"


def test_what_it_uses_soon_after_a_restart_is_no_ordinary_use(containers, beside):
    high = np.full(3 * DAY, 0.2)
    high[2 * DAY : 2 * DAY + 2] = 3.0
    beside(cpu=high)
    counted = np.where(np.arange(3 * DAY) < 2 * DAY, 0.0, 1.0)
    tell(containers, "status_restarts_total", counted)
    settings = {"startup": timedelta(minutes=10), "cpu_over": 0.0}
    row = advised(containers, "container_cpu", **settings)["proxy"]
    assert row["proposed"]["cpu_request_cores"] == pytest.approx(0.2, abs=0.01)


def test_its_request_counts_for_the_autoscalers_target(containers, beside):
    """The target is of what all containers request that run."""
    beside(cpu=np.full(3 * DAY, 0.2), request=(1.0, None))
    own = {"namespace": "shop", "horizontalpodautoscaler": "cart-hpa"}
    name = "kube_horizontalpodautoscaler"
    info = {"scaletargetref_kind": "Deployment", "scaletargetref_name": "cart"}
    target = {"metric_name": "cpu", "metric_target_type": "utilization"}
    containers.put(
        [
            (np.ones(6), own | info | {"metric__": f"{name}_info"}),
            (np.full(6, 50.0), own | target | {"metric__": f"{name}_spec_target_metric"}),
        ]
    )
    row = advised(containers, "container_cpu", hpa="retarget")["proxy"]
    proposed = row["proposed"]
    after = 0.21 + proposed["cpu_request_cores"]
    assert proposed["hpa_target_utilization_percent"] == round(50 * (0.21 + 1.0) / after)


def test_what_was_followed_is_seen(containers, beside, now):
    beside(cpu=np.full(3 * DAY, 0.2))
    asked = advised(containers, "container_cpu")["proxy"]["proposed"]["cpu_request_cores"]
    later = now + 2 * HOUR
    last = np.cumsum(np.full(24, 60.0)) + 60.0 * 3 * DAY
    labels = {"metric__": "container_cpu_usage_seconds_total", "container": "proxy"} | POD
    of = {"metric__": "kube_pod_init_container_resource_requests", "resource": "cpu"}
    of |= {"container": "proxy", "unit": "core"} | POD
    containers.put([(last, labels), (np.full(6, asked), of)], later)
    assert not containers.make(later).failed
    wanted = Wanted(kinds=["container_cpu"], states=())
    (row,) = (one for one in listing(containers.lake, wanted).rows if one["container"] == "proxy")
    assert row["state"] == "applied"


@pytest.mark.parametrize("first", ["init", "other"])
def test_one_that_became_another_sort_is_what_the_youngest_pod_says(containers, now, first):
    """Both are told of on the day of the rollout."""
    change = now - 2 * HOUR
    for sort, pod, until, hours in (
        (first, "cart-7c9d8f6b54-bbbbb", change, 70),
        ({"init": "other", "other": "init"}[first], "cart-6d8c7b9f55-ccccc", now, 2),
    ):
        containers.container(
            np.full(12 * hours, 0.2), container="proxy", pod=pod, end=until, request=(None, None)
        )
        own = {"namespace": "shop", "pod": pod, "container": "proxy"}
        between = "init_container" if sort == "init" else "container"
        named = {"metric__": f"kube_pod_{between}_resource_requests", "resource": "cpu"}
        series = [(np.full(6, 1.0), own | named | {"unit": "core"})]
        if sort == "init":
            info = {"metric__": "kube_pod_init_container_info", "restart_policy": "Always"}
            series.append((np.ones(6), own | info))
        containers.put(series, until)
    row = advised(containers, "container_cpu")["proxy"]
    assert row["proposed"]["cpu_request_cores"] == pytest.approx(0.2, abs=0.01)
    (patch,) = patches([row | {"workload_kind": "Deployment"}]).patches
    among = "containers" if first == "init" else "initContainers"
    assert list(patch.body["spec"]["template"]["spec"]) == [among]


def test_what_happens_to_an_older_pod_later_says_nothing_of_the_sort(containers):
    """It still runs, is another container there, and is killed for the first time."""
    for pod, hours in (("bbbbb", 72), ("ccccc", 2)):
        taken = np.full(12 * hours, 0.2)
        containers.container(taken, container="proxy", pod=f"cart-{pod}", request=(None, None))
    of = {"namespace": "shop", "container": "proxy", "resource": "cpu", "unit": "core"}
    old = of | {"metric__": "kube_pod_container_resource_requests", "pod": "cart-bbbbb"}
    new = of | {"metric__": "kube_pod_init_container_resource_requests", "pod": "cart-ccccc"}
    containers.put([(np.ones(12 * 72), old)])
    containers.put([(np.ones(24), new)])
    own = {"namespace": "shop", "container": "proxy"}
    info = {"metric__": "kube_pod_init_container_info", "restart_policy": "Always"}
    killed = {"metric__": "kube_pod_container_status_last_terminated_reason", "reason": "OOMKilled"}
    containers.put([(np.ones(24), own | info | {"pod": "cart-ccccc"})])
    containers.put([(np.ones(3), own | killed | {"pod": "cart-bbbbb"})])
    row = advised(containers, "container_cpu")["proxy"]
    (patch,) = patches([row | {"workload_kind": "Deployment"}]).patches
    assert list(patch.body["spec"]["template"]["spec"]) == ["initContainers"]
