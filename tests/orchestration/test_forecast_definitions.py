"""Forecasts by Dagster: the asset makes them, the check says whether their intervals hold."""

import warnings

import pytest

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", module=r"dagster(\..*)?")
    import dagster as dg

from orchestration.defs import forecasts as forecasts_module
from orchestration.defs.build import build
from orchestration.settings import Settings
from orchestration.steps.forecast.coverage import Verdict

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster")

RUNNING = dg.DefaultScheduleStatus.RUNNING


@pytest.fixture
def settings(filled):
    return Settings(data_dir=filled.root.parent)


@pytest.fixture(scope="module")
def instance():
    with dg.instance_for_test(set_dagster_home=False) as one:
        yield one


def test_the_asset_makes_them_once(settings, filled, history, instance, monkeypatch):
    monkeypatch.setattr(forecasts_module, "utc_now", lambda: history.simulation.end)
    told = []
    for _ in range(2):
        result = build(settings).resolve_job_def("forecast").execute_in_process(instance=instance)
        (event,) = result.get_asset_materialization_events()
        told.append({k: v.value for k, v in event.materialization.metadata.items()})
    rows = filled.sql("SELECT reason, count(*) AS n FROM forecasts GROUP BY ALL").to_pylist()
    # The history has no limits: each container and volume says so.
    assert [row["reason"] for row in rows] == ["no limit known"]
    assert told[0]["resources"] == told[0]["abstained"] == told[0]["dagster/row_count"]
    assert told[0]["resources"] == rows[0]["n"] > 50
    assert told[1] == told[0] | {"dagster/row_count": 0}


@pytest.mark.parametrize(
    ("verdict", "passed", "said"),
    [
        (Verdict(40, 30, 24), True, 0.8),
        (Verdict(40, 30, 15), False, 0.5),
        (Verdict(40, 30, 30), False, 1.0),
        (Verdict(40, 10, 2), True, "too few passages came to tell"),
    ],
)
def test_the_check(settings, instance, monkeypatch, verdict, passed, said):
    monkeypatch.setattr(forecasts_module, "judge", lambda *_: {"volume": verdict})
    definitions = build(settings)
    (check,) = [
        one
        for one in definitions.asset_checks
        if "intervals_hold" in {key.name for key in one.check_keys}
    ]
    result = dg.materialize(
        [*definitions.assets, check],
        selection=dg.AssetSelection.checks(check),
        resources=definitions.resources,
        instance=instance,
    )
    (evaluation,) = result.get_asset_check_evaluations()
    told = {name: value.value for name, value in evaluation.metadata.items()}
    assert (evaluation.passed, told["coverage"]) == (passed, said)
    assert told["by_resource"] == {"volume": f"{verdict.held} of {verdict.came}"}


@pytest.mark.parametrize("resident", [True, False])
def test_dagster_makes_them_where_the_server_does_not(resident):
    definitions = build(Settings(forecasts={"resident": resident}))
    running = {one.name for one in definitions.schedules if one.default_status is RUNNING}
    assert ("make_forecasts" in running) is not resident
    assert "check_intervals" in running
