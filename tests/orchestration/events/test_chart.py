"""An anomaly of events has a chart."""

import numpy as np
import pytest

from api.pages import line_chart, rows
from orchestration.detection_settings import DetectionSettings
from orchestration.steps import explain
from tests.orchestration.events.conftest import at, of
from tests.orchestration.events.test_finder import burst, decisions, lines, tell_decisions
from tests.orchestration.events.test_ticks import happen

SETTINGS = DetectionSettings()


def chart_of(story, row):
    return explain.chart(story.lake, SETTINGS, row)


def test_a_burst_stands_out_of_its_band(told):
    told.tell(burst())
    (row,) = told.find(1500, 1800)
    chart = chart_of(told, row)
    assert chart.times[0] == row["start"] - explain.MARGIN
    inside = np.array([at(1600) <= moment < at(1620) for moment in chart.times])
    assert np.all(chart.actual[inside] > chart.upper[inside])
    assert chart.actual[inside].sum() >= 200
    assert np.mean(chart.actual[~inside] <= chart.upper[~inside]) > 0.98
    assert np.all(chart.lower <= chart.expected)
    text = rows.sentence(row)
    assert "expected 0.3" in text or "expected 0.2" in text
    options = line_chart.line_chart(chart, row, [])
    assert {one["name"] for one in options["series"]} >= {"actual", "expected", "normal range"}


def test_denials_have_shares(story, rng):
    tell_decisions(story, decisions(1800, 0.02, rng))
    tell_decisions(story, decisions(30, 0.9, rng, start=1700, rate=20.0))
    (row,) = story.find(1500, 1800)
    chart = chart_of(story, row)
    known = chart.actual[np.isfinite(chart.actual)]
    assert 0 <= known.min() <= known.max() <= 1
    assert known.max() > 0.5
    assert chart.expected[0] == pytest.approx(row["expected"])
    assert "%" in rows.sentence(row)


def test_news_and_lines_have_counts(told, rng):
    told.tell(lines(1800, rng))
    told.tell(list(happen(1560, 1610)))
    found = told.find(1500, 1800)
    news = of(found, "event_first", "events:kubernetes:FailedMount")
    of_log = of(found, "event_first", "events:log:disk <*> of the array has failed")
    for (row,) in (news, of_log):
        chart = chart_of(told, row)
        assert chart.actual.sum() == 30
        assert not chart.expected.any()


def test_what_is_gone_has_none(told):
    told.tell(burst())
    (row,) = told.find(1500, 1800)
    assert chart_of(told, row | {"series_id": 1}) is None
