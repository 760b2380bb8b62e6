"""The demo's pools of GPUs, as placement and its adviser see them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.simulation import simulate
from ingest.simulation.gpu_pools import DATASET_BYTES
from lake import Lake
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.placement.adviser import advise_pools
from orchestration.steps.advice.placement.ask import Asked, place
from orchestration.steps.advice.placement.read import METRICS
from orchestration.steps.advice.placement.unused import UTILISATION
from orchestration.steps.forecast.found import find
from orchestration.steps.forecast.resources import BUILT_IN

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GIB = 1024.0**3


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory, fill):
    lake = Lake.open(tmp_path_factory.mktemp("gpus") / "lake")
    sim = simulate(end=NOW, step=timedelta(minutes=1))
    grid = sim.start.timestamp() * 1000 + 60_000 * np.arange(sim.values.shape[1])
    rows = [n for n, one in enumerate(sim.series) if one["__name__"] in {*METRICS, UTILISATION}]
    times = [np.int64(grid + sim.scrape_offsets[row]) for row in rows]
    fill(lake, [sim.series[row] for row in rows], times, [sim.values[n] for n in rows])
    return lake.snapshot()


def asked(snapshot, *args, **more):
    return place(snapshot, Asked(*args, **more), NOW, AdviceSettings())


def test_the_idle_pool_is_better_than_the_full_one(snapshot):
    found = asked(snapshot, 2, 3.0)
    assert [(one["cluster"], one["queue"]) for one in found["places"]] == [
        ("eu-1", "training"),
        ("us-2", "research"),
    ]
    eu, us = found["places"]
    assert eu["starts_at_once"] == 1.0
    assert us["jobs_waiting"] > 0
    assert us["wait_hours_lower"] > 0.0
    # It is evening in us-2: the queue is over by the morning.
    assert us["gpus_free_ahead"][9]["median"] > us["gpus_free_ahead"][0]["median"]


def test_all_gpus_of_a_pool_with_a_forgotten_notebook_are_not_to_be_had(snapshot):
    """Who ends is not told, and yet it is not taken for a job that is about to end."""
    first, second = asked(snapshot, 8, 2.0)["places"]
    assert (first["cluster"], second["cluster"]) == ("us-2", "eu-1")
    assert second["wait_hours"] > 10.0


def test_what_the_cache_lacks_comes_as_fast_as_it_came_before(snapshot):
    transfer = {
        one["cluster"]: one["transfer_hours"]
        for one in asked(snapshot, 2, 3.0, dataset="ml/clicks")["places"]
    }
    assert transfer["eu-1"] == 0.0
    missing = (DATASET_BYTES - 500 * GIB) / (0.4 * GIB) / 3600.0
    assert transfer["us-2"] == pytest.approx(missing, rel=0.02)


def test_large_gpus_are_in_one_cluster_alone(snapshot):
    found = asked(snapshot, 4, 2.0, 60 * GIB, deadline=NOW + timedelta(hours=16))
    assert [one["cluster"] for one in found["places"]] == ["us-2"]
    assert found["refused"][0]["reason"] == "its GPUs have too little memory"
    # Tonight is as good as now, and in nobody's way.
    assert found["places"][0]["in_time"] > 0.95
    assert found["later"]["in_time"] > 0.9
    assert found["later"]["starts_at_once"] > found["later"]["starts_at_once_now"] + 0.3


def test_a_full_queue_of_gpus_is_no_forecast(snapshot):
    """It is full every afternoon, as it should be; of other resources the same would be told."""
    found = find(snapshot, BUILT_IN, NOW)
    assert "cluster_queue" not in {one.kind.name for one in found}
    own = next(one for one in BUILT_IN if one.name == "cluster_queue")
    (told,) = find(snapshot, [own.model_copy(update={"but_not": {}})], NOW)
    assert told.values.height == 1


def test_what_is_advised_of_the_pools(snapshot):
    advice = {(one.cluster, one.kind): one for one in advise_pools(snapshot, NOW, AdviceSettings())}
    # That eu-1 has GPUs free while jobs wait in us-2 is told by a question of placement alone: who
    # may read of eu-1 may not read of us-2.
    assert advice.keys() == {("eu-1", "gpu_unused")}
    assert advice["eu-1", "gpu_unused"].saving_gpus == 1.0
