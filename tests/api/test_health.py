"""Whether it lives, whether it works, and what it counts."""

import shutil

from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.server import bind, serving
from orchestration import adviser_rounds as adviser_module
from orchestration import forecaster as forecaster_module
from orchestration import worker as worker_module
from orchestration.failures import Failure
from orchestration.steps.models import Detected
from tests.patience import wait_until


def metrics(running):
    reply = running.http.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain")
    families = list(text_string_to_metric_families(reply.text))
    assert all(family.documentation for family in families)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_an_idle_service_is_alive_and_ready(running):
    assert running.http.get("/healthz").json() == {"status": "alive"}
    reply = running.http.get("/readyz")
    assert (reply.status_code, reply.json()) == (200, {"status": "ready", "errors": {}})


def test_what_comes_in_is_counted(running, samples, now):
    assert metrics(running)[("fleetlake_samples_waiting",)] == 0.0
    running.write(samples(3, cluster="c1"))
    running.write(samples(2, cluster='odd"\n\\one'))
    event = {"source": "change", "reason": "R", "time": now.isoformat(), "cluster": "c1"}
    running.http.post("/api/v1/events", json=event)
    found = metrics(running)
    assert found["fleetlake_samples_received_total", "c1"] == 3.0
    assert found["fleetlake_samples_received_total", 'odd"\n\\one'] == 2.0
    assert found["fleetlake_events_received_total", "c1"] == 1.0
    assert found[("fleetlake_samples_waiting",)] == 5.0
    running.service.receiver.flush()
    found = {key[0]: value for key, value in metrics(running).items() if len(key) == 1}
    assert found["fleetlake_samples_waiting"] == 0.0
    assert found["fleetlake_samples_flushed_total"] == 5.0
    assert found["fleetlake_flushes_total"] == 1.0
    assert found["fleetlake_series_known"] == 2.0
    assert found["fleetlake_last_flush_timestamp_seconds"] == now.timestamp()


def test_a_failing_flush_is_not_ready_and_then_is_again(start, samples, monkeypatch):
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 0.02)
    with start(ingest={"flush_samples": 1}) as running:
        # The worker's loops run in an app of their own, as in `fleetlake up`.
        app = create_app(running.service)
        with serving(app, bind("127.0.0.1", 0)):
            folder = running.lake.samples.folder
            aside = folder.with_name("aside")
            shutil.move(folder, aside)
            folder.write_text("no folder")
            assert running.write(samples(cluster="c1")).status_code == 204
            wait_until(lambda: running.http.get("/readyz").status_code == 503)
            told = running.http.get("/readyz").json()
            assert told["status"] == "failing"
            assert told["errors"]["flush"]
            assert running.http.get("/healthz").status_code == 200
            assert metrics(running)[("fleetlake_flush_failures_total",)] > 0
            folder.unlink()
            shutil.move(aside, folder)
            wait_until(lambda: running.http.get("/readyz").status_code == 200)
            assert running.lake.sql("SELECT count(*) AS n FROM samples")["n"][0].as_py() == 1


def test_failing_rounds_are_told_and_it_takes_data_all_the_same(running, monkeypatch):
    for module, name in ((forecaster_module, "current"), (adviser_module, "totals")):
        monkeypatch.setattr(module, name, lambda *_: 1 / 0)
    running.service.forecaster.run_if_due()
    running.service.adviser.run_if_due()
    reply = running.http.get("/readyz")
    why = "ZeroDivisionError: division by zero (since 2026-11-23 12:00:00 UTC)"
    assert reply.status_code == 200
    assert reply.json() == {
        "status": "ready",
        "errors": {},
        "rounds": {"reading forecasts": why, "reading advice": why},
    }
    assert metrics(running)[("fleetlake_forecast_failures_total",)] == 1
    assert metrics(running)[("fleetlake_advice_failures_total",)] == 1


def test_what_a_detector_fails_on_is_a_gauge(running):
    worker = running.service.worker
    worker.health.last_detected = Detected(None, 0, 0, None, {"pyod.KNN": 3, "a.b:C by pod": 1})
    found = metrics(running)
    assert found[("fleetlake_detector_failures", "pyod.KNN")] == 3
    assert found[("fleetlake_detector_failures", "a.b:C by pod")] == 1


def test_a_round_of_incidents_that_fails_is_told_and_counted(running):
    rounds = running.service.worker.incidents
    rounds.statistics.failures, rounds.statistics.error = 2, Failure("ZeroDivisionError", "at all")
    reply = running.http.get("/readyz")
    assert (reply.status_code, reply.json()["errors"]) == (
        503,
        {"incidents": "ZeroDivisionError: at all"},
    )
    found = metrics(running)
    assert found[("fleetlake_incident_failures_total",)] == 2
    assert found[("fleetlake_incident_rounds_total",)] == 0
