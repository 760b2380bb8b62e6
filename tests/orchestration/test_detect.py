"""Detection on a lake: days that can be repeated, and the entity and PyOD detectors of settings."""

import shutil
from datetime import UTC, date, datetime, timedelta

import pytest

from detectors import DetectorsError
from lake import Lake, TimeRange
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.errors import SettingsError
from orchestration.steps import browse, demo, detect, models, paging, scoring
from orchestration.steps.detect import detect_day, detect_range
from orchestration.steps.groups import Group, blocks, groups
from orchestration.steps.panels import SeriesInfo, choose_series
from orchestration.steps.tick import Ticker

MINUTE = timedelta(minutes=1)


def stored(lake):
    """Every row as it lies in the table, the view's choice among versions of a row not made."""
    rows = lake.snapshot().connect().sql("SELECT * FROM stored.anomalies").to_arrow_table()
    return sorted(rows.to_pylist(), key=lambda row: (row["anomaly_id"], row["lake_version"]))


def narrowed(detection, **changes):
    return detection.model_copy(update=changes)


@pytest.fixture(scope="module")
def whole_day(filled_folder, detection, history, day, tmp_path_factory):
    """A lake in which the day has been scored once, and what that said. Not to be changed."""
    folder = tmp_path_factory.mktemp("scored") / "lake"
    shutil.copytree(filled_folder, folder)
    lake = Lake.open(folder)
    done = detect_day(lake, detection, day, now=history.simulation.end)
    return lake, done


def test_the_faults_are_found_where_they_are(whole_day, history):
    lake, done = whole_day
    report = demo.compare(lake, history.simulation, done.scored)
    found = {one.fault.kind for one in report.faults if one.found}
    # The rollout shows in metrics that this lake does not hold.
    assert found == {one.kind for one in history.simulation.faults} - {"bad_rollout"}
    metrics = {one.fault.kind: {row["metric"] for row in one.anomalies} for one in report.faults}
    assert "container_memory_working_set_bytes" in metrics["memory_leak"]
    assert metrics["exporter_stopped"] == {"up"}
    for one in report.faults:
        assert one.delay is None or one.delay < timedelta(minutes=30), one.fault.kind


def test_what_was_done_is_told(whole_day, history, detection):
    lake, done = whole_day
    end = history.simulation.end - MINUTE  # the last column waits for late samples
    assert done.scored == TimeRange(datetime(2026, 11, 23, tzinfo=UTC), end)
    assert done.reason is None
    assert done.anomalies == len(stored(lake)) > 0
    assert done.series == lake.sql("SELECT count(*) AS n FROM series")["n"][0].as_py()


def test_rows_say_what_happened(whole_day, history, day):
    lake, _ = whole_day
    for row in stored(lake):
        assert row["date"] == day == row["start"].date()
        assert row["start"] <= row["peak_time"] < row["end"] <= history.simulation.end
        assert row["score"] >= 1.0
        assert 0.0 <= row["p_value"] < 0.1
        assert row["direction"] == ("above" if row["actual"] >= row["expected"] else "below")
        assert row["lower"] <= row["expected"] <= row["upper"]
        assert row["detector"] == "window_memory"
        assert row["lake_version"] == lake.samples.version()
        # Half an hour without an abnormal column ends it; later ones may still grow.
        old = row["end"] < history.simulation.end - timedelta(minutes=30)
        assert row["state"] == ("final" if old else "interim")
    assert len({row["anomaly_id"] for row in stored(lake)}) == len(stored(lake))


def test_repeating_a_day_gives_the_same_rows_and_no_more(
    filled, whole_day, detection, history, day
):
    once = stored(whole_day[0])
    for _ in range(2):
        detect_day(filled, detection, day, now=history.simulation.end)
        assert stored(filled) == once


def test_a_day_without_anomalies_any_more_is_emptied(filled, detection, history, day):
    detect_day(filled, detection, day, now=history.simulation.end)
    assert stored(filled)
    nothing = narrowed(detection, include="no_such_metric")
    done = detect_day(filled, nothing, day, now=history.simulation.end)
    assert (done.series, done.anomalies) == (0, 0)
    assert stored(filled) == []


def test_clusters_and_times_not_asked_for_are_left_alone(filled, detection, history, day):
    now = history.simulation.end
    detect_day(filled, detection, day, now=now)
    before = stored(filled)
    late = TimeRange(now - timedelta(hours=2), now - MINUTE)
    # With nothing to score, what was asked for is emptied, and nothing else is.
    nothing = narrowed(detection, include="no_such_metric")
    detect_range(filled, nothing, late, now=now, clusters=["eu-1"])
    gone = [row for row in before if row["cluster"] == "eu-1" and row["start"] >= late.start]
    assert gone
    assert stored(filled) == [row for row in before if row not in gone]
    done = detect_day(filled, detection, day, now=now, clusters=["eu-1"])
    assert done.series < len({row["series_id"] for row in before}) + 100
    assert stored(filled) == before


def test_another_detectors_rows_are_left_alone(filled, detection, history, day):
    now = history.simulation.end
    other = narrowed(
        detection,
        include="opa_decisions_total",
        detectors=(DetectorSettings(name="pyod.ECOD"),),
    )
    detection = narrowed(detection, include="opa_decisions_total")
    detect_day(filled, other, day, now=now)
    of_other = stored(filled)
    detect_day(filled, detection, day, now=now)
    assert of_other
    assert [row for row in stored(filled) if row["detector"] == "pyod.ECOD"] == of_other


def test_a_cluster_with_a_quote_in_its_name(lake, fill, detection, history):
    fill(
        lake,
        [{"__name__": "up", "cluster": "it's"}],
        [[round(history.simulation.start.timestamp() * 1000)]],
        [[1.0]],
    )
    between = TimeRange(history.simulation.end - MINUTE, history.simulation.end)
    done = detect_range(lake, detection, between, now=between.end, clusters=["it's"])
    assert (done.series, done.anomalies) == (1, 0)


def test_a_young_lake_is_warming_up(filled, detection, history, day, lake):
    now = history.simulation.end
    strict = narrowed(detection, least_history=timedelta(hours=6), history=timedelta(hours=6))
    done = detect_day(filled, strict, day, now=now)
    assert (done.scored, done.anomalies) == (None, 0)
    assert done.reason.startswith("warming up: 4:59:00 of history")
    assert "6:00:00 needed" in done.reason
    assert detect_day(lake, detection, day, now=now).reason == "the lake holds no samples yet"
    assert "has not begun" in detect_day(filled, detection, date(2026, 11, 24), now=now).reason
    assert stored(filled) == []


def test_later_samples_change_no_earlier_start(lake, history, detection):
    end = history.simulation.end
    cut = end - timedelta(hours=3)
    history.put(lake, end=cut)
    between = TimeRange(datetime(2026, 11, 23, tzinfo=UTC), cut)
    detect_range(lake, detection, between, now=cut)
    early = {row["anomaly_id"]: row for row in stored(lake)}
    history.put(lake, start=cut)
    detect_range(lake, detection, TimeRange(between.start, end), now=end)
    late = {row["anomaly_id"]: row for row in stored(lake)}
    assert early
    assert early.keys() <= late.keys()
    for key, row in early.items():
        assert (late[key]["start"], late[key]["series_id"]) == (row["start"], row["series_id"])
        assert late[key]["end"] >= row["end"]
        assert late[key]["score"] >= row["score"]
        if row["state"] == "final":
            assert late[key]["end"] == row["end"]
    assert late.keys() - early.keys()


def test_an_entity_is_scored_as_one(filled, detection, history, day):
    by_node = narrowed(
        detection,
        include="node_load1|container_memory_working_set_bytes",
        detectors=(DetectorSettings(name="entity_memory", by="node"),),
    )
    done = detect_day(filled, by_node, day, now=history.simulation.end)
    rows = stored(filled)
    assert done.anomalies == len(rows) > 0
    for row in rows:
        assert row["detector"] == "entity_memory by node"
        assert row["series_id"] is None
        assert row["node"]
        assert row["pod"] is None
        assert row["namespace"] is None
        assert row["metric"]
    victim = next(f for f in history.simulation.faults if f.kind == "noisy_neighbour")
    node = next(one["node"] for one in victim.entities if "node" in one)
    assert any(
        row["node"] == node and row["start"] < victim.end and row["end"] > victim.start
        for row in rows
    )
    report = demo.compare(filled, history.simulation, done.scored)
    assert any(one.found for one in report.faults if one.fault is victim)


def test_a_pyod_detector_by_name_and_by_entity(filled, detection, history, day):
    chosen = (
        DetectorSettings(name="pyod.ECOD"),
        DetectorSettings(name="pyod.ECOD", by="node", parameters={"false_alarm_rate": 1e-3}),
    )
    both = narrowed(detection, include="node_load1", detectors=chosen)
    done = detect_day(filled, both, day, now=history.simulation.end)
    assert done.anomalies == len(stored(filled))
    assert {row["detector"] for row in stored(filled)} == {"pyod.ECOD", "pyod.ECOD by node"}


MISUSED = {
    "unknown": (DetectorSettings(name="windw_memory"), "windw_memory"),
    "unknown to PyOD": (DetectorSettings(name="pyod.EKOD"), "EKOD"),
    "unknown parameter": (DetectorSettings(parameters={"memroy": 3}), "memroy"),
    "bad parameter": (DetectorSettings(parameters={"memory": 0}), "memory"),
    "of entities, on series": (DetectorSettings(name="entity_memory"), "`by: pod`"),
    "of series, on entities": (DetectorSettings(by="pod"), "leave `by` out"),
}


@pytest.mark.parametrize(("chosen", "fragment"), MISUSED.values(), ids=MISUSED)
def test_a_detector_that_cannot_be_used_is_an_error(
    filled, detection, history, day, chosen, fragment
):
    settings = narrowed(detection, detectors=(chosen,))
    with pytest.raises((DetectorsError, SettingsError), match=fragment):
        detect_day(filled, settings, day, now=history.simulation.end)
    with pytest.raises((DetectorsError, SettingsError), match=fragment):
        Ticker(filled, settings)


def info(number, **entity):
    columns = ("namespace", "workload", "pod", "container", "node", "service", "job", "instance")
    return SeriesInfo(number, "c1", "up", False, {name: entity.get(name) for name in columns})


GROUPS = {
    None: [[1, 2], [3, 4], [5]],
    # A node is in no namespace, a pod's name means something only within its own.
    "node": [[1, 3], [4]],
    "pod": [[1], [2], [3]],
    "namespace": [[1, 2], [3]],
}


@pytest.mark.parametrize(("by", "expected"), GROUPS.items())
def test_groups(by, expected):
    series = [
        info(1, namespace="a", pod="web-0", node="n1"),
        info(2, namespace="a", pod="web-1"),
        info(3, namespace="b", pod="web-0", node="n1"),
        info(4, node="n2"),
        info(5),
    ]
    found = list(groups(series, DetectorSettings(by=by), 2))
    assert [[one.series_id for one in group.series] for group in found] == expected
    assert all((group.subject is None) == (by is None) for group in found)


def test_progress_is_told_to_the_end(filled, detection, history, day):
    told = []
    settings = narrowed(detection, include="up", block_series=10)
    detect_day(filled, settings, day, now=history.simulation.end, progress=told.append)
    assert told == sorted(told)
    assert len(told) == 4
    assert told[-1] == 1.0


def test_blocks_do_not_change_what_is_found(filled, whole_day, detection, history, day):
    small = narrowed(detection, block_series=7)
    detect_day(filled, small, day, now=history.simulation.end)
    assert stored(filled) == stored(whole_day[0])


def test_what_was_found_is_listed(whole_day, history, detection):
    lake, done = whole_day
    page = browse.anomalies(lake, browse.Filter(done.scored), paging.MAX_PAGE)
    assert {row["anomaly_id"] for row in page.rows} == {row["anomaly_id"] for row in stored(lake)}


def test_settings_come_with_a_detector():
    assert [one.name for one in DetectionSettings().detectors] == ["window_memory"]


BY_NODE = (DetectorSettings(name="entity_memory", by="node"),)
QUERIES = {
    # Each block is read to fit and to score.
    "one block": ({}, 2),
    "entities in one block": ({"detectors": BY_NODE}, 2),
    "blocks of a series each": ({"block_series": 1}, 6),
}


@pytest.mark.parametrize(("changes", "expected"), QUERIES.values(), ids=QUERIES)
def test_a_run_reads_one_version_and_each_block_twice(
    filled, detection, history, monkeypatch, changes, expected
):
    nodes = sorted({one["node"] for one in history.simulation.series if "node" in one})[:3]
    snapshots, read = [], []
    real = models.read_panel

    def read_panel(snapshot, *rest):
        read.append(snapshot)
        return real(snapshot, *rest)

    def choose(snapshot, *_):
        snapshots.append(snapshot)
        series = choose_series(snapshot, *_)
        return [one for one in series if one.entity["node"] in nodes]

    monkeypatch.setattr(models, "read_panel", read_panel)
    monkeypatch.setattr(scoring, "read_panel", read_panel)
    monkeypatch.setattr(detect, "choose_series", choose)
    settings = narrowed(detection, include="node_load1", **changes)
    between = TimeRange(history.simulation.end - 10 * MINUTE, history.simulation.end)
    done = detect_range(filled, settings, between, now=between.end)
    assert done.series == len(nodes)
    assert len(read) == expected
    assert all(one is snapshots[0] for one in read)


@pytest.mark.parametrize(
    ("size", "expected"), [(1, [1, 2, 1]), (2, [1, 2, 1]), (3, [3, 1]), (9, [4])]
)
def test_blocks_hold_whole_groups(size, expected):
    parts = [Group(None, [info(1)]), Group(None, [info(2), info(3)]), Group(None, [info(4)])]
    found = list(blocks(parts, size))
    assert [sum(len(group.series) for group in block) for block in found] == expected
    assert [group for block in found for group in block] == parts
