"""Advice by Dagster: the asset makes it once, and fails where an adviser does."""

import warnings

import pytest

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", module=r"dagster(\..*)?")
    import dagster as dg

from orchestration.defs import advice as advice_module
from orchestration.defs.build import build
from orchestration.errors import AdviceError
from orchestration.settings import Settings
from orchestration.steps.advice.make import Made

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster")

RUNNING = dg.DefaultScheduleStatus.RUNNING


@pytest.fixture
def settings(filled):
    return Settings(data_dir=filled.root.parent)


@pytest.fixture(scope="module")
def instance():
    with dg.instance_for_test(set_dagster_home=False) as one:
        yield one


def test_the_asset_makes_it_once(settings, filled, history, instance, monkeypatch):
    monkeypatch.setattr(advice_module, "utc_now", lambda: history.simulation.end)
    told = []
    for _ in range(2):
        result = build(settings).resolve_job_def("advise").execute_in_process(instance=instance)
        (event,) = result.get_asset_materialization_events()
        told.append({k: v.value for k, v in event.materialization.metadata.items()})
    rows = filled.sql("SELECT DISTINCT reason FROM advice").to_pylist()
    # The history tells nothing of what is set: each container says so.
    (reason,) = {row["reason"] for row in rows}
    assert reason == "no request or limit of it is known: nothing tells what is set"
    assert told[0]["abstained"] == told[0]["dagster/row_count"] > 40
    assert told[1] == told[0] | {"dagster/row_count": 0}


def test_an_adviser_that_fails_fails_the_run(settings, filled, history, instance, monkeypatch):
    end = history.simulation.end
    monkeypatch.setattr(advice_module, "utc_now", lambda: end)
    monkeypatch.setattr(advice_module, "make_advice", lambda *_: Made(end, failed={"one": "why"}))
    with pytest.raises(AdviceError, match="1 advisers failed: one: why"):
        build(settings).resolve_job_def("advise").execute_in_process(instance=instance)


@pytest.mark.parametrize("resident", [True, False])
def test_dagster_makes_it_where_the_server_does_not(resident):
    definitions = build(Settings(advice={"resident": resident}))
    running = {one.name for one in definitions.schedules if one.default_status is RUNNING}
    assert ("make_advice" in running) is not resident
