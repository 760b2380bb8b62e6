from datetime import datetime, timedelta

import numpy as np
import pytest

from ingest.simulation import simulate
from ingest.simulation.errors import UnusableRangeError


def test_same_arguments_give_the_same_bytes(short, end):
    again = simulate(end=end, duration=timedelta(hours=12), step=timedelta(minutes=1))
    assert again.series == short.series
    assert again.values.tobytes() == short.values.tobytes()
    assert again.scrape_offsets.tobytes() == short.scrape_offsets.tobytes()
    assert again.events == short.events
    assert again.faults == short.faults


def test_another_seed_gives_other_names_and_noise(short, end):
    other = simulate(end=end, duration=timedelta(hours=12), step=timedelta(minutes=1), seed=8)
    assert {s.get("pod") for s in other.series} != {s.get("pod") for s in short.series}
    assert not np.array_equal(other.values, short.values, equal_nan=True)


def test_the_fleet_is_as_large_as_the_demo_needs(history):
    sim = history.sim
    assert 600 <= len(sim.series) <= 800
    assert 3_000_000 <= sim.samples <= 4_500_000
    assert {s["cluster"] for s in sim.series} == {"eu-1", "us-2", "ap-3"}
    workloads = {
        (s["cluster"], s["workload"])
        for s in sim.series
        if s["__name__"] == "container_cpu_usage_seconds_total"
    }
    assert 38 <= len(workloads) <= 46


def test_label_sets_are_unique_and_complete(history):
    series = history.sim.series
    assert len({frozenset(s.items()) for s in series}) == len(series)
    for labels in series:
        assert labels.keys() >= {"__name__", "cluster", "cloud", "region", "job"}
        assert all(isinstance(v, str) and v for v in labels.values()), labels
        if "pod" in labels:
            assert labels.keys() >= {"namespace", "container", "node", "workload"}


def test_every_family_has_a_kind_and_follows_its_naming(history):
    families = {s["__name__"] for s in history.sim.series}
    assert families == history.sim.kinds.keys()
    for name, kind in history.sim.kinds.items():
        counting = name.endswith(("_total", "_sum", "_count"))
        # Volcano's own names: how many pod groups there are at a time.
        counting &= not name.startswith("volcano_queue_pod_group_")
        assert kind == ("counter" if counting else "gauge"), name


def test_values_are_finite_and_not_negative(history):
    values = history.sim.values
    assert not np.isinf(values).any()
    assert np.nanmin(values) >= 0


def test_counters_fall_only_where_a_process_starts_anew(history):
    sim = history.sim
    leak = history.fault("memory_leak")
    leaking = leak.entities[0]["pod"]
    for labels, values in zip(sim.series, sim.values, strict=True):
        if sim.kinds[labels["__name__"]] != "counter":
            continue
        falls = np.flatnonzero(np.diff(values) < 0)
        expected = (
            2
            if labels.get("pod") == leaking and labels["__name__"].startswith("container_cpu")
            else 0
        )
        assert len(falls) == expected, labels
        assert np.all(values[falls + 1] < 0.01 * values[falls] + 60), labels


def test_counts_are_whole_numbers(history):
    for name in ("istio_requests_total", "gatekeeper_validation_request_count"):
        for row in history.rows(name):
            assert np.array_equal(history.sim.values[row], np.rint(history.sim.values[row]))


def test_durations_belong_to_all_requests(history):
    name = "istio_request_duration_milliseconds_count"
    of = {"cluster": "eu-1", "destination_workload": "cart"}
    ok = history.rate("istio_requests_total", response_code="200", **of)
    failed = history.rate("istio_requests_total", response_code="500", **of)
    np.testing.assert_array_equal(history.rate(name, **of)[1:], (ok + failed)[1:])


def test_traffic_follows_the_customers_day(history):
    of = {"destination_workload": "frontend"}
    peak_hour = {}
    for cluster in ("eu-1", "us-2", "ap-3"):
        rate = history.rate("istio_request_duration_milliseconds_count", cluster=cluster, **of)
        hourly = np.nanmean(rate.reshape(-1, 120), axis=1)[:24]
        assert 2 < hourly.max() / hourly.min() < 4
        peak_hour[cluster] = (history.sim.start.hour + int(hourly.argmax())) % 24
    # In UTC: evening in Frankfurt, in Virginia, in Singapore.
    assert 18 <= peak_hour["eu-1"] <= 21
    assert peak_hour["us-2"] in {0, 1, 2, 3}
    assert 10 <= peak_hour["ap-3"] <= 14


def test_the_second_day_is_the_first_but_for_some_percent(history):
    of = {"cluster": "eu-1", "destination_workload": "catalogue"}
    rate = history.rate("istio_request_duration_milliseconds_count", **of)
    first, second = np.nanmean(rate[:2880]), np.nanmean(rate[2880:])
    assert first != second
    assert abs(second / first - 1) < 0.10


@pytest.mark.parametrize(
    "wrong",
    [
        {"end": datetime(2026, 11, 23)},  # noqa: DTZ001 - the missing zone is the point
        {"duration": timedelta(hours=11)},
        {"duration": timedelta(0)},
        {"duration": -timedelta(days=2)},
        {"step": timedelta(0)},
        {"step": timedelta(minutes=6)},
        {"step": -timedelta(seconds=30)},
    ],
)
def test_unusable_ranges_are_refused(wrong, end):
    with pytest.raises(UnusableRangeError) as caught:
        simulate(**({"end": end} | wrong))
    assert caught.value.argument in wrong
