"""A costly detector looks at what a cheap one finds suspicious, tick by tick or at once."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from detectors import Panel, Scores
from lake import TimeRange
from orchestration.detection_settings import Candidates, DetectionSettings, DetectorSettings
from orchestration.steps import scoring, second_look
from orchestration.steps.backtest import replay
from orchestration.steps.candidates import Model, Screen
from orchestration.steps.detect import detect_range
from orchestration.steps.panels import SeriesInfo
from orchestration.steps.tick import Ticker

START = datetime(2026, 11, 23, tzinfo=UTC)
HOURS = 6
MINUTE = timedelta(minutes=1)
NAME = "pyod.ECOD after window_memory"
COSTLY = DetectorSettings(name="pyod.ECOD", candidates=Candidates(of="window_memory", share=0.01))
CHEAP = DetectorSettings(name="window_memory", parameters={"lengths": [2]})


@pytest.fixture
def settings():
    return DetectionSettings(
        detectors=(COSTLY, CHEAP),
        delay=timedelta(0),
        history=timedelta(hours=4),
        least_history=timedelta(hours=3),
        refit_every=timedelta(hours=12),
        merge_gap=5,
        include="m",
    )


@pytest.fixture
def pods(lake, fill):
    """Forty series; the faults of two lie in the last hour."""
    rng = np.random.default_rng(0)
    minutes = np.arange(HOURS * 60)
    values = rng.normal(100.0, 5.0, (40, minutes.size))
    values[7, 310:325] += 200.0
    values[21, 314:329] -= 90.0
    times = round(START.timestamp() * 1000) + minutes * 60_000
    fill(lake, [{"__name__": "m", "pod": f"p{i}"} for i in range(40)], [times] * 40, values)
    return lake


def found(lake):
    columns = 'pod, start, "end", score, p_value, detector, model_version, actual'
    rows = lake.sql(f"SELECT {columns} FROM anomalies ORDER BY ALL").to_pylist()
    return [row for row in rows if row["detector"] == NAME]


def test_only_candidates_are_fitted_and_scored(pods, settings, monkeypatch):
    fitted, scored = [], []
    fit, score = second_look.fit, scoring.scored_parts

    def fit_spy(snapshot, block, *rest):
        fitted.extend(one.series_id for group in block for one in group.series)
        return fit(snapshot, block, *rest)

    def score_spy(detector, panel, newest, failures, name, subject):
        if name == NAME:
            scored.append(panel.n_series)
        return score(detector, panel, newest, failures, name, subject)

    monkeypatch.setattr(second_look, "fit", fit_spy)
    monkeypatch.setattr(scoring, "scored_parts", score_spy)
    ticker = Ticker(pods, settings)
    for minute in range(300, 361, 5):
        ticker.tick(START + minute * MINUTE)
    assert {row["pod"] for row in found(pods)} == {"p7", "p21"}
    assert 2 <= len(set(fitted)) < 30
    assert len(fitted) == len(set(fitted))
    assert max(scored) < 15


def test_ticks_find_what_one_pass_finds(pods, settings, tmp_path):
    begin, end = START + 300 * MINUTE, START + 345 * MINUTE
    ticker = Ticker(pods, settings)
    # The models are fitted at the first tick, on what was before its range.
    reach = (settings.min_length + settings.merge_gap) * settings.step
    for minute in range(300, 346):
        ticker.tick(START + minute * MINUTE)
    live = found(pods)
    detect_range(pods, settings, TimeRange(begin - reach, end), now=end + timedelta(hours=1))
    assert found(pods) == live
    assert len(live) == 2


def test_the_threshold_stands_as_if_everything_were_scored(pods, settings):
    """Screening takes alarms away and adds none: every interval lies within one without it."""
    between = TimeRange(START + 300 * MINUTE, START + 360 * MINUTE)
    detect_range(pods, settings, between, now=between.end + timedelta(hours=1))
    screened = found(pods)
    plain = settings.model_copy(
        update={"detectors": (COSTLY.model_copy(update={"candidates": None}), CHEAP)}
    )
    detect_range(pods, plain, between, now=between.end + timedelta(hours=1))
    rows = pods.sql("SELECT * FROM anomalies WHERE detector = 'pyod.ECOD'").to_pylist()
    whole = {row["pod"]: row for row in rows}
    for row in screened:
        wide = whole[row["pod"]]
        assert wide["start"] <= row["start"]
        assert row["end"] <= wide["end"]
        assert row["score"] == wide["score"]


def test_a_backtest_brings_the_screen_along(pods, settings):
    between = TimeRange(START + 300 * MINUTE, START + 360 * MINUTE)
    (one,) = replay(pods, settings.model_copy(update={"detectors": (CHEAP,)}), [COSTLY], between)
    assert one.detector == NAME
    assert {row["pod"] for row in one.rows} == {"p7", "p21"}
    assert {row["detector"] for row in one.rows} == {NAME}


def test_columns_before_a_suspicious_one_are_not_looked_at():
    """What is a candidate is known at its column: later ones change nothing."""
    screen = Screen(Candidates(of="x", share=0.01, hold=2))
    p = np.full((2, 8), 0.5, np.float32)
    p[0, 3] = 0.01
    p[1, 7] = np.nan
    panel = Panel(np.ones((2, 8)), 0, 60_000_000, [1, 2])
    info = {one: SeriesInfo(one, "c", "m", False, {}) for one in (1, 2)}
    screen.note(panel, Scores(1 - p, p), info, Model(None, "v", START, None, 5))
    assert list(screen.candidates) == [1]
    seen = screen.within(panel, Scores(1 - p, p))
    assert np.flatnonzero(np.isfinite(seen.score[0])).tolist() == [3, 4, 5]
    assert np.isnan(seen.score[1]).all()
    late = panel.window(4 * 60_000_000, panel.end)
    assert np.isfinite(screen.within(late, Scores(p[:, 4:], p[:, 4:])).p_value[0]).tolist() == [
        True, True, False, False,
    ]  # fmt: skip


REFUSED = {
    "no such screen": ({"candidates": {"of": "online_level"}}, "must be one of the detectors"),
    "its own screen": ({"candidates": {"of": "pyod.KNN"}}, "must be one of the detectors"),
    "of entities": ({"by": "pod", "candidates": {"of": "window_memory"}}, "single series"),
    "pooled": (
        {"name": "pooled.KNN", "candidates": {"of": "window_memory"}},
        "a whole family of series",
    ),
    "share of all": ({"candidates": {"of": "window_memory", "share": 0.5}}, "less than or equal"),
    "nothing": ({"candidates": {}}, "of"),
}


@pytest.mark.parametrize(("given", "why"), REFUSED.values(), ids=REFUSED)
def test_refused(given, why):
    with pytest.raises(ValidationError, match=why):
        DetectionSettings.model_validate(
            {"detectors": [{"name": "window_memory"}, {"name": "pyod.KNN"} | given]}
        )


def test_one_detector_may_look_at_everything_and_at_candidates():
    DetectionSettings(detectors=(CHEAP, COSTLY, COSTLY.model_copy(update={"candidates": None})))
    with pytest.raises(ValidationError, match="would mix"):
        DetectionSettings(detectors=(CHEAP, COSTLY, COSTLY))
