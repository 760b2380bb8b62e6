"""The configuration belongs to the fleet that `simulate` gives."""

import numpy as np
import pytest

from ingest.simulation.configuration import simulate_configuration

REQUESTS = "kube_pod_container_resource_requests"


@pytest.fixture(scope="module")
def configuration(history):
    sim = history.sim
    return simulate_configuration(end=sim.end, duration=sim.end - sim.start, step=sim.step)


def rows(sim, name, **labels):
    return [
        place
        for place, one in enumerate(sim.series)
        if one["__name__"] == name and labels.items() <= one.items()
    ]


def test_each_container_has_its_sizes(history, configuration):
    used = {
        (one["cluster"], one["pod"], one["container"])
        for one in history.sim.series
        if one["__name__"] == "container_cpu_usage_seconds_total"
    }
    for resource in ("cpu", "memory"):
        told = {
            (one["cluster"], one["pod"], one["container"])
            for one in configuration.series
            if one["__name__"] == REQUESTS and one["resource"] == resource
        }
        assert told == used


def test_it_is_told_as_long_as_the_pod_is_there(history, configuration):
    sim = history.sim
    for place in rows(configuration, REQUESTS, resource="cpu"):
        one = configuration.series[place]
        of = {"cluster": one["cluster"], "pod": one["pod"]}
        (own,) = rows(sim, "container_cpu_usage_seconds_total", **of)
        told = np.mean(~np.isnan(configuration.values[place]))
        assert told == pytest.approx(np.mean(~np.isnan(sim.values[own])), abs=0.01)


def test_limits_are_above_requests(configuration):
    for place in rows(configuration, "kube_pod_container_resource_limits"):
        of = {key: configuration.series[place][key] for key in ("cluster", "pod", "resource")}
        (request,) = rows(configuration, REQUESTS, **of)
        assert np.nanmax(configuration.values[request]) <= np.nanmax(configuration.values[place])


def test_the_leak_is_known_to_have_been_killed(history, configuration):
    (place,) = rows(configuration, "kube_pod_container_status_last_terminated_reason")
    leak = history.fault("memory_leak")
    assert configuration.series[place]["pod"] == leak.entities[0]["pod"]
    first = np.flatnonzero(~np.isnan(configuration.values[place]))[0]
    at = configuration.start + first * configuration.step
    assert leak.start < at < leak.end
