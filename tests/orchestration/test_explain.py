"""The curve around an anomaly with its band, and what happened meanwhile."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest import events as event_wire
from lake import Lake
from orchestration.steps import explain
from orchestration.steps.detect import detect_day

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def filled(filled_folder, tmp_path_factory):
    """A copy of the filled lake for all tests here."""
    folder = tmp_path_factory.mktemp("explained") / "lake"
    shutil.copytree(filled_folder, folder)
    return Lake.open(folder)


@pytest.fixture(scope="module")
def anomalies(filled, detection, history, day):
    """The night's anomalies on volumes and exporters, strongest first."""
    settings = detection.model_copy(update={"include": "up|kubelet_volume_stats_used_bytes"})
    detect_day(filled, settings, day, now=history.simulation.end)
    return filled.sql("SELECT * FROM anomalies ORDER BY score DESC").to_pylist()


def test_a_chart_shows_the_anomaly_outside_its_band(filled, detection, anomalies):
    for row in anomalies[:2]:
        chart = explain.chart(filled, detection, row)
        inside = [row["start"] <= at < row["end"] for at in chart.times]
        peak = chart.times.index(row["peak_time"])
        assert any(inside)
        assert chart.actual[peak] == pytest.approx(row["actual"])
        assert not chart.lower[peak] <= chart.actual[peak] <= chart.upper[peak]
        early = slice(0, inside.index(True) // 2)
        quiet = (chart.actual >= chart.lower) & (chart.actual <= chart.upper)
        assert np.mean(quiet[early]) > 0.9


def test_a_chart_reaches_two_hours_either_way_on_whole_minutes(filled, detection, anomalies):
    row = anomalies[0]
    chart = explain.chart(filled, detection, row)
    assert chart.times[0] == row["start"] - timedelta(hours=2)
    assert chart.times[-1] == row["end"] + timedelta(hours=2) - MINUTE
    lengths = {len(array) for array in (chart.actual, chart.expected, chart.lower, chart.upper)}
    assert lengths == {len(chart.times)}
    steps = {b - a for a, b in zip(chart.times, chart.times[1:], strict=False)}
    assert steps == {MINUTE}


def test_a_chart_is_a_day_at_most(filled, detection, anomalies):
    long = anomalies[0] | {"end": anomalies[0]["start"] + timedelta(days=9)}
    chart = explain.chart(filled, detection, long)
    assert len(chart.times) == timedelta(days=1) / MINUTE


def test_without_history_there_is_no_band(filled, detection, anomalies, history):
    first = history.simulation.start
    young = anomalies[0] | {"start": first, "end": first + 30 * MINUTE}
    chart = explain.chart(filled, detection, young, margin=timedelta(0))
    assert np.isfinite(chart.actual).any()
    assert (chart.expected, chart.lower, chart.upper) == (None, None, None)


@pytest.mark.parametrize("changes", [{"series_id": None}, {"series_id": 12345}])
def test_what_is_of_no_one_series_has_no_chart(filled, detection, anomalies, changes):
    assert explain.chart(filled, detection, anomalies[0] | changes) is None


@pytest.mark.parametrize("name", ["gone", "entity_memory", "entity_memory by node", "pyod.Gone"])
def test_a_detector_that_is_no_more_leaves_the_curve(filled, detection, anomalies, name):
    chart = explain.chart(filled, detection, anomalies[0] | {"detector": name})
    assert np.isfinite(chart.actual).any()
    assert chart.expected is None


def test_a_range_without_samples_has_no_chart(filled, detection, anomalies):
    later = START + timedelta(days=30)
    away = anomalies[0] | {"start": later, "end": later + MINUTE}
    assert explain.chart(filled, detection, away) is None


def event(uid, minute, **changes):
    plain = {"source": "change", "reason": uid, "uid": uid, "cluster": "c1", "namespace": "shop"}
    return plain | {"time": (START + minute * MINUTE).isoformat()} | changes


def names(lake, most=50, **changes):
    anomaly = {
        "cluster": "c1",
        "namespace": "shop",
        "start": START,
        "end": START + 10 * MINUTE,
    } | changes
    return [row["uid"] for row in explain.events_around(lake, anomaly, most=most)]


@pytest.fixture
def happened(lake):
    rows = [
        event("late", 60),
        event("early", -60),
        event("normal", -90, type="Normal"),
        event("elsewhere", -100, namespace="other"),
        event("of the node", -80, namespace=None),
        event("other cluster", 0, cluster="c2"),
        event("long before", -121),
        event("long after", 131),
    ]
    body = json.dumps(rows).encode()
    lake.events.append(event_wire.parse(body, None, latest=START + timedelta(days=1)))
    return lake


def test_events_around_own_namespace_first_then_warnings_then_time(happened):
    order = ["early", "late", "normal", "elsewhere", "of the node"]
    assert names(happened) == order
    assert names(happened, most=2) == order[:2]


def test_events_around_a_node_are_warnings_by_time(happened):
    assert names(happened, namespace=None) == [
        "elsewhere",
        "of the node",
        "early",
        "late",
        "normal",
    ]
