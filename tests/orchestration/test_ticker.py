"""The minute tick: the history of a night, fed ten minutes at a time under a clock of our own."""

import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from lake import Lake, TimeRange
from orchestration.steps.detect import detect_range
from orchestration.steps.tick import Ticker

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
BEAT = timedelta(minutes=10)
DELAY = timedelta(seconds=30)


def stored(lake):
    """Every row as it lies in the table."""
    connection = lake.snapshot().connect()
    return connection.sql("SELECT * FROM stored.anomalies").to_arrow_table().to_pylist()


def seen(lake):
    """What a reader sees, by id."""
    rows = lake.sql("SELECT * FROM anomalies").to_pylist()
    assert len({row["anomaly_id"] for row in rows}) == len(rows)
    return {row["anomaly_id"]: row for row in rows}


class Night:
    """A lake that is fed and scored step by step; `states` is what a reader saw after each."""

    def __init__(self, lake, history, settings, but_not=()):
        self.lake, self.history, self.settings, self.but_not = lake, history, settings, but_not
        history.put(lake, end=START)
        self.now = START
        self.states = []
        self.restart()

    def restart(self):
        self.ticker = Ticker(self.lake, self.settings, self.but_not)

    def run(self, until):
        while self.now < until:
            self.history.put(self.lake, self.now, self.now + BEAT)
            self.tick()

    def tick(self):
        self.now += BEAT
        done = self.ticker.tick(self.now + DELAY)
        self.states.append(seen(self.lake))
        return done


@pytest.fixture(scope="module")
def settings(detection):
    return detection.model_copy(
        update={"include": "up|kubelet_volume_stats_used_bytes|node_load1|opa_decisions_total"}
    )


@pytest.fixture(scope="module")
def night(tmp_path_factory, history, settings):
    night = Night(Lake.open(tmp_path_factory.mktemp("night") / "lake"), history, settings)
    night.run(history.simulation.end)
    return night


def test_an_interval_keeps_its_id_and_start_while_it_grows(night):
    by_id = defaultdict(list)
    for state in night.states:
        for key, row in state.items():
            by_id[key].append(row)
    assert by_id
    grown = 0
    for rows in by_id.values():
        assert len({(row["start"], row["series_id"], row["detector"]) for row in rows}) == 1
        for before, after in itertools.pairwise(rows):
            assert after["end"] >= before["end"]
            assert after["score"] >= before["score"]
            assert after["lake_version"] >= before["lake_version"]
        grown += rows[-1]["end"] > rows[0]["end"]
    assert grown >= 4


def test_what_was_seen_once_stays(night):
    for before, after in zip(night.states, night.states[1:], strict=False):
        assert before.keys() <= after.keys()


def test_an_interval_becomes_final_and_stays_so(night, settings):
    gap = settings.merge_gap * settings.step
    finals = set()
    for number, state in enumerate(night.states, start=1):
        now = START + number * BEAT
        for row in state.values():
            assert (row["state"] == "final") == (row["end"] + gap < now), (row, now)
        assert finals <= {key for key, row in state.items() if row["state"] == "final"}
        finals |= {key for key, row in state.items() if row["state"] == "final"}
    assert finals
    last = night.states[-1].values()
    assert {row["state"] for row in last} == {"interim", "final"}


def test_intervals_of_one_series_lie_apart(night, settings):
    of_series = defaultdict(list)
    for row in night.states[-1].values():
        of_series[row["series_id"]].append((row["start"], row["end"]))
    for spans in of_series.values():
        spans.sort()
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert start > end + settings.merge_gap * settings.step


def test_what_did_not_change_is_not_written_again(night):
    rows = stored(night.lake)
    written = [(r["anomaly_id"], r["end"], r["score"], r["state"]) for r in rows]
    assert len(written) == len(set(written))


def test_ticks_find_what_a_whole_scoring_finds(night, filled, settings, history):
    end = history.simulation.end
    between = TimeRange(START, end)
    detect_range(filled, settings, between, now=end)
    whole = seen(filled).values()
    ticked = night.states[-1].values()

    def overlap(one, other):
        own = one["series_id"] == other["series_id"]
        return own and other["start"] < one["end"] and one["start"] < other["end"]

    # Models differ, the ticker's learned from a history half an hour older: what one finds twice
    # over the threshold, the other finds.
    for ones, others in ((whole, ticked), (ticked, whole)):
        clear = [one for one in ones if one["score"] >= 2.0]
        assert len(clear) >= 3
        assert [one for one in clear if not any(overlap(one, other) for other in others)] == []


def test_a_restart_loses_and_doubles_nothing(tmp_path, history, settings):
    before = START + timedelta(hours=2)
    night = Night(Lake.open(tmp_path / "lake"), history, settings)
    night.run(before)
    held = seen(night.lake)
    assert any(row["state"] == "interim" for row in held.values())
    night.restart()
    night.run(before + timedelta(minutes=40))
    after = seen(night.lake)
    assert held.keys() <= after.keys()
    for key, row in held.items():
        assert after[key]["start"] == row["start"]
        assert after[key]["end"] >= row["end"]
    test_intervals_of_one_series_lie_apart(night, settings)


def test_without_a_new_column_nothing_is_done(tmp_path, history, settings):
    lake = Lake.open(tmp_path / "lake")
    history.put(lake)
    ticker = Ticker(lake, settings)
    now = history.simulation.end
    assert ticker.tick(now).scored is not None
    version, rows = lake.anomalies.version(), stored(lake)
    again = ticker.tick(now + timedelta(seconds=20))
    assert again.scored is None
    assert again.reason == "no column has closed since the last tick"
    assert ticker.tick(now - timedelta(hours=1)).scored is None
    assert (lake.anomalies.version(), stored(lake)) == (version, rows)


def test_columns_wait_for_late_samples(tmp_path, history, settings):
    lake = Lake.open(tmp_path / "lake")
    history.put(lake)
    now = history.simulation.end
    minute = timedelta(minutes=1)
    assert Ticker(lake, settings).tick(now + timedelta(seconds=29)).scored.end == now - minute
    assert Ticker(lake, settings).tick(now + timedelta(seconds=30)).scored.end == now


def test_pulled_clusters_are_the_schedules(tmp_path, history, settings):
    now = START + timedelta(hours=4)
    lake = Lake.open(tmp_path / "lake")
    history.put(lake, end=now)
    everything = Ticker(lake, settings).tick(now)
    clusters = {row["cluster"] for row in stored(lake)}
    assert "eu-1" in clusters
    lake = Lake.open(tmp_path / "other")
    history.put(lake, end=now)
    done = Ticker(lake, settings, ["eu-1"]).tick(now)
    assert 0 < done.series < everything.series
    assert {row["cluster"] for row in stored(lake)} == clusters - {"eu-1"}


def test_an_open_interval_ends_when_its_series_falls_silent(tmp_path, history, settings, fill):
    night = Night(Lake.open(tmp_path / "lake"), history, settings)
    night.run(START + timedelta(hours=1))
    assert any(row["state"] == "interim" for row in seen(night.lake).values())
    for _ in range(4):
        # Something else still reports.
        fill(night.lake, [{"__name__": "else"}], [[round(night.now.timestamp() * 1000)]], [[1.0]])
        night.tick()
    assert {row["state"] for row in seen(night.lake).values()} == {"final"}
    version = night.lake.anomalies.version()
    night.tick()
    assert night.lake.anomalies.version() == version


def test_a_young_lake_is_warming_up_and_an_empty_one_too(lake, history, settings):
    now = history.simulation.start + timedelta(hours=2)
    assert Ticker(lake, settings).tick(now).reason == "the lake holds no samples yet"
    history.put(lake, end=now)
    assert Ticker(lake, settings).tick(now).reason.startswith("warming up")
    assert stored(lake) == []
