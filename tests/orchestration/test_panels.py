"""Buckets, rates, gaps: what a panel says of samples, each case small enough to do by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lake import TimeRange
from lake.timerange import to_micros
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.panels import align, choose_series, read_panel

START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAN = float("nan")


def at(seconds):
    return round(START.timestamp() * 1000) + round(seconds * 1000)


@pytest.fixture
def panel(lake, fill):
    """Fill a lake with one series of (seconds after `START`, value), read its columns."""

    def read(metric, points, minutes=4, step=MINUTE, start=START):
        fill(lake, [{"__name__": metric}], [[at(s) for s, _ in points]], [[v for _, v in points]])
        series = choose_series(lake.snapshot(), DetectionSettings(), START)
        found = read_panel(
            lake.snapshot(), series, TimeRange(start, start + minutes * MINUTE), step
        )
        assert found.start == to_micros(start)
        return found.values.tolist()

    return read


def rows(values):
    return pytest.approx(np.array([values], np.float32), nan_ok=True)


GAUGES = {
    "averaged within its bucket": ([(0, 1), (30, 3), (60, 5)], [2, 5, NAN, NAN]),
    "a bucket begins with its first and ends before its last instant": (
        [(0, 1), (59.999, 3), (60, 100)],
        [2, 100, NAN, NAN],
    ),
    "a gap stays a gap": ([(0, 1), (180, 4)], [1, NAN, NAN, 4]),
    "nothing before or after the range": ([(-1, 9), (0, 1), (240, 9)], [1, NAN, NAN, NAN]),
    "NaN and infinities are no data": (
        [(0, NAN), (30, 4), (60, float("inf")), (120, float("-inf"))],
        [4, NAN, NAN, NAN],
    ),
    "what float32 cannot hold is no data": ([(0, 1.7e308), (60, 2)], [NAN, 2, NAN, NAN]),
    "nor is an average beyond float64": ([(0, 1.7e308), (30, 1.7e308)], [NAN, NAN, NAN, NAN]),
    "order of arrival does not count": ([(60, 5), (30, 3), (0, 1)], [2, 5, NAN, NAN]),
}


@pytest.mark.parametrize(("points", "expected"), GAUGES.values(), ids=GAUGES)
def test_gauge(panel, points, expected):
    assert np.array(panel("temperature", points)) == rows(expected)


COUNTERS = {
    "rate a second between samples": ([(0, 0), (60, 60), (120, 240)], [NAN, 1, 3, NAN]),
    "the first column looks back before the range": (
        [(-30, 0), (30, 60), (90, 60)],
        [1, 0, NAN, NAN],
    ),
    "further back than the look-back is too far": ([(-330, 0), (0, 60)], [NAN, NAN, NAN, NAN]),
    "a fall is a reset: the new value is the increase": (
        [(0, 1000), (60, 1060), (120, 30), (180, 90)],
        [NAN, 1, 0.5, 1],
    ),
    "several rates in one bucket are averaged": (
        [(0, 0), (20, 20), (40, 80), (60, 80)],
        [2, 0, NAN, NAN],
    ),
    "a sample twice is one": ([(0, 0), (60, 60), (60, 60), (120, 120)], [NAN, 1, 1, NAN]),
    "a sample that is NaN is not there": ([(0, 0), (60, NAN), (120, 120)], [NAN, NAN, 1, NAN]),
    "an infinite sample is not there": (
        [(0, 0), (60, float("inf")), (120, 120)],
        [NAN, NAN, 1, NAN],
    ),
    "what float64 cannot hold has no rate": (
        [(0, -1.7e308), (60, 1.7e308), (120, 1.7e308)],
        [NAN, NAN, 0, NAN],
    ),
    "one sample has no rate": ([(0, 5)], []),
}


@pytest.mark.parametrize(("points", "expected"), COUNTERS.values(), ids=COUNTERS)
def test_counter(panel, points, expected):
    found = panel("requests_total", points)
    if all(np.isnan(expected)):
        assert found == []
    else:
        assert np.array(found) == rows(expected)


@pytest.mark.parametrize(("gap", "known"), [(300, True), (301, False)])
def test_a_rate_spans_five_minutes_and_no_more(panel, gap, known):
    found = panel("requests_total", [(0, 0), (60, 60), (60 + gap, 60 + gap)], minutes=8)
    expected = [NAN, 1, NAN, NAN, NAN, NAN, 1 if known else NAN, NAN]
    assert np.array(found) == rows(expected)


def test_other_steps(panel):
    found = panel("temperature", [(0, 1), (20, 2), (60, 7)], minutes=2, step=timedelta(seconds=20))
    assert np.array(found) == rows([1, 2, NAN, 7, NAN, NAN])


def test_a_range_across_midnight(panel):
    start = START - 2 * MINUTE
    found = panel("requests_total", [(-120, 0), (-60, 60), (0, 180), (60, 180)], start=start)
    assert np.array(found) == rows([NAN, 1, 2, 0])


def test_a_range_without_samples_has_no_rows(lake, fill):
    fill(lake, [{"__name__": "temperature"}], [[at(0)]], [[1.0]])
    series = choose_series(lake.snapshot(), DetectionSettings(), START)
    later = TimeRange(START + timedelta(hours=5), START + timedelta(hours=6))
    panel = read_panel(lake.snapshot(), series, later, MINUTE)
    assert (panel.n_series, panel.n_times) == (0, 60)


def test_no_series_is_an_empty_panel(lake, fill):
    fill(lake, [{"__name__": "temperature"}], [[at(0)]], [[1.0]])
    panel = read_panel(lake.snapshot(), [], TimeRange(START, START + MINUTE), MINUTE)
    assert (panel.n_series, panel.n_times) == (0, 1)


def test_only_the_given_series_by_ascending_id(lake, fill):
    names = [{"__name__": "temperature", "room": room} for room in "abcdef"]
    fill(lake, names, [[at(0)]] * 6, [[float(i)] for i in range(6)])
    series = choose_series(lake.snapshot(), DetectionSettings(), START)
    assert len(series) == 6
    wanted = [series[4], series[1]]
    panel = read_panel(lake.snapshot(), wanted, TimeRange(START, START + MINUTE), MINUTE)
    assert panel.series_id.tolist() == sorted(one.series_id for one in wanted)
    held = lake.sql("SELECT series_id, value FROM samples").to_pylist()
    value = {row["series_id"]: row["value"] for row in held}
    assert panel.values[:, 0].tolist() == [value[i] for i in panel.series_id.tolist()]


CHOICES = {
    "all but self-descriptions": ({}, {}, {"up", "http_total"}),
    "include is a whole name": ({"include": "u"}, {}, set()),
    "include": ({"include": "u.*"}, {}, {"up"}),
    "exclude": ({"exclude": "up|.*_(info|bucket)|go_.*"}, {}, {"http_total"}),
    "a cluster": ({}, {"clusters": ["c1"]}, {"up", "http_total"}),
    "another cluster": ({}, {"clusters": ["c2"]}, set()),
    "but not a cluster": ({}, {"but_not": ["c1"]}, set()),
}


@pytest.mark.parametrize(("settings", "given", "expected"), CHOICES.values(), ids=CHOICES)
def test_which_series_are_chosen(lake, fill, settings, given, expected):
    names = ["up", "http_total", "go_threads", "kube_pod_info", "http_seconds_bucket"]
    fill(lake, [{"__name__": name} for name in names], [[at(0)]] * 5, [[1.0]] * 5)
    series = choose_series(lake.snapshot(), DetectionSettings(**settings), START, **given)
    assert {one.metric for one in series} == expected


def test_series_that_ended_before_are_left_out(lake, fill):
    old = at(0) - 3 * 86_400_000
    fill(lake, [{"__name__": "old"}, {"__name__": "new"}], [[old], [at(0)]], [[1.0], [1.0]])
    series = choose_series(lake.snapshot(), DetectionSettings(), START)
    assert [one.metric for one in series] == ["new"]


def test_kind_and_entity_are_known(lake, fill):
    labels = {"__name__": "http_total", "namespace": "shop", "pod": "cart-0", "node": "n1"}
    fill(lake, [labels], [[at(0)]], [[1.0]])
    (one,) = choose_series(lake.snapshot(), DetectionSettings(), START)
    assert (one.cluster, one.counter) == ("c1", True)
    assert one.entity["workload"] == "cart"
    assert one.entity["service"] is None


@pytest.mark.parametrize(
    ("moment", "step", "expected"),
    [
        (START, MINUTE, START),
        (START + timedelta(seconds=59.9), MINUTE, START),
        (START + timedelta(seconds=61), MINUTE, START + MINUTE),
        (START + timedelta(minutes=13), timedelta(minutes=5), START + timedelta(minutes=10)),
        (
            datetime(1969, 12, 31, 23, 59, 30, tzinfo=UTC),
            MINUTE,
            datetime(1969, 12, 31, 23, 59, tzinfo=UTC),
        ),
    ],
)
def test_align(moment, step, expected):
    assert align(moment, step) == expected
