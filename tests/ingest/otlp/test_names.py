"""Names, case by case as in the tests of Prometheus' translator and its specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import UnsupportedSampleError
from ingest.otlp.names import label_name, metric_name, unit_name
from ingest.series import LABEL_NAME, METRIC_NAME

PLAIN, COUNTER, GAUGE = {}, {"counter": True}, {"gauge": True}


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("requests", "", COUNTER, "requests_total"),
        ("requests_total", "", COUNTER, "requests_total"),
        ("total.requests", "", COUNTER, "requests_total"),
        ("requests_total", "", GAUGE, "requests_total"),
        ("cpu_usage", "1", GAUGE, "cpu_usage_ratio"),
        ("cpu_usage_ratio", "1", GAUGE, "cpu_usage_ratio"),
        ("items", "1", COUNTER, "items_total"),
        ("active", "1", PLAIN, "active"),
        ("response_time", "ms", GAUGE, "response_time_milliseconds"),
        ("response_time_seconds", "s", GAUGE, "response_time_seconds"),
        ("seconds.of.work", "s", PLAIN, "seconds_of_work"),
        ("memory_usage", "By", GAUGE, "memory_usage_bytes"),
        ("requests", "1/s", GAUGE, "requests_per_second"),
        ("requests", "1/s", COUNTER, "requests_per_second_total"),
        ("throughput", "By/s", GAUGE, "throughput_bytes_per_second"),
        ("speed", "m/m", GAUGE, "speed_meters_per_minute"),
        ("custom_metric", "custom_unit", GAUGE, "custom_metric_custom_unit"),
        ("custom_metric", "{custom}", GAUGE, "custom_metric"),
        ("custom_metric", "By/{custom}", GAUGE, "custom_metric_bytes"),
        ("custom_metric", "{custom}/s", GAUGE, "custom_metric_per_second"),
        ("metric", "unit@with#special/chars", GAUGE, "metric_unit_with_special_per_chars"),
        ("uptime", "d", GAUGE, "uptime_days"),
        ("duration", "h", GAUGE, "duration_hours"),
        ("load", "%", GAUGE, "load_percent"),
        ("heat", "Cel", GAUGE, "heat_celsius"),
        ("disk", "TiBy", GAUGE, "disk_tibibytes"),
        ("metric__with__many", "a__b", GAUGE, "metric_with_many_a_b"),
        ("k8s.pod.memory.working_set", "By", GAUGE, "k8s_pod_memory_working_set_bytes"),
        ("123.metric", "", GAUGE, "_123_metric"),
        ("rule:of:five", "", GAUGE, "rule:of:five"),
        (".leading.and.trailing.", "", GAUGE, "leading_and_trailing"),
        ("métric", "", GAUGE, "m_tric"),
        ("connections", " s ", GAUGE, "connections_seconds"),
    ],
)  # fmt: skip
def test_metric_name(name, unit, kind, expected):
    assert metric_name(name, unit, **kind) == expected


@pytest.mark.parametrize("name", ["", "@#$%", "___", "ようこそ"])
def test_a_name_of_which_nothing_is_left(name):
    with pytest.raises(UnsupportedSampleError, match="no letter or digit"):
        metric_name(name, "")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("s", "seconds"),
        ("requests/s", "requests_per_second"),
        ("1", ""),
        ("{x}/min", "per_min"),
        ("kg", "kg"),
        ("", ""),
    ],
)
def test_unit_name(unit, expected):
    assert unit_name(unit) == expected


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("label:with:colons", "label_with_colons"),
        ("LabelWithCapitalLetters", "LabelWithCapitalLetters"),
        ("label!with&special$chars)", "label_with_special_chars_"),
        ("label_with_foreign_characters_字符", "label_with_foreign_characters___"),
        ("label.with.dots", "label_with_dots"),
        ("123label", "key_123label"),
        ("_one_underscore", "key_one_underscore"),
        ("__two_underscores", "__two_underscores"),
    ],
)
def test_label_name(attribute, expected):
    assert label_name(attribute) == expected


@pytest.mark.parametrize("attribute", ["", "_", "__", "ようこそ"])
def test_an_attribute_of_which_nothing_is_left(attribute):
    with pytest.raises(UnsupportedSampleError, match="no letter or digit"):
        label_name(attribute)


@given(st.text(), st.text(), st.booleans())
def test_every_name_is_one_that_the_lake_takes(name, unit, counter):
    try:
        made = metric_name(name, unit, counter=counter, gauge=not counter)
    except UnsupportedSampleError:
        return
    assert METRIC_NAME.match(made)
    assert "__" not in made
    assert not counter or made.split("_")[-1] == "total"


@given(st.text())
def test_every_label_is_one_that_the_lake_takes(attribute):
    try:
        made = label_name(attribute)
    except UnsupportedSampleError:
        return
    assert LABEL_NAME.match(made)
