"""The pools of GPUs: names as their exporters give them, and numbers that agree with each other."""

import numpy as np
import pytest

from ingest.simulation.fleet import place
from ingest.simulation.gpu_pools import simulate_gpus
from ingest.simulation.timeline import Timeline

VOLCANO = {"cluster": "eu-1", "queue_name": "training"}
KUEUE = {"cluster": "us-2", "cluster_queue": "research"}


def test_volcano_counts_in_thousandths_and_kueue_does_not(history):
    volcano = history.values(
        "volcano_queue_capacity_scalar_resources", resource="nvidia.com/gpu", **VOLCANO
    )
    kueue = history.values(
        "kueue_cluster_queue_nominal_quota", resource="nvidia.com/gpu", flavor="h100", **KUEUE
    )
    assert set(volcano) == {8000.0}
    assert set(kueue) == {8.0}


@pytest.mark.parametrize(
    ("cluster", "allocated", "milli"),
    [
        ("eu-1", "volcano_queue_allocated_scalar_resources", 1000.0),
        ("us-2", "kueue_cluster_queue_resource_usage", 1.0),
    ],
)
def test_what_is_allocated_is_on_devices(history, cluster, allocated, milli):
    """Whoever holds a GPU has memory on it; the pool is neither empty nor full all the time."""
    held = history.values(allocated, cluster=cluster) / milli
    rows = history.rows("DCGM_FI_DEV_FB_USED", cluster=cluster)
    assert len(rows) == 8
    assert held.tolist() == (history.sim.values[rows] > 100.0).sum(axis=0).tolist()
    assert held.max() >= 7.0
    assert 1.5 < held.mean() < 7.0


def test_gangs_wait_though_some_gpus_are_free(history):
    """All at once or none: that is what sets a gang's queue apart."""
    waiting = history.values("kueue_pending_workloads", status="inadmissible", **KUEUE)
    held = history.values("kueue_cluster_queue_resource_usage", **KUEUE)
    assert ((waiting > 0) & (held < 8)).any()
    assert waiting.max() >= 3
    assert (waiting == 0).mean() > 0.3
    requested = history.values("volcano_queue_request_scalar_resources", **VOLCANO)
    allocated = history.values("volcano_queue_allocated_scalar_resources", **VOLCANO)
    inqueue = history.values("volcano_queue_pod_group_inqueue_count", **VOLCANO)
    assert ((requested > allocated) == (inqueue > 0)).all()


def test_who_does_not_fit_is_passed_by_who_does(history):
    sim = history.sim
    timeline = Timeline(sim.start, sim.step, sim.values.shape[1])
    (load,) = simulate_gpus(place(7).cluster("us-2"), timeline, seed=7)
    began = np.array([job.began for job in load.jobs])
    passed = np.flatnonzero(began > np.minimum.accumulate(began[::-1])[::-1])
    assert len(passed)
    # Smaller ones went by, and nobody who would have fitted was left behind.
    for number in passed.tolist():
        late = load.jobs[number]
        by = [job for job in load.jobs[number + 1 :] if job.began < late.began]
        assert all(job.size < late.size for job in by)


def test_waiting_times_are_those_of_the_queue(history):
    """Little's law: gangs that wait at a time, summed up, are the seconds that all waited."""
    waiting = history.values("kueue_pending_workloads", status="inadmissible", **KUEUE)
    total = history.values("kueue_admission_wait_time_seconds_sum", **KUEUE)
    seconds = waiting.sum() * history.sim.step.total_seconds()
    assert total[-1] - total[0] == pytest.approx(seconds, rel=0.15)
    assert (np.diff(history.values("kueue_admission_wait_time_seconds_count", **KUEUE)) >= 0).all()


def test_more_runs_by_day_and_each_cluster_has_its_own(history):
    sim, hours = history.sim, 120

    def by_hour(cluster):
        rows = history.rows("DCGM_FI_DEV_GPU_UTIL", cluster=cluster)
        busy = (sim.values[rows] > 50.0).mean(axis=0)
        hour = ((sim.start.hour * hours + np.arange(busy.size)) // hours) % 24
        return np.array([busy[hour == one].mean() for one in range(24)])

    eu, us = by_hour("eu-1"), by_hour("us-2")
    assert eu[8:18].mean() > 1.5 * np.delete(eu, range(8, 18)).mean()
    assert us[14:24].mean() > 1.5 * us[4:12].mean()


def test_a_forgotten_notebook_holds_a_gpu_and_does_nothing(history):
    rows = history.rows("DCGM_FI_DEV_GPU_UTIL", cluster="eu-1")
    idle = [row for row in rows if history.sim.values[row].max() == 0.0]
    assert len(idle) == 1
    device = history.sim.series[idle[0]]["UUID"]
    assert history.values("DCGM_FI_DEV_FB_USED", UUID=device).min() > 1000.0


def test_one_cluster_has_the_whole_data_set_and_the_other_fetches(history):
    size = history.values("dataset_ufs_total_size", cluster="eu-1", dataset="ml/clicks")[0]
    whole = history.values("Cluster_CapacityUsed", cluster="eu-1", fluid_runtime="clicks")
    part = history.values("Cluster_CapacityUsed", cluster="us-2", fluid_runtime="clicks")
    assert (whole == size).all()
    assert part.max() < size / 2
    assert (np.diff(part) >= 0).all()
    assert part[-1] > 2 * part[0]
