"""Which attribute becomes which label, and which of two counts."""

import pytest


@pytest.fixture
def labels(translate, request_of, gauge, point):
    """Labels of the one series of a gauge, and those of `target_info` if there is one."""

    def of(attributes=None, **more):
        told = translate(
            request_of(gauge("g", point(value=1, attributes=attributes or {})), **more)
        )
        assert (told.refused, told.message) == (0, "")
        found = [told.labels_of(one) for one in told.request.timeseries]
        by_name = {one.pop("__name__"): one for one in found}
        return by_name.pop("g"), by_name.pop("target_info", None)

    return of


def test_the_service_is_job_and_instance(labels):
    resource = {"service.name": "cart", "service.namespace": "shop", "service.instance.id": "7"}
    assert labels(resource=resource) == ({"job": "shop/cart", "instance": "7"}, None)
    assert labels(resource={"service.name": "cart"}) == ({"job": "cart"}, None)
    assert labels(resource={"service.namespace": "shop"}) == ({}, None)


def test_kubernetes_names_become_the_labels_of_kube_state_metrics(labels):
    kinds = ("cluster", "namespace", "pod", "node", "container", "deployment", "statefulset")
    kinds += ("daemonset", "cronjob", "persistentvolumeclaim", "replicaset")
    resource = {f"k8s.{kind}.name": f"a-{kind}" for kind in kinds}
    resource |= {"k8s.job.name": "a-job", "k8s.hpa.name": "an-hpa"}
    expected = {kind: f"a-{kind}" for kind in kinds}
    expected |= {"job_name": "a-job", "horizontalpodautoscaler": "an-hpa"}
    assert labels(resource=resource) == (expected, None)


def test_a_label_of_the_point_counts_before_one_of_the_resource(labels):
    resource = {"k8s.cluster.name": "eu-1", "k8s.pod.name": "p"}
    assert labels({"cluster": "us-2"}, resource=resource)[0] == {"cluster": "us-2", "pod": "p"}


def test_what_names_the_sender_cannot_be_overwritten(labels):
    attributes = {"job": "x", "instance": "y", "otel.scope.name": "z", "__name__": "other"}
    resource = {"service.name": "cart", "service.instance.id": "7"}
    assert labels(attributes, resource=resource, scope={"name": "meter"})[0] == {
        "job": "cart",
        "instance": "7",
        "otel_scope_name": "meter",
    }
    assert labels({"job": "x"})[0] == {"job": "x"}


def test_names_that_collide_are_joined_in_the_order_of_the_names(labels):
    assert labels({"a_b": "3", "a.b": "1", "a/b": "2"})[0] == {"a_b": "1;2;3"}


def test_values_that_are_no_text(labels):
    attributes = {"list": ["a", 1], "map": {"b": True, "a": 1.5}, "flag": False, "n": 7, "no": ""}
    assert labels(attributes)[0] == {
        "list": '["a",1]',
        "map": '{"a":1.5,"b":true}',
        "flag": "false",
        "n": "7",
    }


def test_the_scope(labels, attributes):
    scope = {"name": "io.meter", "version": "1.2", "attributes": attributes({"a.b": "c"})}
    expected = {"otel_scope_name": "io.meter", "otel_scope_version": "1.2", "otel_scope_a_b": "c"}
    assert labels(scope=scope)[0] == expected
    assert labels(scope={"version": "1.2"})[0] == {}


def test_target_info_has_what_else_is_known_of_the_sender(labels):
    resource = {
        "service.name": "cart",
        "service.instance.id": "7",
        "k8s.cluster.name": "eu-1",
        "k8s.pod.name": "cart-0",
        "k8s.pod.uid": "u",
        "host.name": "h",
        "telemetry.sdk.language": "python",
        "ようこそ": "left out",
        "empty": "",
    }
    assert labels(resource=resource)[1] == {
        "job": "cart",
        "instance": "7",
        "cluster": "eu-1",
        "pod": "cart-0",
        "k8s_pod_uid": "u",
        "host_name": "h",
        "telemetry_sdk_language": "python",
    }


def test_no_target_info_that_joins_nothing(labels):
    assert labels(resource={"host.name": "h"})[1] is None
    assert labels(resource={"host.name": "h", "k8s.cluster.name": "eu"})[1] is None
    assert labels(resource={"host.name": "h", "k8s.pod.name": "p"})[1] is not None


def test_an_attribute_without_a_name_refuses_its_point(translate, request_of, gauge, point):
    good, bad = point(value=1), point(value=2, attributes={"ようこそ": "x"})
    told = translate(request_of(gauge("g", good, bad)))
    assert told.samples == {"g": [1.0]}
    assert told.refused == 1
    assert "metric 'g'" in told.message
    assert "ようこそ" in told.message
