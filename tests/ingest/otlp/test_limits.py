"""What is refused costs little, and what is kept in caches is small."""

import pytest

from ingest.errors import BodyTooLargeError
from ingest.otlp import body, labels, names
from ingest.otlp.limits import Limits

FEW = Limits(labels=8, name_bytes=40, value_bytes=80)


@pytest.fixture
def refused(translate, request_of):
    def of(*metrics, limits=FEW, **more):
        told = translate(request_of(*metrics, **more), limits=limits)
        return told.refused, told.message

    return of


def test_labels_of_a_scope_are_made_once(refused, gauge, point, attributes, monkeypatch):
    calls = []
    real = labels.of_scope
    monkeypatch.setattr(labels, "of_scope", lambda scope: calls.append(1) or real(scope))
    many = [point(n, 1) for n in range(50)]
    assert refused(gauge("g", *many), gauge("h", *many), scope={"name": "s"}) == (0, "")
    assert len(calls) == 1


def test_too_many_attributes_of_a_scope_refuse_its_points_at_once(
    refused, gauge, point, attributes, monkeypatch
):
    monkeypatch.setattr(labels, "of_scope", None)
    scope = {"name": "s", "attributes": attributes({f"a{n}": "x" for n in range(9)})}
    count, message = refused(gauge("g", *[point(n, 1) for n in range(50)]), scope=scope)
    assert (count, "9 attributes or labels, at most 8" in message) == (50, True)


def test_too_many_labels_of_a_resource_refuse_its_points_at_once(refused, gauge, point):
    resource = {f"k8s.{kind}.name": "x" for kind in "abcdefghi"}
    assert refused(gauge("g", point(60, 1), point(61, 1)), resource=resource)[0] == 2


def test_too_much_on_a_point_refuses_it_alone(refused, gauge, point):
    good = point(60, 1)
    for wrong, rule in (
        ({f"a{n}": "x" for n in range(9)}, "9 attributes"),
        ({"n" * 41: "x"}, "over 40 bytes"),
        ({"a": "ü" * 41}, "over 80 bytes"),
    ):
        count, message = refused(gauge("g", good, point(61, 1, attributes=wrong)))
        assert (count, rule in message) == (1, True)


def test_a_points_own_rules_come_before_its_labels(refused, gauge, point, monkeypatch):
    monkeypatch.setattr(labels, "of_attributes", None)
    no_time = point(60, 1) | {"timeUnixNano": "0"}
    assert refused(gauge("g", no_time, point(60)))[0] == 2


def test_points_that_are_refused_are_not_free(refused, gauge, point):
    points = [point(60, attributes={"a": "x" * 50})] * 20
    with pytest.raises(BodyTooLargeError):
        refused(gauge("g", *points), limits=Limits(bytes=500))


def test_long_names_of_metrics_and_units(refused, gauge, point):
    assert refused(gauge("n" * 41, point(60, 1)))[0] == 1
    assert refused(gauge("n", point(60, 1), unit="u" * 41))[0] == 1


def test_long_names_are_not_kept():
    long = "n" * 300
    caches = (names._cached_metric_name, names._cached_label, names._cached_unit, body._short)
    before = [cache.cache_info().currsize for cache in caches]
    assert names.metric_name(long, "s") == f"{long}_seconds"
    assert names.label_name(long) == long
    assert names.unit_name(long) == long
    body._label(long, "x")
    assert [cache.cache_info().currsize for cache in caches] == before


def test_too_many_quantiles(refused, point):
    one = point(count=1, quantileValues=[{"quantile": 0.5}] * 3_000)
    assert refused({"name": "s", "summary": {"dataPoints": [one]}})[0] == 1


def test_what_is_too_long_for_a_label_is_left_out_of_target_info(
    translate, request_of, gauge, point
):
    resource = {"service.name": "java", "process.command_line": "java " * 99, "host.name": "h"}
    resource |= {f"more{n}": "x" for n in range(9)}
    told = translate(request_of(gauge("g", point(60, 1)), resource=resource), limits=FEW)
    assert (told.refused, told.points) == (0, 1)
    found = [told.labels_of(one) for one in told.request.timeseries]
    (info,) = [one for one in found if one["__name__"] == "target_info"]
    assert info["host_name"] == "h"
    assert "process_command_line" not in info
    assert len(info) == 8
