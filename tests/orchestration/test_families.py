"""Presets and settings on a lake: what is scored, how it is read, and what is told of it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from lake import TimeRange
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.family_settings import FamilySettings
from orchestration.steps import explain
from orchestration.steps.detect import detect_range
from orchestration.steps.families import lookup
from orchestration.steps.panels import choose_series, count_series, read_panel, series_by_id
from orchestration.steps.tick import Ticker

START = datetime(2026, 11, 23, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOURS = 8
MINUTES = HOURS * 60
SETTINGS = DetectionSettings(
    detectors=(DetectorSettings(name="window_memory"),),
    history=timedelta(hours=5),
    least_history=timedelta(hours=4),
    delay=timedelta(0),
)


def ours(*families, **more):
    given = tuple(FamilySettings.model_validate(one) for one in families)
    return SETTINGS.model_copy(update={"families": given, **more})


@pytest.fixture
def put(lake, fill):
    """Fill the lake with one value a minute for some series."""

    def write(*series):
        times = round(START.timestamp() * 1000) + 60_000 * np.arange(MINUTES)
        labels = [{"__name__": name, **labels} for name, labels, _ in series]
        fill(lake, labels, [times] * len(series), [np.asarray(values) for *_, values in series])
        return lake

    return write


def noise(seed, level=100.0):
    return level + 2.0 * np.random.default_rng(seed).standard_normal(MINUTES)


def moved(values, to, start=6 * 60, end=7 * 60):
    values = np.array(values, float)
    values[start:end] = to
    return values


def chosen(lake, settings=SETTINGS):
    return choose_series(lake.snapshot(), settings, START)


def scored(lake, settings=SETTINGS):
    between = TimeRange(START + timedelta(hours=5), START + timedelta(hours=HOURS))
    detect_range(lake, settings, between, now=between.end + timedelta(hours=1))
    return lake.sql("SELECT * FROM anomalies ORDER BY metric, start").to_pylist()


def test_what_describes_is_left_out_and_labels_decide(put):
    lake = put(
        ("kube_pod_created", {"pod": "a"}, noise(1)),
        ("kube_pod_status_phase", {"pod": "a", "phase": "Failed"}, noise(2)),
        ("kube_pod_status_phase", {"pod": "a", "phase": "Running"}, noise(3)),
        ("shop_things", {}, noise(4)),
    )
    found = chosen(lake)
    assert [one.metric for one in found] == ["kube_pod_status_phase", "shop_things"]
    assert found[0].family.direction == "above"
    assert count_series(lake.snapshot(), SETTINGS, START + timedelta(hours=1)) == 2


def test_settings_come_before_presets(put):
    lake = put(
        ("kube_pod_start_time", {"pod": "a"}, noise(1)),
        ("shop_things", {"team": "red"}, noise(2)),
        ("shop_things", {"team": "blue"}, noise(3)),
    )
    settings = ours(
        {"metrics": "kube_pod_start_time", "ignore": False},
        {"metrics": "shop_.*", "labels": {"team": "r.*"}, "ignore": True},
        {"metrics": "shop_things", "direction": "below", "reading": "rate"},
    )
    found = chosen(lake, settings)
    assert [one.metric for one in found] == ["kube_pod_start_time", "shop_things"]
    assert (found[1].family.direction, found[1].reading) == ("below", "rate")
    assert count_series(lake.snapshot(), settings, START + timedelta(hours=1)) == 2


def test_a_gauge_that_is_called_a_counter_is_read_as_what_it_is(put):
    lake = put(("volcano_unschedule_job_count", {}, noise(1)), ("shop_job_count", {}, noise(2)))
    assert [one.reading for one in chosen(lake)] == ["rate", "level"]


def test_a_counter_without_its_suffix_is_read_as_a_rate(put):
    lake = put(("node_netstat_Tcp_RetransSegs", {}, 60.0 * np.arange(MINUTES)))
    (one,) = chosen(lake)
    between = TimeRange(START + MINUTE, START + 3 * MINUTE)
    assert read_panel(lake.snapshot(), [one], between, MINUTE).values.tolist() == [[1.0, 1.0]]


def test_a_time_becomes_an_age(put):
    """float32 holds a time of today to two minutes: the age is taken before."""
    audits = START.timestamp() + 60.0 * (np.arange(MINUTES) // 10 * 10)
    lake = put(("gatekeeper_audit_last_run_time", {}, audits))
    (one,) = chosen(lake)
    between = TimeRange(START, START + 12 * MINUTE)
    ages = read_panel(lake.snapshot(), [one], between, MINUTE).values[0].tolist()
    assert ages == [*(60.0 * each for each in range(10)), 0.0, 60.0]


def test_a_counter_that_resets_is_no_anomaly(put):
    counts = np.cumsum(np.random.default_rng(1).poisson(600, MINUTES)).astype(float)
    counts[6 * 60 :] -= counts[6 * 60] - 300.0
    lake = put(("shop_orders_total", {}, counts))
    assert scored(lake) == []


def test_what_does_no_harm_is_not_told(put):
    lake = put(
        ("node_memory_MemAvailable_bytes", {"node": "n1"}, moved(noise(1, 8e9), 12e9)),
        ("node_memory_MemAvailable_bytes", {"node": "n2"}, moved(noise(2, 8e9), 4e9)),
        ("kube_deployment_status_replicas_available", {"deployment": "a"}, moved([3] * MINUTES, 4)),
        ("kube_deployment_status_replicas_available", {"deployment": "b"}, moved([3] * MINUTES, 1)),
    )
    found = scored(lake)
    told = [(row["metric"], row["node"], row["workload"], row["direction"]) for row in found]
    assert told == [
        ("kube_deployment_status_replicas_available", None, "b", "below"),
        ("node_memory_MemAvailable_bytes", "n2", None, "below"),
    ]
    for row in found:
        assert row["upper"] is None  # more does no harm, however much it is
        assert row["actual"] < row["lower"] <= row["expected"]
        # The half hour for which windows remember it is none of it.
        assert row["end"] - row["start"] <= timedelta(minutes=60 + SETTINGS.min_length)


def test_it_is_told_where_the_settings_say_so(put):
    lake = put(("node_memory_MemAvailable_bytes", {"node": "n1"}, moved(noise(1, 8e9), 12e9)))
    assert scored(lake) == []
    both = ours({"metrics": "node_memory_MemAvailable_bytes", "direction": "both"})
    (row,) = scored(lake, both)
    assert row["direction"] == "above"


def test_a_short_fault_is_told_as_the_detector_sees_it(put):
    down = moved([1.0] * MINUTES, 0.0, 6 * 60, 6 * 60 + 2)
    lake = put(("up", {"instance": "a"}, down), ("up", {"instance": "b"}, [1.0] * MINUTES))
    (row,) = scored(lake)
    assert row["instance"] == "a"
    assert row["start"] == START + timedelta(hours=6)


def test_of_an_entity_the_metric_that_drives_it_decides(put):
    def pod(name, memory):
        return (
            ("container_memory_working_set_bytes", {"pod": name, "container": "c"}, memory),
            ("container_network_receive_bytes_total", {"pod": name}, np.cumsum(noise(5, 6e6))),
        )

    lake = put(
        *pod("falls", moved(noise(1, 5e8) + 1e6 * noise(2, 0), 2e8)),
        *pod("rises", moved(noise(3, 5e8) + 1e6 * noise(4, 0), 8e8)),
    )
    settings = SETTINGS.model_copy(
        update={"detectors": (DetectorSettings(name="entity_memory", by="pod"),)}
    )
    found = scored(lake, settings)
    assert [row["pod"] for row in found] == ["rises"]


def test_ticks_and_one_pass_tell_the_same(put, lake, tmp_path):
    lake = put(
        ("node_load1", {"node": "n1"}, moved(noise(1), 160.0, 6 * 60, 6 * 60 + 20)),
        ("node_load1", {"node": "n2"}, moved(noise(2), 40.0, 6 * 60, 6 * 60 + 20)),
    )
    ticker = Ticker(lake, SETTINGS)
    for minute in range(5 * 60, MINUTES + 1, 7):
        ticker.tick(START + minute * MINUTE)
    ticked = lake.sql('SELECT node, start, "end", score FROM anomalies').to_pylist()
    rows = scored(lake)
    assert [row["node"] for row in ticked] == ["n1"]
    assert [(row["start"], row["end"]) for row in ticked] == [
        (row["start"], row["end"]) for row in rows
    ]


def test_the_chart_of_one_side_has_a_band_to_draw(put):
    lake = put(("shop_errors_total", {}, np.cumsum(moved(noise(1, 300.0), 900.0))))
    (row,) = scored(lake)
    assert row["lower"] == 0.0  # a rate is never below
    free = ours({"metrics": "shop_errors_total", "direction": "below"})
    chart = explain.chart(lake, free, row)
    known = np.isfinite(chart.expected)
    assert known.sum() > 100
    assert (chart.lower <= chart.upper)[known].all()


def test_a_series_is_known_by_its_id(put):
    lake = put(("kube_pod_status_phase", {"pod": "a", "phase": "Failed"}, noise(1)))
    (one,) = chosen(lake)
    assert series_by_id(lake.snapshot(), SETTINGS, one.series_id) == one
    assert series_by_id(lake.snapshot(), SETTINGS, 1) is None


def test_the_same_settings_give_the_same_lookup():
    one = ours({"metrics": "a", "labels": {"b": "c"}})
    other = ours({"metrics": "a", "labels": {"b": "c"}})
    assert lookup(one) is lookup(other)
    assert lookup(one) is not lookup(SETTINGS)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"metrics": "(("}, "no regular expression"),
        ({"metrics": "a", "labels": {"b": "["}}, "no regular expression"),
        ({"metrics": "a", "direction": "up"}, "both"),
        ({"metrics": "a", "least_absolute": -1.0}, "greater than or equal to 0"),
        ({"direction": "above"}, "metrics"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, told):
    with pytest.raises(ValidationError, match=told):
        FamilySettings.model_validate(given)
