"""The watches as part of a service: started, told of, stopped with it."""

import importlib.util
import threading

import pytest

from ingest.errors import SourceError
from ingest.kubernetes import KubernetesSource
from orchestration import watchers as watchers_module
from orchestration.errors import SettingsError
from orchestration.service import Service
from orchestration.settings import Settings
from orchestration.watchers import Watchers


class Empty:
    """A cluster without anything in it."""

    def get(self, path, query, *, accept="application/json"):
        return {"items": [], "metadata": {"resourceVersion": "1"}}

    def watch(self, path, query):
        raise SourceError(path, "no watch today")

    def interrupt(self):
        pass


@pytest.fixture
def service(tmp_path):
    one = Service.build(Settings(data_dir=tmp_path / "data"))
    yield one
    one.receiver.close()


@pytest.fixture
def watching(service, tmp_path):
    def build(*clusters, connect=lambda source: Empty()):
        sources = [KubernetesSource(cluster=name) for name in clusters]
        return Watchers(sources, service.receiver, tmp_path / "k", service.clock, connect)

    return build


@pytest.fixture
def until():
    def wait(condition):
        for _ in range(2000):
            if condition():
                return
            waiting.wait(0.01)
        raise AssertionError("waited in vain")

    waiting = threading.Event()
    return wait


def test_without_sources_there_is_nothing(service):
    assert service.watchers.errors == {}
    assert service.watchers.statistics == {}
    service.watchers.start()
    service.watchers.stop()


def test_each_cluster_has_its_own_folder_and_errors(watching, until, tmp_path):
    watchers = watching("eu", "a/b %")
    watchers.start()
    try:
        until(lambda: len(watchers.errors) == 2)
        assert watchers.errors["kubernetes eu: events"].endswith("no watch today")
        until(lambda: all(one.snapshots == 1 for one in watchers.statistics.values()))
    finally:
        watchers.stop()
    assert {path.name for path in (tmp_path / "k").iterdir()} == {"eu", "a%2Fb%20%25"}


def test_a_cluster_that_cannot_be_reached_is_no_reason_not_to_start(watching, until):
    def refuse(source):
        raise SourceError(source.cluster, "no way in: no kubeconfig")

    watchers = watching("eu", connect=refuse)
    watchers.start()
    try:
        until(lambda: "no way in" in watchers.errors.get("kubernetes eu: snapshot", ""))
    finally:
        watchers.stop()


def test_a_missing_client_is_told_at_the_start(service, tmp_path, monkeypatch):
    monkeypatch.setattr(watchers_module, "find_spec", lambda name: None)
    sources = [KubernetesSource(cluster="eu")]
    with pytest.raises(SettingsError, match=r"fleetlake\[kubernetes\]"):
        Watchers(sources, service.receiver, tmp_path, service.clock)
    Watchers([], service.receiver, tmp_path, service.clock)


@pytest.mark.skipif(importlib.util.find_spec("kubernetes") is None, reason="an extra")
def test_outside_of_a_pod_the_default_has_no_way_in(until, tmp_path):
    settings = Settings(data_dir=tmp_path / "data", kubernetes=[{"cluster": "eu"}])
    service = Service.build(settings)
    service.watchers.start()
    until(lambda: "not set" in service.watchers.errors.get("kubernetes eu: events", ""))
    service.stop()
