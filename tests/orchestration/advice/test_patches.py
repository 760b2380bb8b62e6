"""Patches are YAML that says what the advice says, whatever names contain."""

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
        "proposed": {"cpu_request_cores": 0.25, "cpu_limit_cores": None},
        "abstained": False,
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


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"workload_kind": None}, "its kind is unknown"),
        ({"workload_kind": "Job"}, "the template of a Job cannot be changed"),
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
