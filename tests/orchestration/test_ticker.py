"""The minute tick: the history of a night, fed ten minutes at a time under a clock of our own."""

import itertools
import shutil
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lake import CommitKey, Lake, TimeRange
from orchestration.detection_settings import DetectorSettings
from orchestration.family_settings import FamilySettings
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
    """A lake that is fed and scored step by step; `states` is what a reader saw after each.

    It begins with an empty lake, or with one of which that was done before, up to `since`.
    """

    def __init__(self, lake, history, settings, since=None):
        self.lake, self.history, self.settings = lake, history, settings
        if since is None:
            history.put(lake, end=START)
        self.now = since or START
        self.states = []
        self.restart()

    def restart(self):
        self.ticker = Ticker(self.lake, self.settings)

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


HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def night(tmp_path_factory, history, settings):
    """The whole night, with copies of the lake as it was after one hour and after two."""
    folder = tmp_path_factory.mktemp("night")
    night = Night(Lake.open(folder / "lake"), history, settings)
    night.copies = {}
    for hours in (1, 2):
        night.run(START + hours * HOUR)
        night.copies[hours] = shutil.copytree(folder / "lake", folder / f"after {hours} h")
    night.run(history.simulation.end)
    return night


@pytest.fixture
def hours_on(tmp_path, night):
    """A night of its own that goes on from a copy, as after a restart."""

    def make(hours):
        lake = Lake.open(shutil.copytree(night.copies[hours], tmp_path / "lake"))
        return Night(lake, night.history, night.settings, START + hours * HOUR)

    return make


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
    lie_apart(night.states[-1], settings)


def lie_apart(state, settings):
    of_series = defaultdict(list)
    for row in state.values():
        of_series[row["series_id"]].append((row["start"], row["end"]))
    for spans in of_series.values():
        spans.sort()
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert start > end + settings.merge_gap * settings.step


def test_what_did_not_change_is_not_written_again(night):
    rows = stored(night.lake)
    written = [(r["anomaly_id"], r["end"], r["score"], r["state"]) for r in rows]
    assert len(written) == len(set(written))


def test_ticks_find_what_a_whole_scoring_finds(tmp_path, filled, settings, history):
    # Of two models one finds a deviation just large enough to count, the other just not: here the
    # smallest counts.
    every = FamilySettings(metrics=".*", direction="both", least_absolute=0.0, least_relative=0.0)
    settings = settings.model_copy(update={"families": (every,)})
    night = Night(Lake.open(tmp_path / "lake"), history, settings)
    end = history.simulation.end
    night.run(end)
    detect_range(filled, settings, TimeRange(START, end), now=end)
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


def test_a_finder_that_raises_costs_its_own_findings_alone(hours_on):
    class Broken:
        detectors = ("event_rate", "event_first")

        def find(self, look):
            raise ValueError("a line that nobody thought of")

    night = hours_on(2)
    before = seen(night.lake)
    night.ticker._finders = [Broken()]
    night.history.put(night.lake, night.now, night.now + BEAT)
    done = night.tick()
    assert done.failed == {"event_rate": 1, "event_first": 1}
    assert "nobody thought of" in done.failures[0].why
    assert done.reason is None
    assert seen(night.lake) != before


def test_a_restart_loses_and_doubles_nothing(hours_on, settings):
    night = hours_on(2)
    held = seen(night.lake)
    assert any(row["state"] == "interim" for row in held.values())
    night.run(night.now + timedelta(minutes=40))
    after = seen(night.lake)
    assert held.keys() <= after.keys()
    for key, row in held.items():
        assert after[key]["start"] == row["start"]
        assert after[key]["end"] >= row["end"]
    lie_apart(seen(night.lake), settings)


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


def ends(lake):
    return sorted((row["series_id"], row["start"], row["end"]) for row in seen(lake).values())


def test_what_was_missed_is_scored_after_a_restart(hours_on, history, settings):
    night = hours_on(1)
    before = seen(night.lake)
    down_to = night.now + timedelta(hours=3)
    history.put(night.lake, night.now, down_to)
    night.restart()
    scored = []
    while night.ticker.due(down_to + DELAY):
        scored.append(night.ticker.tick(down_to + DELAY).scored)
    # An hour at a time, each overlapping the one before by what an interval needs to go on.
    assert [one.end for one in scored] == [night.now + hours * HOUR for hours in (1, 2, 3)]
    missed = [row for row in seen(night.lake).values() if night.now < row["start"] < down_to - HOUR]
    assert missed
    assert before.keys() <= seen(night.lake).keys()
    lie_apart(seen(night.lake), settings)
    known = ends(night.lake)
    assert Ticker(night.lake, settings).tick(down_to + DELAY).scored is not None
    assert ends(night.lake) == known


def test_no_more_than_the_history_is_caught_up(tmp_path, history, settings):
    night = Night(Lake.open(tmp_path / "lake"), history, settings)
    night.run(START + 2 * BEAT)
    history.put(night.lake, night.now)
    late = night.now + timedelta(days=9)
    ticker = Ticker(night.lake, settings)
    done = ticker.tick(late + DELAY)
    assert done.scored.end == late - settings.history + HOUR


def test_a_time_to_come_that_was_remembered_is_no_hindrance(tmp_path, history, settings):
    lake = Lake.open(tmp_path / "lake")
    history.put(lake)
    ahead = history.simulation.end + timedelta(days=3)
    key = CommitKey("ticker", round(ahead.timestamp()))
    lake.anomalies.append(lake.anomalies.spec.schema.empty_table(), key)
    now = history.simulation.end
    assert Ticker(lake, settings).tick(now + DELAY).scored.end == now
    assert stored(lake)


def test_how_far_was_scored_is_kept_with_rows_or_now_and_then(lake, history, settings):
    quiet = settings.model_copy(update={"include": "no_such_metric"})
    history.put(lake)
    ticker = Ticker(lake, quiet)
    versions = []
    for minutes in range(31):
        ticker.tick(START + timedelta(minutes=minutes) + DELAY)
        versions.append(lake.anomalies.version())
    assert versions[-1] - versions[0] == 2
    assert lake.anomalies.committed_position("ticker") == round(START.timestamp()) + 1800


def grows_up(fill, lake, settings):
    """Two series of one pod, the second from four hours on, both odd near ten hours."""
    rng = np.random.default_rng(3)
    for name, since in (("old", 0), ("new", 240)):
        minutes = np.arange(since, 600)
        values = 10 + 0.2 * rng.normal(size=minutes.size) + 9.0 * (minutes >= 585)
        times = round((START - 10 * HOUR).timestamp() * 1000) + minutes * 60_000
        fill(lake, [{"__name__": name, "pod": "p"}], [times], [values])
    ticker = Ticker(lake, settings.model_copy(update={"include": ".*", "refit_every": 9 * HOUR}))
    scored = [
        ticker.tick(START - 10 * HOUR + timedelta(minutes=minutes)).series
        for minutes in range(460, 610, 10)
    ]
    return ticker, scored


def test_a_series_that_comes_of_age_is_scored_before_the_next_refit(lake, fill, settings):
    _, scored = grows_up(fill, lake, settings)
    assert (scored[0], scored[-1]) == (1, 2)
    assert len({row["metric"] for row in seen(lake).values()}) == 2


def test_an_entity_is_fitted_again_when_a_series_of_it_comes_of_age(lake, fill, settings):
    by_pod = (DetectorSettings(name="entity_memory", by="pod"),)
    ticker, _ = grows_up(fill, lake, settings.model_copy(update={"detectors": by_pod}))
    ((_, block),) = ticker._roster._models
    assert len(block) == 1
    (row,) = seen(lake).values()
    assert row["pod"] == "p"
