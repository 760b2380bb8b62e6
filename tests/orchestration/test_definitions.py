"""Dagster's view of the work: what it is handed, and that a real run does it."""

import os
import subprocess
import sys
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", module=r"dagster(\..*)?")
    import dagster as dg
    from dagster._core.remote_representation.external_data import RepositorySnap

from ingest import events as event_wire
from lake import Lake
from orchestration.defs import assets as assets_module
from orchestration.defs import checks as checks_module
from orchestration.defs.build import build
from orchestration.settings import Settings
from tests.patience import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster")

RUNNING = dg.DefaultScheduleStatus.RUNNING
SOURCE = {"cluster": "pulled", "url": "http://127.0.0.1:9"}


@pytest.fixture
def settings(filled, detection):
    assert filled.root.name == "lake"
    return Settings(data_dir=filled.root.parent, detection=detection)


@pytest.fixture
def at(monkeypatch):
    """Sets the time that assets and checks see."""

    def set_clock(moment):
        for module in (assets_module, checks_module):
            monkeypatch.setattr(module, "utc_now", lambda: moment)

    return set_clock


@pytest.fixture(scope="module")
def check():
    """Runs one check. An instance takes a second to make; no check looks at what it was told."""
    with dg.instance_for_test(set_dagster_home=False) as instance:
        yield lambda settings, name: checked(instance, settings, name)


LOAD = """
import dagster, orchestration.definitions as d
repository = d.defs.get_repository_def()
print(sorted(key.to_user_string() for key in d.defs.resolve_all_asset_keys()))
"""


@pytest.mark.parametrize("home", [None, "home"])
def test_definitions_load_in_a_process_of_their_own(tmp_path, home):
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("DAGSTER", "FLEETLAKE"))
    }
    if home:
        (tmp_path / home).mkdir()
        environment["DAGSTER_HOME"] = str(tmp_path / home)
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env=environment | {"PYTHONPATH": str(Path.cwd())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assets = ["advice", "anomalies", "cleaned", "compacted", "events", "forecasts", "incidents"]
    assets += ["metrics", "rollups"]
    assert done.stdout.strip() == str(assets)
    # Loading makes nothing: no lake, no log.
    assert [path.name for path in tmp_path.iterdir()] == ([home] if home else [])


def test_the_graph():
    definitions = build(Settings(first_day=date(2026, 11, 1)))
    graph = definitions.resolve_asset_graph()
    deps = {
        key.to_user_string(): sorted(k.to_user_string() for k in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    of_the_whole_lake = {
        "rollups": ["metrics"],
        "compacted": ["anomalies", "events", "rollups"],
        "cleaned": ["compacted"],
        "forecasts": ["metrics"],
        "advice": ["metrics"],
    }
    by_day = {
        "metrics": [],
        "events": [],
        "anomalies": ["events", "metrics"],
        "incidents": ["anomalies", "events"],
    }
    assert deps == by_day | of_the_whole_lake
    assert sorted(key.name for key in graph.asset_check_keys) == [
        *("few_files", "intervals_hold", "metrics_fresh", "metrics_whole"),
        *("rollups_current", "short_logs"),
    ]
    for key in graph.get_all_asset_keys():
        assert graph.get(key).description
        partitions = graph.get(key).partitions_def
        if key.to_user_string() in of_the_whole_lake:
            assert partitions is None
            continue
        keys = partitions.get_partition_keys(current_time=datetime(2026, 11, 3, 5, tzinfo=UTC))
        assert keys == ["2026-11-01", "2026-11-02", "2026-11-03"]
    jobs = {job.name for job in definitions.jobs}
    assert jobs == {
        *("pull", "daily", "check", "merge", "clean", "check_maintenance"),
        *("forecast", "check_forecasts", "advise"),
    }
    crons = {one.name: one.cron_schedule for one in definitions.schedules}
    assert crons == {
        "pull_today": "7,22,37,52 * * * *",
        "daily_yesterday": "23 0 * * *",
        "check_metrics": "41 * * * *",
        "merge_files": "3,18,33,48 * * * *",
        "clean_lake": "53 * * * *",
        "check_lake": "44 * * * *",
        "make_forecasts": "2,17,32,47 * * * *",
        "check_intervals": "47 * * * *",
        "make_advice": "12 * * * *",
    }


@pytest.mark.parametrize(("sources", "running"), [((), False), ((SOURCE,), True)])
def test_schedules_run_by_themselves_only_where_something_is_pulled(sources, running):
    definitions = build(Settings(sources=sources))
    status = {one.name for one in definitions.schedules if one.default_status is RUNNING}
    always = {"check_metrics", "check_lake", "check_intervals"}
    assert status == always | ({"pull_today", "daily_yesterday"} if running else set())


def evaluated(settings, name):
    definitions = build(settings)
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(2026, 11, 23, 0, 23, tzinfo=UTC),
        repository_def=definitions.get_repository_def(),
    )
    return definitions.resolve_schedule_def(name).evaluate_tick(context)


@pytest.mark.parametrize("name", ["pull_today", "daily_yesterday"])
def test_a_schedule_started_by_hand_with_nothing_to_pull_leaves_the_workers_clusters_alone(name):
    done = evaluated(Settings(), name)
    assert done.run_requests == []
    assert done.skip_message == "no source is configured: nothing is pulled"


def test_schedules_ask_for_today_and_for_yesterday_of_what_is_pulled():
    requests = {}
    for name in ("pull_today", "daily_yesterday"):
        (requests[name],) = evaluated(Settings(sources=(SOURCE,)), name).run_requests
    assert requests["pull_today"].partition_key == "2026-11-23"
    assert requests["daily_yesterday"].partition_key == "2026-11-22"
    config = requests["daily_yesterday"].run_config
    assert config["ops"]["anomalies"]["config"]["clusters"] == ["pulled"]


def test_no_secret_is_handed_to_dagster():
    source = SOURCE | {"bearer_token": "a-secret-token"}
    repository = build(Settings(sources=(source,))).get_repository_def()
    told = dg.serialize_value(RepositorySnap.from_def(repository))
    assert "lake" in told
    assert "a-secret-token" not in told


def test_the_checks_have_a_job_of_their_own(settings, history, at):
    at(history.simulation.end)
    with dg.instance_for_test() as instance:
        job = build(settings).resolve_job_def("check")
        result = job.execute_in_process(instance=instance)
    passed = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert passed == {"metrics_fresh": True, "metrics_whole": True}


def run(settings, job, day, **config):
    with dg.instance_for_test() as instance:
        result = (
            build(settings)
            .resolve_job_def(job)
            .execute_in_process(
                partition_key=day.isoformat(), instance=instance, raise_on_error=False, **config
            )
        )
        assert result.success
        return {
            event.asset_key.to_user_string(): {
                name: value.value for name, value in event.materialization.metadata.items()
            }
            for event in result.get_asset_materialization_events()
        }


def rows(lake):
    # Of those that are written again, with their incident, the newest.
    return lake.sql("SELECT * FROM anomalies ORDER BY ALL").to_pylist()


def test_a_day_is_materialised_and_again_with_the_same_rows(settings, filled, day, history, at):
    at(history.simulation.end)
    told = run(settings, "daily", day)
    held = rows(filled)
    for table in ("samples", "events"):
        count = filled.sql(f"SELECT count(*) AS n FROM {table} WHERE date = $day", {"day": day})
        name = "metrics" if table == "samples" else "events"
        assert told[name]["dagster/row_count"] == count["n"][0].as_py() > 0
    clusters = {record.data["cluster"] for record in told["metrics"]["clusters"].records}
    assert clusters == {"ap-3", "eu-1", "us-2"}
    assert told["metrics"]["rows_pulled"] == 0
    assert told["anomalies"]["dagster/row_count"] == len(held) > 0
    assert told["anomalies"]["not_scored"] == ""
    incidents = {row["incident_id"] for row in held}
    assert None not in incidents
    assert told["incidents"]["dagster/row_count"] == len(incidents) > 0
    samples = filled.samples.version()
    assert run(settings, "daily", day).keys() == told.keys()
    assert rows(filled) == held
    assert filled.samples.version() == samples


def test_only_the_named_clusters_are_scored(settings, filled, day, history, at):
    at(history.simulation.end)
    config = {"ops": {"anomalies": {"config": {"clusters": ["ap-3"]}}}}
    run(settings, "daily", day, run_config=config)
    assert {row["cluster"] for row in rows(filled)} == {"ap-3"}


def test_a_day_that_cannot_be_scored_says_why(settings, filled, day, history, at):
    at(history.simulation.end)
    told = run(settings, "daily", day - timedelta(days=1))
    assert told["anomalies"]["dagster/row_count"] == 0
    assert told["anomalies"]["not_scored"].startswith("warming up")


def checked(instance, settings, name):
    definitions = build(settings)
    (one,) = [c for c in definitions.asset_checks if name in {k.name for k in c.check_keys}]
    result = dg.materialize(
        [*definitions.assets, one],
        selection=dg.AssetSelection.checks(one),
        resources=definitions.resources,
        instance=instance,
        raise_on_error=True,
    )
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    return evaluation.passed, {k: v.value for k, v in evaluation.metadata.items()}


@pytest.mark.parametrize(("after", "passed"), [(0, True), (14, True), (17, False), (600, False)])
def test_metrics_are_fresh_or_not(check, settings, history, at, after, passed):
    at(history.simulation.end + timedelta(minutes=after))
    found, told = check(settings, "metrics_fresh")
    assert found is passed
    assert told["clusters"] == 3
    assert told["seconds_late"].keys() == (set() if passed else {"ap-3", "eu-1", "us-2"})


def test_a_retired_cluster_is_not_late_for_ever(check, tmp_path, fill, at):
    lake = Lake.open(tmp_path / "lake")
    now = datetime(2026, 11, 23, 6, tzinfo=UTC)
    labels = [{"__name__": "up", "cluster": name} for name in ("old", "late", "new")]
    ages = (timedelta(days=3), timedelta(hours=30), timedelta(minutes=1))
    times = [[round((now - age).timestamp() * 1000)] for age in ages]
    fill(lake, labels, times, [[1.0]] * 3)
    at(now)
    passed, told = check(Settings(data_dir=tmp_path), "metrics_fresh")
    assert (passed, told["clusters"], told["seconds_late"]) == (False, 2, {"late": 30 * 3600})


def test_an_empty_lake_is_not_fresh(check, tmp_path, at, history):
    at(history.simulation.end)
    assert check(Settings(data_dir=tmp_path), "metrics_fresh")[0] is False


@pytest.mark.parametrize(("after", "gaps"), [(5, 0), (12, 3)])
def test_metrics_are_whole_or_not(check, settings, history, at, after, gaps):
    at(history.simulation.end + timedelta(minutes=after))
    found, told = check(settings, "metrics_whole")
    assert (found, told["gaps"], len(told["first"])) == (gaps == 0, gaps, gaps)


def test_a_gap_in_the_middle_is_named(check, tmp_path, fill, at):
    lake = Lake.open(tmp_path / "lake")
    start = datetime(2026, 11, 23, 6, tzinfo=UTC)
    minutes = [m for m in range(60) if not 20 < m < 40]
    times = [round((start + timedelta(minutes=m)).timestamp() * 1000) for m in minutes]
    fill(lake, [{"__name__": "up"}], [times], [[1.0] * len(times)])
    lake.events.append(event_wire.table([]))
    at(start + timedelta(hours=1))
    found, told = check(Settings(data_dir=tmp_path), "metrics_whole")
    assert not found
    assert told["first"] == ["c1: 2026-11-23T06:21:00+00:00 to 2026-11-23T06:40:00+00:00"]


def test_a_cluster_that_is_silent_all_day_is_not_whole(check, tmp_path, fill, at):
    lake = Lake.open(tmp_path / "lake")
    start = datetime(2026, 11, 21, 20, tzinfo=UTC)
    fill(lake, [{"__name__": "up"}], [[round(start.timestamp() * 1000)]], [[1.0]])
    at(datetime(2026, 11, 23, 6, tzinfo=UTC))
    found, told = check(Settings(data_dir=tmp_path), "metrics_whole")
    assert not found
    assert told["first"] == ["c1: 2026-11-22T00:00:00+00:00 to 2026-11-23T06:00:00+00:00"]
