from datetime import UTC, datetime, timedelta

import pytest

from lake import Lake, TimeRange
from orchestration.errors import BacktestError, SettingsError
from orchestration.settings import DetectorSettings
from orchestration.steps.backtest import closings, replay
from orchestration.steps.tick import Ticker

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
BETWEEN = TimeRange(START, START + timedelta(minutes=90))
BY_NODE = DetectorSettings(name="entity_memory", by="node")


@pytest.fixture(scope="module")
def settings(detection):
    return detection.model_copy(update={"refit_every": timedelta(minutes=45)})


@pytest.fixture(scope="module")
def replayed(filled_folder, settings):
    lake = Lake.open(filled_folder)
    before = {name: table.version() for name, table in lake.tables.items()}
    told = []
    chosen = [settings.detectors[0], BY_NODE]
    found = replay(lake, settings, chosen, BETWEEN, progress=told.append)
    assert {name: table.version() for name, table in lake.tables.items()} == before
    assert told == sorted(told)
    assert told[-1] == 1.0
    return found


def test_finds_what_a_ticker_finds_minute_by_minute(filled, settings, replayed):
    """The live way: a tick each minute. Rows are equal in every column, models' names too.

    All but ends: live, one that hovers just below the threshold may end some minutes before.
    """
    ticker = Ticker(filled, settings)
    now = START + settings.delay
    while now <= BETWEEN.end + settings.delay:
        ticker.tick(now)
        now += settings.step
    query = 'SELECT * EXCLUDE (date) FROM anomalies WHERE "end" > $since ORDER BY start, anomaly_id'
    live = filled.sql(query, {"since": START}).to_pylist()
    assert len(live) > 5
    rows = replayed[0].rows
    assert [row | {"end": None} for row in rows] == [row | {"end": None} for row in live]
    later = [one["end"] - two["end"] for one, two in zip(rows, live, strict=True)]
    assert all(timedelta(0) <= one <= timedelta(minutes=30) for one in later)
    assert sum(one > timedelta(0) for one in later) <= 1


def test_tells_what_it_cost_and_how_many(replayed):
    series, entities = replayed
    assert (series.detector, entities.detector) == ("window_memory", "entity_memory by node")
    assert series.alerts_a_day == len(series.rows) * 16
    assert series.cpu_seconds > 0
    assert min(series.series, entities.series) > 100
    assert series.reason is None
    assert {row["detector"] for row in entities.rows} <= {"entity_memory by node"}


def test_each_detector_is_alone(filled, settings, replayed):
    """What another has flagged is none of its business."""
    (alone,) = replay(filled, settings, [BY_NODE], BETWEEN)
    assert list(alone.rows) == list(replayed[1].rows)


def test_says_why_nothing_could_be_scored(filled, settings):
    early = TimeRange(START - timedelta(hours=8), START - timedelta(hours=7))
    (found,) = replay(filled, settings, [settings.detectors[0]], early)
    assert (found.series, list(found.rows)) == (0, [])
    assert "warming up" in found.reason or "no samples" in found.reason


def test_refuses(filled, settings):
    nothing = TimeRange(START, START + timedelta(seconds=20))
    with pytest.raises(BacktestError, match="no column"):
        replay(filled, settings, [BY_NODE], nothing)
    wrong = DetectorSettings(name="entity_memory")
    with pytest.raises(SettingsError, match="by: pod"):
        replay(filled, settings, [wrong], BETWEEN)


def test_ticks_just_before_a_refit(settings):
    moments = closings(BETWEEN, settings)
    assert moments == sorted(set(moments))
    refit = START + timedelta(minutes=45)
    assert {refit - settings.step, refit} <= set(moments)
    assert moments[-1] == BETWEEN.end
