"""Patches are YAML that says what the advice says, whatever names contain."""

import json
import shlex

import pytest
import yaml

from orchestration.steps.advice.patches import as_yaml, patches

MIB = 1024.0**2


def row(**changes):
    return {
        "cluster": "eu-1",
        "namespace": "shop",
        "workload": "cart",
        "workload_kind": "Deployment",
        "container": "app",
        "title": "cart needs less",
        "current": {"cpu_request_cores": 1.0, "cpu_limit_cores": None},
        "proposed": {"cpu_request_cores": 0.25, "cpu_limit_cores": None},
        "abstained": False,
        "made_at": 0,
    } | changes


TARGET = {"hpa_target_utilization_percent": 84.0}
SCALED = {"cpu_request_cores": 0.25, "cpu_limit_cores": None, "hpa": "cart-hpa"} | TARGET
MEMORY = {"memory_request_bytes": 512 * MIB, "memory_limit_bytes": 1024 * MIB}


def test_one_a_workload():
    rows = [row(), row(proposed=MEMORY), row(container="proxy"), row(cluster="us-2")]
    first, second = yaml.safe_load_all(as_yaml(patches(rows)))
    assert first == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "app",
                            "resources": {
                                "requests": {"cpu": "250m", "memory": "512Mi"},
                                "limits": {"memory": "1Gi"},
                            },
                        },
                        {"name": "proxy", "resources": {"requests": {"cpu": "250m"}}},
                    ]
                }
            }
        },
    }
    assert len(second["spec"]["template"]["spec"]["containers"]) == 1


def test_a_cron_job_has_its_template_deeper():
    (body,) = yaml.safe_load_all(as_yaml(patches([row(workload_kind="CronJob")])))
    assert body["apiVersion"] == "batch/v1"
    template = body["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert template["containers"][0]["name"] == "app"


def commands(text):
    return [line[2:] for line in text.splitlines() if line.startswith("# kubectl")]


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_a_sidecar_stands_among_the_init_containers(kind):
    """As a strategic merge in the list of others it would be a new container, without an image."""
    aside = row(container="proxy", current={"cpu_request_cores": 1.0, "sidecar": True})
    (body,) = yaml.safe_load_all(
        as_yaml(patches([one | {"workload_kind": kind} for one in (row(), aside)]))
    )
    spec = body["spec"] if kind == "Deployment" else body["spec"]["jobTemplate"]["spec"]
    resources = {"requests": {"cpu": "250m"}}
    assert spec["template"]["spec"] == {
        "containers": [{"name": "app", "resources": resources}],
        "initContainers": [{"name": "proxy", "resources": resources}],
    }


@pytest.mark.parametrize("newest", ["cpu", "memory"])
def test_a_container_stands_where_the_newest_advice_on_it_has_it(newest):
    """The other was accepted before it became, or was made, a sidecar."""
    cpu = row(made_at=int(newest == "cpu"), current={})
    memory = row(made_at=int(newest == "memory"), current={"sidecar": True}, proposed=MEMORY)
    (body,) = yaml.safe_load_all(as_yaml(patches([cpu, memory])))
    (own,) = body["spec"]["template"]["spec"].items()
    assert own[0] == {"cpu": "containers", "memory": "initContainers"}[newest]
    assert own[1][0]["resources"]["requests"] == {"cpu": "250m", "memory": "512Mi"}


def test_a_sidecar_of_a_custom_resource():
    aside = row(container="proxy", current={"sidecar": True}, workload_kind="Rollout")
    (command,) = commands(as_yaml(patches([aside])))
    places = json.loads(shlex.split(command)[-1])
    path = "/spec/template/spec/initContainers/0"
    assert [one["path"] for one in places] == [f"{path}/name", f"{path}/resources/requests/cpu"]


def test_a_replica_set_is_patched_as_one():
    text = as_yaml(patches([row(workload_kind="ReplicaSet")]))
    (body,) = yaml.safe_load_all(text)
    assert (body["apiVersion"], body["kind"]) == ("apps/v1", "ReplicaSet")
    assert commands(text) == ["kubectl patch -n shop replicaset cart --patch-file FILE"]
    assert "# a ReplicaSet leaves its pods as they are: new ones are made so" in text


def test_of_a_custom_resource_single_places_are_changed_if_they_are_the_right_ones():
    """A strategic merge is refused of it, and a merge replaces the list of containers."""
    rows = [row(workload_kind="Rollout"), row(workload_kind="Rollout", container="it's")]
    text = as_yaml(patches(rows))
    (body,) = yaml.safe_load_all(text)
    assert (body["apiVersion"], body["kind"]) == ("argoproj.io/v1alpha1", "Rollout")
    (command,) = commands(text)
    *words, places = shlex.split(command)
    assert words == (
        ["kubectl", "patch", "-n", "shop", "rollouts.argoproj.io", "cart", "--type", "json", "-p"]
    )
    path = "/spec/template/spec/containers"
    assert json.loads(places) == [
        {"op": "test", "path": f"{path}/0/name", "value": "app"},
        {"op": "add", "path": f"{path}/0/resources/requests/cpu", "value": "250m"},
        {"op": "test", "path": f"{path}/1/name", "value": "it's"},
        {"op": "add", "path": f"{path}/1/resources/requests/cpu", "value": "250m"},
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"workload_kind": None},
            "its kind is unknown: collect `kube_pod_owner`, `kube_replicaset_owner` and "
            "`kube_job_owner`",
        ),
        ({"workload_kind": "Job"}, "the template of a Job cannot be changed"),
        ({"workload_kind": "CloneSet"}, "how the template of a CloneSet is changed is not known"),
    ],
)
def test_what_cannot_be_patched_is_said(changes, why):
    found = patches([row(**changes)])
    assert (found.patches, found.left_out) == ([], [("cart needs less", why)])
    assert as_yaml(found) == f"# left out: cart needs less ({why})\n"


def test_other_advice_is_none_of_it():
    assert patches([row(proposed={}, abstained=True), row(proposed={"nodes": 3})]).patches == []


@pytest.mark.parametrize(
    "name", ["a\nkind: Secret", "x: y", "- {", "é\u2028kind: Secret", "\x00\x1b"]
)
def test_names_cannot_break_out(name):
    text = as_yaml(patches([row(workload=name, namespace=name, container=name, title=name)]))
    (body,) = yaml.safe_load_all(text)
    assert (body["kind"], body["metadata"]["name"]) == ("Deployment", name)
    assert body["spec"]["template"]["spec"]["containers"][0]["name"] == name


def test_an_autoscaler_is_patched_with_its_workload():
    """Its target is for all containers of the pod: the one that was worked out last."""
    rows = [
        row(proposed=SCALED, made_at=2),
        row(proposed=SCALED | {"hpa_target_utilization_percent": 70.0}, container="p", made_at=1),
    ]
    found = patches(rows)
    assert [one.body["kind"] for one in found.patches] == ["Deployment", "HorizontalPodAutoscaler"]
    _, body = yaml.safe_load_all(as_yaml(found))
    assert body["metadata"] == {"name": "cart-hpa", "namespace": "shop"}
    target = {"type": "Utilization", "averageUtilization": 84}
    assert body["spec"] == {
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    }
    assert "together with the patch of cart" in as_yaml(found)


def test_of_an_autoscaler_that_scales_by_more_no_part_is_changed():
    proposed = {name: value for name, value in SCALED.items() if name != "hpa"}
    found = patches([row(proposed=proposed, made_at=1)])
    assert [one.body["kind"] for one in found.patches] == ["Deployment"]
    assert "set its target of CPU to 84 % by hand" in found.left_out[0][1]
