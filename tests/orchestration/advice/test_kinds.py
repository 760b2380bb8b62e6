"""Of what kind a workload is, is told by what owns its pods, and what owns that; or unknown."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from lake.schema import OBJECTS
from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.browse import Wanted, listing
from orchestration.steps.advice.patches import patches

MIB = 1024.0**2
DAY = 288
HASHED = "cart-7c9d8f6b54"


@pytest.fixture
def kind(containers):
    """The kind of each workload's advice on memory, by container."""

    def read():
        return {row["container"]: row["workload_kind"] for row in advised(containers)}

    return read


def advised(containers):
    assert not containers.make().failed
    return listing(containers.lake, Wanted(kinds=["container_memory"], abstained=True)).rows


def ran(containers, pod, owner=None, container="app"):
    """Two days of a pod, and its owner (kind, name)."""
    taken = np.full(2 * DAY, 100 * MIB)
    containers.container(memory=taken, pod=pod, container=container, request=(None, 1024 * MIB))
    if owner is not None:
        tell(containers, "kube_pod_owner", pod=pod, owner_kind=owner[0], owner_name=owner[1])


def tell(containers, metric, **labels):
    containers.put([(np.ones(6), {"metric__": metric, "namespace": "shop"} | labels)])


def owns(containers, replica_set, kind, name):
    labels = {"replicaset": replica_set, "owner_kind": kind, "owner_name": name}
    tell(containers, "kube_replicaset_owner", **labels)


@pytest.mark.parametrize("of", ["Deployment", "Rollout"])
def test_of_a_replica_set_its_owner(containers, kind, of):
    ran(containers, f"{HASHED}-x2v9k", ("ReplicaSet", HASHED))
    owns(containers, HASHED, of, "cart")
    assert kind() == {"app": of}


@pytest.mark.parametrize("nothing", ["", "<none>"])
def test_a_replica_set_that_nothing_owns(containers, kind, nothing):
    ran(containers, "cart-x2v9k", ("ReplicaSet", "cart"))
    owns(containers, "cart", nothing, nothing)
    # Another of that name changes nothing.
    tell(containers, "kube_deployment_spec_replicas", deployment="cart")
    assert kind() == {"app": "ReplicaSet"}


def test_a_replica_set_of_which_nobody_tells_the_owner_is_no_deployment(containers, kind):
    ran(containers, f"{HASHED}-x2v9k", ("ReplicaSet", HASHED))
    assert kind() == {"app": None}
    rows = listing(containers.lake, Wanted(kinds=["container_memory"])).rows
    assert patches(rows).patches == []
    assert "its kind is unknown" in patches(rows).left_out[0][1]


@pytest.mark.parametrize(
    ("metric", "labels", "told"),
    [
        ("kube_deployment_spec_replicas", {"deployment": "cart"}, "Deployment"),
        ("kube_statefulset_replicas", {"statefulset": "cart"}, None),
        (
            "kube_horizontalpodautoscaler_info",
            {
                "horizontalpodautoscaler": "cart-hpa",
                "scaletargetref_kind": "Rollout",
                "scaletargetref_name": "cart",
            },
            "Rollout",
        ),
    ],
)
def test_it_is_what_makes_replica_sets_and_has_its_name(containers, kind, metric, labels, told):
    ran(containers, f"{HASHED}-x2v9k", ("ReplicaSet", HASHED))
    tell(containers, metric, **labels)
    assert kind() == {"app": told}


def test_a_replica_set_that_is_named_like_another_by_a_hash_is_not_patched(containers, kind):
    """Its name would be cut: no object has that."""
    ran(containers, f"{HASHED}-x2v9k", ("ReplicaSet", HASHED))
    owns(containers, HASHED, "", "")
    assert kind() == {"app": None}


@pytest.mark.parametrize(("late", "told"), [(-1, "DaemonSet"), (1, "StatefulSet")])
def test_what_kubernetes_tells_of_a_pod_later_is_not_known_yet(containers, kind, now, late, told):
    """A round that is made up for says what it would have said then."""
    ran(containers, "cart-0", ("StatefulSet", "cart"))
    pod = {"cluster": "c1", "namespace": "shop", "kind": "Pod", "name": "cart-0", "uid": "u"}
    owner = {"workload_kind": "DaemonSet", "workload": "cart", "change": "added"}
    row = pod | owner | {"time": now + timedelta(minutes=30 * late)}
    containers.lake.objects.append(pa.Table.from_pylist([row], schema=OBJECTS.schema))
    assert kind() == {"app": told}


def test_a_job_of_a_cron_job(containers, kind):
    ran(containers, "report-29391040-x2v9k", ("Job", "report-29391040"))
    labels = {"job_name": "report-29391040", "owner_kind": "CronJob", "owner_name": "report"}
    tell(containers, "kube_job_owner", **labels)
    tell(containers, "kube_job_info", job_name="report-29391040")
    assert kind() == {"app": "CronJob"}


def test_a_job_is_one_where_no_cron_job_is_told_of(containers, kind):
    ran(containers, "report-29391040-x2v9k", ("Job", "report-29391040"))
    assert kind() == {"app": "Job"}
    tell(containers, "kube_cronjob_status_last_schedule_time", cronjob="report")
    assert kind() == {"app": "CronJob"}


def test_each_container_is_of_the_kind_of_its_own_pods(containers, kind):
    ran(containers, f"{HASHED}-x2v9k", ("ReplicaSet", HASHED))
    owns(containers, HASHED, "Deployment", "cart")
    ran(containers, "cart-0", ("StatefulSet", "cart"), container="db")
    assert kind() == {"app": "Deployment", "db": "StatefulSet"}


@pytest.mark.parametrize("told", [True, False])
def test_two_workloads_of_one_name_are_not_mixed(containers, told):
    """A Deployment that needs little, and a StatefulSet that needs much."""
    small, large = np.full(2 * DAY, 100 * MIB), np.full(2 * DAY, 900 * MIB)
    containers.container(memory=small, pod=f"{HASHED}-x2v9k", request=(None, 1024 * MIB))
    containers.container(memory=large, pod="cart-0", request=(None, 1024 * MIB))
    tell(containers, "kube_pod_owner", pod="cart-0", owner_kind="StatefulSet", owner_name="cart")
    owner = {"owner_kind": "ReplicaSet", "owner_name": HASHED}
    tell(containers, "kube_pod_owner", pod=f"{HASHED}-x2v9k", **owner)
    if told:
        owns(containers, HASHED, "Deployment", "cart")
    (row,) = advised(containers)
    first = "Deployment" if told else "StatefulSet"
    other = "StatefulSet" if told else "owner of a ReplicaSet"
    assert row["reason"] == (
        f"workloads of several kinds have this name ({first}, {other}): what each of them uses is "
        "not told apart"
    )
    assert (row["abstained"], row["proposed"]) == (True, {})


def test_nor_where_nothing_tells_whose_the_pods_are(containers):
    ran(containers, "cart-0")
    tell(containers, "kube_statefulset_replicas", statefulset="cart")
    tell(containers, "kube_cronjob_status_last_schedule_time", cronjob="cart")
    (row,) = advised(containers)
    assert "(CronJob, StatefulSet)" in row["reason"]


def test_what_runs_no_more_is_not_mixed_in(containers, now):
    taken = np.full(2 * DAY, 100 * MIB)
    before = now - timedelta(days=4)
    containers.container(
        memory=taken, pod=f"{HASHED}-x2v9k", end=before, request=(None, 1024 * MIB)
    )
    owner = {"owner_kind": "ReplicaSet", "owner_name": HASHED}
    tell(containers, "kube_pod_owner", pod=f"{HASHED}-x2v9k", **owner)
    owns(containers, HASHED, "Deployment", "cart")
    ran(containers, "cart-0", ("StatefulSet", "cart"))
    (row,) = advised(containers)
    assert (row["abstained"], row["workload_kind"]) == (False, "StatefulSet")


def test_a_replica_set_whose_owner_is_untold_beside_one_of_a_deployment(containers, kind):
    ran(containers, f"{HASHED}-x2v9k", ("ReplicaSet", HASHED))
    ran(containers, "cart-6d8c7b9f55-ccccc", ("ReplicaSet", "cart-6d8c7b9f55"))
    owns(containers, HASHED, "Deployment", "cart")
    assert kind() == {"app": "Deployment"}


@pytest.mark.parametrize("hpa", ["skip", "retarget"])
def test_an_autoscaler_scales_the_one_that_it_names_by_kind(containers, hpa):
    """Its target is of what that requests, not of what another of the same name does."""
    for pod, container, owner in (
        (f"{HASHED}-x2v9k", "app", ("ReplicaSet", HASHED)),
        ("cart-0", "db", ("StatefulSet", "cart")),
    ):
        containers.container(np.full(2 * DAY, 0.6), pod=pod, container=container)
        labels = {"owner_kind": owner[0], "owner_name": owner[1]}
        tell(containers, "kube_pod_owner", pod=pod, **labels)
    owns(containers, HASHED, "Deployment", "cart")
    scaler = {"horizontalpodautoscaler": "cart-hpa"}
    target = {"scaletargetref_kind": "Deployment", "scaletargetref_name": "cart"}
    tell(containers, "kube_horizontalpodautoscaler_info", **scaler, **target)
    metric = "kube_horizontalpodautoscaler_spec_target_metric"
    of = {"metric__": metric, "metric_name": "cpu", "metric_target_type": "utilization"}
    containers.put([(np.full(6, 50.0), of | {"namespace": "shop"} | scaler)])
    assert not containers.make(rightsizing=RightsizingSettings(hpa=hpa)).failed
    wanted = Wanted(kinds=["container_cpu"], abstained=True)
    rows = {row["container"]: row for row in listing(containers.lake, wanted).rows}
    assert not rows["db"]["abstained"]
    assert "hpa" not in rows["db"]["current"]
    if hpa == "skip":
        assert "an autoscaler holds it at 50 %" in rows["app"]["reason"]
        return
    request = rows["app"]["proposed"]["cpu_request_cores"]
    assert rows["app"]["proposed"]["hpa_target_utilization_percent"] == round(50 / request)
