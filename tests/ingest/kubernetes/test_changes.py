"""What a person would write of two moments of one object."""

import pytest

from ingest.kubernetes import states
from ingest.kubernetes.changes import changes
from ingest.kubernetes.objects import ClusterObject


@pytest.fixture
def told():
    """(reason, message) of the changes between two raw objects of a kind."""

    def find(kind, state, before, after):
        was, now = (
            None if raw is None else ClusterObject(kind, "shop", "cart", "u", state=state(raw))
            for raw in (before, after)
        )
        return [(change.reason, change.message) for change in changes(was, now)]

    return find


def containers(*found):
    return {"spec": {"template": {"spec": {"containers": list(found)}}}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("shop/cart:v1", "shop/cart:v2", "v1 → v2"),
        ("r:5000/cart:v1", "r:5000/cart:v2", "v1 → v2"),
        ("r:5000/cart", "r:5000/cart:v2", "latest → v2"),
        ("shop/cart:v1", "mirror/cart:v1", "shop/cart:v1 → mirror/cart:v1"),
        ("x@sha256:" + "a" * 64, "x@md5:" + "b" * 32, "sha256:aaaaaaaaaaaa → md5:bbbbbbbbbbbb"),
        ("cart:v1@sha256:" + "a" * 64, "cart:v2", "sha256:aaaaaaaaaaaa → v2"),
        (None, "cart:v2", "None → cart:v2"),
    ],
)  # fmt: skip
def test_images(before, after, expected, told):
    was, now = (containers({"name": "app", "image": image}) for image in (before, after))
    assert told("DaemonSet", states.daemon_set, was, now) == [
        ("ImageChanged", f"image of container app: {expected}")
    ]


def test_containers_come_and_go(told):
    app, proxy = {"name": "app", "image": "a:1"}, {"name": "proxy", "image": "p:1"}
    assert told("StatefulSet", states.stateful_set, containers(app), containers(proxy)) == [
        ("ContainerRemoved", "container app removed (image a:1)"),
        ("ContainerAdded", "container proxy added (image p:1)"),
    ]


def test_requests_and_limits(told):
    was = containers({"name": "app", "resources": {"requests": {"cpu": "1"}}})
    now = containers(
        {"name": "app", "resources": {"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}}}
    )
    assert told("Deployment", states.deployment, was, now) == [
        (
            "ResourcesChanged",
            "resources of container app: cpu request 1 → 2, memory limit none → 1Gi",
        )
    ]


def test_revisions_of_each_kind(told):
    def deployment(revision):
        return {"metadata": {"annotations": {states.REVISION: revision}}}

    def daemon_set(revision):
        return {"metadata": {"annotations": {states.GENERATION: revision}}}

    def stateful_set(revision):
        return {"status": {"updateRevision": revision}}

    for kind, state, build in (
        ("Deployment", states.deployment, deployment),
        ("DaemonSet", states.daemon_set, daemon_set),
        ("StatefulSet", states.stateful_set, stateful_set),
    ):
        assert told(kind, state, build("a"), build("b")) == [("RolloutStarted", "revision a → b")]
        # Not yet counted by a controller that is behind.
        assert told(kind, state, build("a"), {}) == []


def test_progress_of_a_rollout_is_no_change(told):
    was, now = ({"status": {"readyReplicas": n, "updatedReplicas": n}} for n in (1, 2))
    assert told("Deployment", states.deployment, was, now) == []


def test_restarts_say_why(told):
    def pod(restarts, died):
        status = {"name": "app", "restartCount": restarts, "lastState": {"terminated": died}}
        return {
            "spec": {"containers": [{"name": "app"}]},
            "status": {"containerStatuses": [status]},
        }

    died = {"reason": "OOMKilled", "exitCode": 137}
    assert told("Pod", states.pod, pod(1, {}), pod(3, died)) == [
        (
            "ContainerRestarted",
            "container app restarted (OOMKilled, exit code 137): 1 → 3 restarts",
        )
    ]
    assert told("Pod", states.pod, pod(3, died), pod(0, {})) == []
    assert told("Pod", states.pod, None, pod(3, died)) == []


def test_nodes(told):
    def node(unschedulable=False, taints=(), cpu="2", version="v1.33.1", **conditions):
        return {
            "spec": {"unschedulable": unschedulable, "taints": list(taints)},
            "status": {
                "conditions": [
                    {"type": kind, "status": status, "reason": "Why"}
                    for kind, status in conditions.items()
                ],
                "allocatable": {"cpu": cpu},
                "nodeInfo": {"kubeletVersion": version},
            },
        }

    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    assert told(
        "Node",
        states.node,
        node(Ready="True", DiskPressure="False"),
        node(True, [taint], "4", "v1.34.0", Ready="False", DiskPressure="True"),
    ) == [
        ("NodeConditionChanged", "condition DiskPressure: False → True (Why)"),
        ("NodeConditionChanged", "condition Ready: True → False (Why)"),
        ("NodeCordoned", "no new pods may come here"),
        ("TaintsChanged", "taints: none → gpu=yes:NoSchedule"),
        ("AllocatableChanged", "allocatable: cpu 2 → 4"),
        ("NodeVersionChanged", "kubelet: v1.33.1 → v1.34.0"),
    ]
    assert told("Node", states.node, node(True), node(False)) == [
        ("NodeUncordoned", "new pods may come here again")
    ]


def test_claims(told):
    def claim(request, capacity, phase):
        return {
            "spec": {"resources": {"requests": {"storage": request}}},
            "status": {"capacity": {"storage": capacity}, "phase": phase},
        }

    assert told(
        "PersistentVolumeClaim",
        states.claim,
        claim("10Gi", "10Gi", "Bound"),
        claim("20Gi", "20Gi", "Lost"),
    ) == [
        ("PvcResized", "request: 10Gi → 20Gi"),
        ("PvcResized", "capacity: 10Gi → 20Gi"),
        ("PvcPhaseChanged", "phase: Bound → Lost"),
    ]


def test_autoscalers(told):
    def hpa(least, most, percent, current):
        cpu = {
            "type": "Resource",
            "resource": {
                "name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": percent},
            },
        }
        rate = {
            "type": "Pods",
            "pods": {"metric": {"name": "rps"}, "target": {"averageValue": "100"}},
        }
        return {
            "spec": {"minReplicas": least, "maxReplicas": most, "metrics": [cpu, rate]},
            "status": {"currentReplicas": current},
        }

    assert told(
        "HorizontalPodAutoscaler", states.autoscaler, hpa(1, 10, 70, 2), hpa(2, 20, 60, 9)
    ) == [("HpaChanged", "cpu 70% → 60%, max 10 → 20, min 1 → 2")]
    assert (
        told("HorizontalPodAutoscaler", states.autoscaler, hpa(1, 10, 70, 2), hpa(1, 10, 70, 9))
        == []
    )


@pytest.mark.parametrize(("given", "least"), [(None, 1), (0, 0), (3, 3)])
def test_an_autoscaler_may_go_down_to_nothing(given, least):
    assert states.autoscaler({"spec": {"minReplicas": given}})["min"] == least


def test_quotas_and_budgets(told):
    def quota(hard, used):
        return {"spec": {"hard": hard}, "status": {"used": used}}

    assert told(
        "ResourceQuota",
        states.quota,
        quota({"pods": "10"}, {"pods": "1"}),
        quota({"pods": "20"}, {"pods": "9"}),
    ) == [("QuotaChanged", "hard: pods 10 → 20")]
    was, now = ({"spec": {"minAvailable": n}} for n in (1, "50%"))
    assert told("PodDisruptionBudget", states.disruption_budget, was, now) == [
        ("PdbChanged", "min_available 1 → 50%")
    ]


@pytest.mark.parametrize("kind", ["Pod", "Job"])
def test_pods_and_jobs_come_and_go_without_a_word(kind, told):
    assert told(kind, states.job, None, {}) == told(kind, states.job, {}, None) == []


@pytest.mark.parametrize(
    "state",
    [
        states.node, states.pod, states.deployment, states.stateful_set, states.daemon_set,
        states.job, states.claim, states.autoscaler, states.quota, states.disruption_budget,
        states.config_map,
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "item",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"metadata": [], "spec": "x", "status": 5},
        {"spec": {"template": {"spec": {"containers": [None, {}, "x"]}}, "metrics": [{}]}},
        {"status": {"conditions": [{}], "containerStatuses": [{"state": None}]}},
    ],
)
def test_any_shape_has_a_state(state, item):
    state(item)
