"""What `/readyz` and `/metrics` say of clusters that are watched."""

from dataclasses import fields
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from tests.patience import wait_until


def test_a_cluster_out_of_reach_is_told_and_the_service_stays_ready(start):
    # Nobody listens on port 1.
    with start(kubernetes=[{"cluster": "eu", "host": "http://127.0.0.1:1"}]) as running:
        running.service.watchers.start()
        wait_until(lambda: "sources" in running.http.get("/readyz").json())
        told = running.http.get("/readyz").json()
        assert running.http.get("/readyz").status_code == 200
        assert told["status"] == "ready"
        (name, *_) = told["sources"]
        assert name.startswith("kubernetes eu: ")
        assert "no answer" in told["sources"][name]
        text = running.http.get("/metrics").text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        failures = families["fleetlake_kubernetes_failures"].samples[0]
        assert failures.labels == {"cluster": "eu"}
        assert failures.value >= 1
        assert families["fleetlake_kubernetes_objects"].samples[0].value == 0
        assert families["fleetlake_kubernetes_last_event_timestamp_seconds"].samples == []


def test_every_counter_of_a_cluster_is_exported(start):
    with start(kubernetes=[{"cluster": "eu", "host": "http://127.0.0.1:1"}]) as running:
        (statistics,) = running.service.watchers.statistics.values()
        names = [one.name for one in fields(statistics)]
        for number, name in enumerate(names, 1):
            moment = datetime.fromtimestamp(number, UTC)
            setattr(statistics, name, moment if name.startswith("last_") else number)
        text = running.http.get("/metrics").text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        for number, name in enumerate(names, 1):
            unit = "_timestamp_seconds" if name.startswith("last_") else ""
            (sample,) = families[f"fleetlake_kubernetes_{name}{unit}"].samples
            assert (sample.labels, sample.value) == ({"cluster": "eu"}, number)
