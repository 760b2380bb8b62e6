from datetime import UTC, datetime, timedelta

import pytest

from lake import Lake, TimeRange
from orchestration.detection_settings import DetectorSettings
from orchestration.errors import BacktestError, SettingsError
from orchestration.steps.backtest import closings, replay
from orchestration.steps.tick import Ticker

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
BETWEEN = TimeRange(START, START + timedelta(minutes=60))
BY_NODE = DetectorSettings(name="entity_memory", by="node")


@pytest.fixture(scope="module")
def settings(detection):
    """Two detectors, that share a budget so small that both are held to it."""
    changed = {
        "refit_every": timedelta(minutes=30),
        "detectors": (*detection.detectors, BY_NODE),
        "false_alerts_a_day": 0.5,
    }
    return detection.model_copy(update=changed)


@pytest.fixture(scope="module")
def replayed(filled_folder, settings):
    lake = Lake.open(filled_folder)
    before = {name: table.version() for name, table in lake.tables.items()}
    told = []
    found = replay(lake, settings, settings.detectors, BETWEEN, progress=told.append)
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
    assert {row["detector"] for row in live} == {one.detector for one in replayed}
    rows = sorted(
        (row for one in replayed for row in one.rows),
        key=lambda row: (row["start"], row["anomaly_id"]),
    )
    assert [row | {"end": None} for row in rows] == [row | {"end": None} for row in live]
    later = [one["end"] - two["end"] for one, two in zip(rows, live, strict=True)]
    assert all(timedelta(0) <= one <= timedelta(minutes=30) for one in later)
    assert sum(one > timedelta(0) for one in later) <= 1


def test_tells_what_it_cost_and_how_many(replayed):
    series, entities = replayed
    assert (series.detector, entities.detector) == ("window_memory", "entity_memory by node")
    assert series.alerts_a_day == len(series.rows) * 24
    assert series.cpu_seconds > 0
    assert min(series.series, entities.series) > 100
    assert series.reason is None
    assert {row["detector"] for row in entities.rows} <= {"entity_memory by node"}


def test_each_detector_is_alone(filled, settings, replayed):
    """What another has flagged is none of its business."""
    (alone,) = replay(filled, settings, [BY_NODE], BETWEEN)
    assert list(alone.rows) == list(replayed[1].rows)


def test_what_was_flagged_before_is_not_learned(filled, filled_folder, settings):
    """The lake's own anomalies stand in for the live detection that came before the range."""
    chosen = settings.detectors[:1]
    after = TimeRange(BETWEEN.end, BETWEEN.end + timedelta(hours=1))
    (untold,) = replay(filled, settings, chosen, after)
    ticker = Ticker(filled, settings)
    for moment in closings(BETWEEN, settings):
        ticker.tick(moment + settings.delay)
    (told,) = replay(filled, settings, chosen, after)
    versions = [{row["model_version"] for row in one.rows} for one in (told, untold)]
    assert all(versions)
    assert not versions[0] & versions[1]


def test_begins_where_there_is_history_enough(filled, settings):
    since = START - timedelta(days=9)
    (found,) = replay(filled, settings, settings.detectors[:1], TimeRange(since, BETWEEN.end))
    first = datetime(2026, 11, 22, 19, tzinfo=UTC)
    assert first + settings.least_history < found.between.start < START
    assert found.between.end == BETWEEN.end
    assert found.series > 100


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
    told = []
    with pytest.raises(SettingsError, match="by: pod"):
        replay(filled, settings, [BY_NODE, wrong], BETWEEN, progress=told.append)
    assert not told, "before any is replayed"


def test_ticks_just_before_a_refit(settings):
    moments = closings(BETWEEN, settings)
    assert moments == sorted(set(moments))
    refit = START + timedelta(minutes=30)
    assert {refit - settings.step, refit} <= set(moments)
    assert moments[-1] == BETWEEN.end
