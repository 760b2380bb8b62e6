from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from ingest.simulation.scene import play, set_scene
from ingest.simulation.timeline import Timeline

SECOND = timedelta(seconds=1)


def ratio(values, fault, history):
    """Mean inside the fault relative to the same hours of the day before."""
    return np.nanmean(values[history.inside(fault)]) / np.nanmean(values[history.day_before(fault)])


def latency(history, cluster, workload):
    of = {"cluster": cluster, "destination_workload": workload}
    name = "istio_request_duration_milliseconds"
    return history.rate(f"{name}_sum", **of) / history.rate(f"{name}_count", **of)


def error_share(history, cluster, workload, where):
    of = {"cluster": cluster, "destination_workload": workload}
    failed = np.nansum(history.rate("istio_requests_total", response_code="500", **of)[where])
    good = np.nansum(history.rate("istio_requests_total", response_code="200", **of)[where])
    return failed / (failed + good)


def test_six_faults_two_a_cluster_none_in_the_first_55_percent(history, short):
    for sim in (history.sim, short):
        assert len({f.kind for f in sim.faults}) == len({f.name for f in sim.faults}) == 6
        clusters = [f.cluster for f in sim.faults]
        assert {clusters.count(c) for c in ("eu-1", "us-2", "ap-3")} == {2}
        clean = sim.start + 0.6 * (sim.end - sim.start)
        for fault in sim.faults:
            assert clean < fault.start < fault.end <= sim.end
            assert fault.metrics
            assert set(fault.metrics) <= sim.kinds.keys()


def test_faults_of_one_cluster_meet_neither_in_place_nor_unseen(history):
    for labels in history.sim.series:
        here = [f for f in history.sim.faults if f.cluster == labels["cluster"]]
        matching = [f for f in here if f.matches(labels)]
        assert len(matching) < 2 or matching[0].end <= matching[1].start, labels


def test_every_entity_is_of_some_series_or_event_and_every_metric_of_some_series(history):
    for fault in history.sim.faults:
        here = [s for s in history.sim.series if s["cluster"] == fault.cluster]
        objects = [
            event["involvedObject"]
            for _, cluster, event in history.sim.events
            if cluster == fault.cluster and "involvedObject" in event
        ]
        told = [{"namespace": one.get("namespace"), "workload": one["name"]} for one in objects]
        for entity in fault.entities:
            assert any(entity.items() <= one.items() for one in here + told), entity
        for metric in fault.metrics:
            assert any(s["__name__"] == metric and fault.matches(s) for s in here), metric


@pytest.mark.parametrize("seed", [7, 23])
def test_faults_change_nothing_but_what_they_explain(end, seed):
    timeline = Timeline.until(end, timedelta(hours=16), timedelta(minutes=1))
    bent = play(set_scene(timeline, seed))
    scene = set_scene(timeline, seed)
    plain = play(replace(scene, script=()))
    assert bent.labels == plain.labels
    faults = [scenario.fault for scenario in scene.script]
    moved = {f.name: set() for f in faults}
    for labels, a, b in zip(bent.labels, bent.rows, plain.rows, strict=True):
        if bent.kinds[labels["__name__"]] == "counter":
            a, b = np.diff(a), np.diff(b)
        changed = np.flatnonzero((a != b) & ~(np.isnan(a) & np.isnan(b)))
        if not changed.size:
            continue
        first = timeline.start + int(changed[0]) * timeline.step
        explaining = [f for f in faults if f.cluster == labels["cluster"] and f.matches(labels)]
        assert any(f.start - timeline.step <= first < f.end for f in explaining), labels
        for fault in explaining:
            moved[fault.name].add(labels["__name__"])
    for fault in faults:
        assert set(fault.metrics) <= moved[fault.name]


def test_the_leak_climbs_to_the_limit_and_is_killed_twice(history):
    fault = history.fault("memory_leak")
    pod = fault.entities[0]
    memory = history.values("container_memory_working_set_bytes", **pod)
    restarts = history.values("kube_pod_container_status_restarts_total", **pod)
    limit = 1024 * 1024**2
    span = history.inside(fault, trim=0)
    assert memory[span].max() > 0.98 * limit
    assert memory[: span.start].max() < 0.6 * limit
    assert memory.max() <= limit
    assert restarts[-1] - restarts[span.start] == 2
    kills = np.flatnonzero(np.diff(restarts)) + 1
    assert np.all(memory[kills] < 0.45 * memory[kills - 1])
    hourly = memory[span.start : kills[0]]
    hourly = hourly[: len(hourly) // 120 * 120].reshape(-1, 120).mean(axis=1)
    assert len(hourly) >= 3
    assert np.all(np.diff(hourly) > 0)


def test_the_volume_fills_steadily_to_the_end(history):
    fault = history.fault("volume_filling")
    of = {"cluster": fault.cluster} | fault.entities[0]
    used = history.values("kubelet_volume_stats_used_bytes", **of)
    share = used / history.values("kubelet_volume_stats_capacity_bytes", **of)
    begin = history.inside(fault, trim=0).start
    assert share[:begin].max() < 0.65
    assert 0.94 < share[-1] < 1.0
    assert np.all(np.diff(share[begin::120]) > 0)


def test_the_rollout_is_slow_and_fails_where_it_is_and_nowhere_else(history):
    fault = history.fault("bad_rollout")
    inside = history.inside(fault)
    assert 3 < ratio(latency(history, "eu-1", "checkout"), fault, history) < 5
    assert 0.02 < error_share(history, "eu-1", "checkout", inside) < 0.09
    assert error_share(history, "eu-1", "checkout", history.day_before(fault)) < 0.005
    for twin in ("us-2", "ap-3"):
        assert 0.9 < ratio(latency(history, twin, "checkout"), fault, history) < 1.1
        assert error_share(history, twin, "checkout", inside) < 0.005
    after = slice(history.inside(fault, trim=0).stop + 4, None)
    assert error_share(history, "eu-1", "checkout", after) < 0.005
    replicas = history.values(
        "kube_deployment_status_replicas_available", cluster="eu-1", deployment="checkout"
    )
    assert replicas[inside].min() == 2
    assert replicas[after].min() == 3


def test_the_rollout_replaces_two_pods_and_their_successors(history):
    names = {
        s["pod"]
        for s in history.sim.series
        if s["cluster"] == "eu-1" and s.get("workload") == "checkout" and "pod" in s
    }
    assert len(names) == 7
    assert len({name.rsplit("-", 1)[0] for name in names}) == 2
    rows = history.rows("container_memory_working_set_bytes", cluster="eu-1", workload="checkout")
    alive = (~np.isnan(history.sim.values[rows])).sum(axis=0)
    assert set(alive.tolist()) == {3, 4}
    assert (alive == 4).mean() < 0.01


def test_the_neighbour_takes_the_node_and_the_others_feel_it(history):
    fault = history.fault("noisy_neighbour")
    node = {"cluster": fault.cluster} | fault.entities[0]
    inside = history.inside(fault)
    load = history.values("node_load1", **node)
    assert 7 < load[inside].mean() < 14
    assert load[inside].mean() > 2 * load[: len(load) // 2].max()
    idle = history.rate("node_cpu_seconds_total", mode="idle", **node)
    assert ratio(idle, fault, history) < 0.4
    for row in history.rows("container_cpu_cfs_throttled_seconds_total", **node):
        throttled = np.diff(history.sim.values[row], prepend=np.nan)
        if not np.isnan(throttled[inside]).any():
            before = throttled[: inside.start]
            assert throttled[inside].mean() > 1.5 * np.nanmean(before[-240:])
    slowed = [e["destination_workload"] for e in fault.entities if "destination_workload" in e]
    assert slowed
    for workload in slowed:
        assert 1.1 < ratio(latency(history, fault.cluster, workload), fault, history) < 2
    others = history.rows("node_load1", cluster=fault.cluster)
    calm = [r for r in others if history.sim.series[r]["node"] != node["node"]]
    assert history.sim.values[calm][:, inside].max() < 6


def test_denials_jump_and_most_admissions_still_pass(history):
    fault = history.fault("policy_denials")
    deny, allow = (
        history.rate(
            "gatekeeper_validation_request_count", cluster=fault.cluster, admission_status=status
        )
        for status in ("deny", "allow")
    )
    assert 5 < ratio(deny, fault, history) < 60
    assert 0.8 < ratio(allow, fault, history) < 1.3
    for twin in ("eu-1", "ap-3"):
        calm = history.rate(
            "gatekeeper_validation_request_count", cluster=twin, admission_status="deny"
        )
        assert np.nansum(calm[history.inside(fault)]) < 0.3 * np.nansum(deny[history.inside(fault)])


def test_the_stopped_exporter_is_silent_and_down(history):
    fault = history.fault("exporter_stopped")
    of = {"cluster": fault.cluster} | fault.entities[0]
    span = history.inside(fault, trim=0)
    up = history.values("up", **of)
    assert np.all(up[span] == 0)
    assert up.sum() == up.size - (span.stop - span.start)
    for row, labels in enumerate(history.sim.series):
        if of.items() <= labels.items() and labels["__name__"] != "up":
            gone = np.isnan(history.sim.values[row])
            assert np.all(gone[span])
            assert gone.sum() == span.stop - span.start


def test_a_fault_explains_its_own_series_in_its_own_time(history):
    fault = history.fault("memory_leak")
    labels = {"cluster": fault.cluster, "namespace": "shop", **fault.entities[0]}
    none = timedelta(0)
    assert fault.explains(labels, fault.start, fault.end, none)
    assert fault.explains(labels, fault.start, fault.start, none)
    assert fault.explains(labels, fault.end + SECOND, fault.end + 2 * SECOND, SECOND)
    assert not fault.explains(labels, fault.end + 2 * SECOND, fault.end + 3 * SECOND, SECOND)
    assert fault.explains(labels, fault.start - 2 * SECOND, fault.start - SECOND, SECOND)
    assert not fault.explains(labels, fault.start - 3 * SECOND, fault.start - 2 * SECOND, SECOND)
    assert not fault.explains(labels | {"cluster": "eu-1"}, fault.start, fault.end, none)
    assert not fault.explains(labels | {"pod": "other"}, fault.start, fault.end, none)
    assert not fault.explains({"cluster": fault.cluster}, fault.start, fault.end, none)
