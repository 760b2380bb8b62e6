"""Weeks in a lake: what is usual at this hour is not told, and what never is at this hour is."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lake import Lake, TimeRange
from lake.rollups import roll_up
from orchestration.detection_settings import DetectionSettings
from orchestration.steps import season
from orchestration.steps.anomaly_rows import table, thing
from orchestration.steps.detect import detect_range
from orchestration.steps.panels import choose_series
from orchestration.steps.tick import Ticker

START = datetime(2026, 11, 2, tzinfo=UTC)  # a Monday
DAYS = 22
JOB_DAY = START + timedelta(days=21)  # the fourth Monday
NOW = START + timedelta(days=DAYS)
MINUTE = timedelta(minutes=1)
SETTINGS = DetectionSettings(delay=timedelta(0), false_alerts_a_day=1.0)
WITHOUT = SETTINGS.model_copy(update={"season": timedelta(0)})
NIGHT = (3 * 60, 4 * 60 + 30)


def history():
    """A counter of a job each Monday from 2:00 to 2:40, and traffic with noon's load one night."""
    rng = np.random.default_rng(1)
    minute = np.arange(DAYS * 1440)
    job = np.where((minute // 1440 % 7 == 0) & (minute % 1440 >= 120) & (minute % 1440 < 160), 9, 1)
    traffic = 100 - 80 * np.cos(2 * np.pi * minute / 1440)
    traffic = traffic * (1 + 0.02 * rng.standard_normal(minute.size))
    last = 21 * 1440
    traffic[last + NIGHT[0] : last + NIGHT[1]] = 150.0 + rng.standard_normal(NIGHT[1] - NIGHT[0])
    rate = job * (1 + 0.03 * rng.standard_normal(minute.size))
    return {"shop_rows_total": np.cumsum(60 * rate), "shop_sessions": traffic}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, fill):
    folder = tmp_path_factory.mktemp("weeks") / "lake"
    lake = Lake.open(folder)
    times = round(START.timestamp() * 1000) + 60_000 * np.arange(DAYS * 1440)
    series = history()
    fill(lake, [{"__name__": one} for one in series], [times] * 2, list(series.values()))
    return folder


@pytest.fixture
def weeks(folder, tmp_path):
    """A lake with the same samples, and anomalies of its own."""
    root = tmp_path / "weeks"
    root.mkdir()
    for each in folder.iterdir():
        if each.name != "anomalies":
            (root / each.name).symlink_to(each)
    return Lake.open(root)


def told(lake, settings):
    between = TimeRange(JOB_DAY, JOB_DAY + timedelta(hours=8))
    detect_range(lake, settings, between, now=NOW)
    found = 'SELECT metric, start, "end", expected, upper, actual FROM anomalies ORDER BY start'
    return lake.sql(found).to_pylist()


def minute_of_day(row):
    return (row["start"] - JOB_DAY) / MINUTE


def test_a_job_of_each_week_is_news_to_a_day_and_not_to_a_month(weeks):
    rows = [row for row in told(weeks, WITHOUT) if row["metric"] == "shop_rows_total"]
    assert [115 <= minute_of_day(row) <= 125 for row in rows] == [True]
    rows = [row for row in told(weeks, SETTINGS) if row["metric"] == "shop_rows_total"]
    assert rows == []


def test_noon_at_night_is_told_with_what_night_usually_holds(weeks):
    (row,) = [row for row in told(weeks, SETTINGS) if row["metric"] == "shop_sessions"]
    assert NIGHT[0] <= minute_of_day(row) <= NIGHT[0] + 30
    assert row["expected"] < row["upper"] < row["actual"]
    assert row["expected"] < 100.0


def test_rollups_and_samples_give_one_season(folder, tmp_path, weeks):
    copy = Lake.open(folder)
    series = choose_series(copy.snapshot(), SETTINGS, JOB_DAY)
    (chosen,) = SETTINGS.detectors
    things = {
        one.series_id: thing(
            {"cluster": "c1", "detector": "window_memory", "series_id": one.series_id}
        )
        for one in series
    }

    def learned():
        return season.fit_block(
            copy.snapshot(), series, things, chosen, SETTINGS, JOB_DAY, 1e-5
        ).season

    of_samples = learned()
    roll_up(copy, NOW)
    of_rollups = learned()
    assert of_rollups.series_id.tolist() == of_samples.series_id.tolist()
    assert len(of_samples.series_id) == 2
    np.testing.assert_allclose(of_rollups.profile, of_samples.profile, atol=1e-3)


def test_ticks_and_one_pass_tell_the_same(weeks):
    rows = told(weeks, SETTINGS)
    weeks.anomalies.replace(table([]), "date >= '2026-01-01'")
    ticker = Ticker(weeks, SETTINGS.model_copy(update={"refit_every": timedelta(days=2)}))
    # The first tick fits on what was before its reach: as the pass does, before the day.
    reach = (SETTINGS.min_length + SETTINGS.merge_gap) * MINUTE
    moment = JOB_DAY + reach
    while moment <= JOB_DAY + timedelta(hours=8):
        ticker.tick(moment)
        moment += 13 * MINUTE
    ticked = weeks.sql("SELECT metric, start FROM anomalies ORDER BY start").to_pylist()
    assert [(row["metric"], row["start"]) for row in ticked] == [
        (row["metric"], row["start"]) for row in rows
    ]


def test_a_young_lake_has_no_season_and_asks_for_none(lake, fill, monkeypatch):
    times = round(START.timestamp() * 1000) + 60_000 * np.arange(2 * 1440)
    fill(lake, [{"__name__": "shop_sessions"}], [times], [np.arange(2.0 * 1440)])
    monkeypatch.setattr(season, "_read", None)
    series = choose_series(lake.snapshot(), SETTINGS, START)
    (chosen,) = SETTINGS.detectors
    until = START + timedelta(days=2)
    assert season.fit_block(lake.snapshot(), series, {}, chosen, SETTINGS, until, 1e-5) is None


def test_nothing_after_the_fit_is_used(weeks):
    """The same season, whether or not what follows is in the lake."""
    series = choose_series(weeks.snapshot(), SETTINGS, JOB_DAY)
    (chosen,) = SETTINGS.detectors
    things = {one.series_id: ("c1", "window_memory", one.series_id) for one in series}
    until = START + timedelta(days=15, minutes=20)
    found = season.fit_block(weeks.snapshot(), series, things, chosen, SETTINGS, until, 1e-5).season
    (job,) = [one.series_id for one in series if one.counter]
    row = found.rows_of(np.array([job]))[0]
    hours = found.of_week()[row, 2]
    monday_two = (JOB_DAY - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(hours=1) % 168 + 2
    # Three Mondays were there by then, and the hour in which it was fitted counts for nothing.
    assert hours[monday_two] == pytest.approx(9.0, rel=0.1)
    assert hours[(monday_two + 24) % 168] < 1.5
