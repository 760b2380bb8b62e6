"""On a small real lake: families, what is left out, what is chosen, what it comes to."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from lake import Lake, TimeRange
from lake.schema import MODELS
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.errors import ChoosingError, SettingsError
from orchestration.steps import anomaly_rows, champions, clean_history
from orchestration.steps.choose import choose_families
from orchestration.steps.choose_report import changes, details, entries, figures
from orchestration.steps.claims import claimed, claimed_metrics
from orchestration.steps.contenders import candidates_for, title
from orchestration.steps.detect import detect_range
from orchestration.steps.keep_choices import keep
from orchestration.steps.panels import choose_series
from orchestration.steps.tick import Ticker

END = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTES = 12 * 60
BETWEEN = TimeRange(END - timedelta(minutes=MINUTES), END)
BLIND = DetectorSettings(parameters={"lengths": [480]})
"""A window longer than the history it learns from."""
LEVEL = DetectorSettings(name="online_level")


@pytest.fixture(scope="module")
def settings():
    return DetectionSettings(
        history=timedelta(hours=6),
        least_history=timedelta(hours=4),
        min_length=2,
        merge_gap=10,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, fill):
    """Four pods in two clusters with load and, nearly in step, memory; and a gauge of their own."""
    folder = tmp_path_factory.mktemp("choose") / "lake"
    rng = np.random.default_rng(0)
    times = round(END.timestamp() * 1000) - 60_000 * np.arange(MINUTES, 0, -1)
    load = 50.0 + np.cumsum(rng.normal(size=(4, MINUTES)), axis=1) * 0.3
    load += rng.normal(size=load.shape)
    labels, values = [], []
    for pod, own in zip("abcd", load, strict=True):
        of = {"namespace": "shop", "pod": pod}
        labels += [{"__name__": name, **of} for name in ("load", "memory")]
        values += [own, 2 * own + 0.1 * rng.normal(size=MINUTES)]
    labels += [{"__name__": "alone", "instance": str(number)} for number in range(3)]
    values += list(rng.poisson(5.0, size=(3, MINUTES)).astype(float))
    fill(Lake.open(folder), labels, [times] * len(labels), values)
    return folder


def run(folder, settings, **more):
    return {
        one.family: one for one in choose_families(Lake.open(folder), settings, BETWEEN, **more)
    }


@pytest.fixture(scope="module")
def default(folder, settings):
    lake = Lake.open(folder)
    before = {name: table.version() for name, table in lake.tables.items()}
    told = []
    quick = [LEVEL, DetectorSettings(name="entity_memory", by="pod")]
    found = run(folder, settings, detectors=quick, progress=told.append)
    assert {name: table.version() for name, table in lake.tables.items()} == before
    assert told == sorted(told)
    assert told[-1] == 1.0
    return found


def test_every_family_is_judged(default):
    assert list(default) == ["alone", "load", "memory"]
    assert [one.series for one in default.values()] == [3, 4, 4]
    assert [one.sampled for one in default.values()] == [3, 4, 4]
    for one in default.values():
        assert one.choice.chosen in one.candidates
        assert one.regret.overall >= 0.0
        row = figures(one)
        assert 0.0 < row["vus_pr"] <= 1.0
        assert row["cpu_s_per_million"] > 0.0


def test_entities_are_candidates_where_they_have_siblings(default):
    assert "entity_memory by pod" in default["load"].candidates
    assert "entity_memory by pod" not in default["alone"].candidates


def test_a_decoupling_is_judged_where_there_is_a_sibling(default):
    kinds = {name: set(one.regret.by_kind) for name, one in default.items()}
    assert "decoupling" in kinds["load"]
    assert "decoupling" not in kinds["alone"]
    held = default["load"].held_out
    told = details(default["load"])
    by_title = {one["title"]: one for one in told["candidates"]}
    assert len(by_title) == len(held.candidates) == 3
    pod = by_title["entity_memory by pod"]["by_kind"]["decoupling"]["vus_pr"]
    assert pod > by_title["online_level"]["by_kind"]["decoupling"]["vus_pr"]


def test_what_finds_nothing_is_replaced_and_the_settings_say_so(folder, settings):
    poor = settings.model_copy(update={"detectors": (BLIND,)})
    found = run(folder, poor, metric="load|alone", detectors=[LEVEL, DetectorSettings()])
    changed = changes(list(found.values()))
    assert changed
    assert all(one.choice.incumbent == title(BLIND) for one in changed)
    written = entries(poor, list(found.values()))
    again = DetectionSettings(detectors=written)
    assert again.detectors[-1] == BLIND, "what was there stays for all other metrics"
    for one in changed:
        (taker,) = [
            entry
            for entry in again.detectors
            if entry.metrics and one.family in clean_history.matching([one.family], entry.metrics)
        ]
        assert title(taker) == one.alone.chosen


def test_the_default_candidates(folder, settings):
    snapshot = Lake.open(folder).snapshot()
    fleet = clean_history.read_fleet(snapshot, settings, BETWEEN, ".*")
    samples = [
        clean_history.draw_sample(snapshot, settings, fleet, family, BETWEEN, most=3)
        for family in ("load", "alone")
    ]
    assert [len(one.targets) for one in samples] == [3, 3]
    (incumbent,) = settings.detectors
    with_siblings, without = ([*candidates_for(incumbent, one)] for one in samples)
    assert with_siblings == [
        "window_memory lengths=2,32 margin=2.5",
        "window_memory lengths=2,8 margin=2.5",
        "window_memory margin=2.5",
        "online_level",
        "pooled.IForest",
        "pyod.ECOD",
        "entity_memory by pod",
    ]
    assert without == with_siblings[:-1]


def test_the_same_seed_chooses_the_same(folder, settings):
    one, two, other = (
        figures(run(folder, settings, metric="alone", detectors=[LEVEL], seed=seed)["alone"])
        for seed in (0, 0, 1)
    )
    for row in (one, two, other):
        row.pop("cpu_s_per_million")
    assert one == two
    assert one != other


def test_what_was_flagged_is_not_clean(folder, settings, tmp_path):
    snapshot = Lake.open(folder).snapshot()
    fleet = clean_history.read_fleet(snapshot, settings, BETWEEN, "load")
    (pod_a,) = [one for one in fleet.families["load"] if one.entity["pod"] == "a"]
    hour = TimeRange(END - timedelta(hours=3), END - timedelta(hours=2))
    row = {"cluster": "c1", "start": hour.start, "end": hour.end}
    row |= dict.fromkeys(pod_a.entity)
    rows = [
        row | {"series_id": pod_a.series_id, "metric": "load", "pod": "a"},
        # An entity: all its series.
        row | {"series_id": None, "metric": "memory", "pod": "b"},
        # Events of a namespace say nothing of samples.
        row | {"series_id": None, "metric": None, "namespace": "shop"},
        row | {"series_id": None, "metric": "load", "cluster": "c9", "pod": "c"},
    ]
    told = clean_history.Fleet(fleet.families, fleet.members, rows)
    sample = clean_history.draw_sample(snapshot, settings, told, "load", BETWEEN, 8)
    names = {one.series_id: one.entity["pod"] for one in choose_series(snapshot, settings, END)}
    gone = {}
    for place, series_id in enumerate(sample.panel.series_id.tolist()):
        gap = np.isnan(sample.panel.window(*_micros(hour)).values[place])
        gone.setdefault(names[series_id], []).append(gap.mean())
    assert {pod: sorted(parts) for pod, parts in gone.items()} == {
        "a": [0.0, 1.0],
        "b": [1.0, 1.0],
        "c": [0.0, 0.0],
        "d": [0.0, 0.0],
    }


def _micros(between):
    return (int(moment.timestamp() * 1_000_000) for moment in (between.start, between.end))


@pytest.fixture
def shifted(tmp_path, fill):
    """Three metrics that are off for forty minutes of the last hour."""
    lake = Lake.open(tmp_path / "lake")
    times = round(END.timestamp() * 1000) - 60_000 * np.arange(MINUTES, 0, -1)
    rng = np.random.default_rng(1)
    values = 10.0 + rng.normal(size=(3, MINUTES))
    values[:, -60:-20] += 60.0
    labels = [{"__name__": name, "pod": "a"} for name in ("load", "memory", "other")]
    fill(lake, labels, [times] * 3, list(values))
    return lake


def test_a_detector_s_metrics_are_all_that_it_scores(settings, shifted):
    """And two of one name with different metrics replace each other's rows of a range no more."""
    lake = shifted
    both = (
        DetectorSettings(metrics="load", parameters={"lengths": [2, 8]}),
        DetectorSettings(metrics="memory"),
    )
    asked = settings.model_copy(update={"detectors": both})
    between = TimeRange(END - timedelta(hours=2), END)
    for _ in range(2):
        detect_range(lake, asked, between, now=END + timedelta(hours=1))
        rows = lake.sql("SELECT metric, model_version FROM anomalies").to_pylist()
        assert sorted(row["metric"] for row in rows) == ["load", "memory"]
        assert len({row["model_version"] for row in rows}) == 2
    assert anomaly_rows.label(both[0]) == anomaly_rows.label(both[1])
    series = choose_series(lake.snapshot(), asked, END)
    assert [len(claimed(series, one, both)) for one in both] == [1, 1]
    ticked = Ticker(lake, asked).tick(END + asked.delay)
    assert ticked.series == 2, "live detection has a model of each, too"


@pytest.mark.parametrize("live", [True, False])
def test_detection_goes_by_the_champion(settings, shifted, live):
    row = champion_row("load", 1, "online_level")
    shifted.models.append(pa.Table.from_pylist([row], schema=MODELS.schema))
    poor = settings.model_copy(update={"detectors": (BLIND,), "also": ()})

    def found(asked):
        if live:
            ticker = Ticker(shifted, asked)
            for back in (60, 30, 0):
                ticker.tick(END - timedelta(minutes=back) + asked.delay)
        else:
            between = TimeRange(END - timedelta(hours=2), END)
            detect_range(shifted, asked, between, now=END + timedelta(hours=1))
        return shifted.sql("SELECT metric, detector FROM anomalies").to_pylist()

    assert found(poor.model_copy(update={"use_champions": False})) == []
    assert found(poor) == [{"metric": "load", "detector": "online_level"}]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"metric": "no_such"}, ChoosingError, "no_such"),
        ({"between": TimeRange(END - timedelta(minutes=90), END)}, ChoosingError, "needed"),
        ({"detectors": [DetectorSettings(name="entity_memory")]}, SettingsError, "by: pod"),
    ],
)
def test_refuses(folder, settings, change, error, match):
    more = {"between": BETWEEN} | change
    with pytest.raises(error, match=match):
        list(choose_families(Lake.open(folder), settings, more.pop("between"), **more))


def test_an_empty_lake(lake, settings):
    with pytest.raises(ChoosingError, match="no samples"):
        list(choose_families(lake, settings, BETWEEN))


def test_a_family_that_is_too_young_says_so(folder, settings, tmp_path, fill):
    lake = Lake.open(tmp_path / "lake")
    times = round(END.timestamp() * 1000) - 60_000 * np.arange(MINUTES, 0, -1)
    labels = [{"__name__": name, "pod": "a"} for name in ("old", "young")]
    fill(lake, labels, [times, times[-60:]], [times % 97, times[-60:] % 89])
    (found,) = choose_families(lake, settings, BETWEEN, metric="young")
    assert found.choice is None
    assert "history" in found.reason
    assert figures(found)["chosen"] is None
    assert details(found)["candidates"] == []
    assert entries(settings, [found]) == entries(settings, [])


def test_champions_are_kept_and_used(folder, settings, tmp_path):
    """By both ways of detection, from the lake alone."""
    lake = Lake.open(shutil.copytree(folder, tmp_path / "lake"))
    poor = settings.model_copy(update={"detectors": (BLIND,)})
    found = list(
        choose_families(lake, poor, BETWEEN, metric="alone", detectors=[DetectorSettings()])
    )
    (one,) = changes(found)
    assert champions.applied(lake.snapshot(), poor) is poor, "nothing is kept yet"
    assert keep(lake, found, END) == 1
    (row,) = lake.sql("SELECT * FROM models WHERE alias = 'champion'").to_pylist()
    assert (row["name"], row["version"], row["detector"]) == ("alone", 1, "window_memory")
    # From the first whole column on.
    trained = (BETWEEN.start + timedelta(minutes=1), BETWEEN.end)
    assert (row["trained_from"], row["trained_to"]) == trained
    assert json.loads(row["metrics"])["family"] == "alone"
    used = champions.applied(lake.snapshot(), poor)
    champion, rest = used.detectors
    assert (champion.metrics, title(champion)) == ("alone", f"{one.choice.chosen}")
    assert rest == BLIND
    off = poor.model_copy(update={"use_champions": False})
    assert champions.applied(lake.snapshot(), off) is off
    ticker = Ticker(lake, poor)
    ticker.tick(END)
    assert champion in ticker.settings.detectors
    # It is the incumbent now: chosen again, nothing changes, and nothing is written.
    again = list(
        choose_families(lake, poor, BETWEEN, metric="alone", detectors=[DetectorSettings()])
    )
    assert again[0].choice.incumbent == one.choice.chosen
    assert keep(lake, again, END) == 0


def test_settings_go_before_champions_and_entities_come_beside(lake, settings):
    rows = [
        champion_row("load", 1, "online_level"),
        champion_row("load", 2, "window_memory", parameters={"lengths": [2, 8]}),
        champion_row("up", 1, "window_memory", parameters={"lengths": [2, 8]}),
        champion_row("a.b", 1, "online_level"),
        champion_row("memory", 1, "entity_memory", entity="pod"),
        champion_row("odd", 1, "window_memroy"),
        champion_row("evil", 1, "no_such_module_of_ours:Class"),
        champion_row("evil2", 1, "pooled.no_such_module_of_ours:Class"),
    ]
    lake.models.append(pa.Table.from_pylist(rows, schema=MODELS.schema))
    mine = DetectorSettings(name="pyod.ECOD", metrics="up|down")
    given = settings.model_copy(update={"detectors": (DetectorSettings(), mine)})
    used = champions.applied(lake.snapshot(), given).detectors
    assert [(one.name, one.by, one.metrics) for one in used] == [
        ("pyod.ECOD", None, "up|down"),
        ("online_level", None, r"a\.b"),
        ("window_memory", None, "load|up"),
        ("window_memory", None, None),
        ("entity_memory", "pod", None),
    ]
    metrics = ["load", "up", "a.b", "acb", "odd"]
    taken = [sorted(claimed_metrics(metrics, one, used)) for one in used]
    assert taken == [["up"], ["a.b"], ["load"], ["acb", "odd"], sorted(metrics)]
    DetectionSettings.model_validate(settings.model_dump() | {"detectors": used})


def champion_row(name, version, detector, entity=None, parameters=None):
    row = {"cluster": "*", "name": name, "version": version, "alias": "champion"}
    row |= {"detector": detector, "entity": entity, "parameters": json.dumps(parameters or {})}
    row |= {"trained_from": END, "trained_to": END, "created_at": END}
    return row | {"lake_version": 1, "metrics": "{}", "digest": ""}
