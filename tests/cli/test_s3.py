"""The program with its lake in a bucket: taking, flushing, asking, and a store that is away."""

import json
import re
import signal
import time

import httpx
import pytest

from tests.object_store import BUCKET, SECRET, ObjectStore
from tests.patience import PATIENCE, wait_until

WRITE = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}


@pytest.fixture
def object_store():
    store = ObjectStore()
    yield store
    store.stop()


@pytest.fixture
def config(tmp_path, object_store):
    settings = {
        "lake": f"s3://{BUCKET}/fleet/lake",
        "storage_options": object_store.options,
        "api": {"port": 0},
        "ingest": {"flush_every": 1},
    }
    path = tmp_path / "fleetlake.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


def test_up_flushes_to_the_bucket_and_sql_reads_it(
    fleetlake, started, tmp_path, config, object_store, body
):
    process = started("up")
    printed = tmp_path / "stderr"
    url = wait_until(lambda: re.search(r"http://127\.0\.0\.1:\d+", printed.read_text())).group()
    assert f"s3://{BUCKET}/fleet/lake" in printed.read_text()

    def send(value):
        labels = [("__name__", "up"), ("cluster", "eu")]
        at = round(time.time() * 1000)
        return http.post("/api/v1/write", content=body((labels, [(at, value)])), headers=WRITE)

    def values():
        query = {"query": "SELECT value FROM samples ORDER BY value"}
        reply = http.post("/api/v1/sql", json=query)
        return [row[0] for row in reply.json()["rows"]] if reply.status_code == 200 else None

    def ready():
        try:
            return http.get("/readyz").status_code == 200
        except httpx.ConnectError:
            return False  # its port is taken, and nobody listens yet

    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as http:
        wait_until(ready)
        assert send(1.0).status_code == 204
        wait_until(lambda: values() == [1.0])
        object_store.failing = lambda method, path: True
        assert send(2.0).status_code == 204
        wait_until(lambda: not ready())
        told = http.get("/readyz").json()["errors"]["flush"]
        assert told.startswith(f"StoreError: s3://{BUCKET}/fleet/lake/")
        assert "see that the endpoint answers" in told
        refused = http.post("/api/v1/sql", json={"query": "SELECT 1 FROM samples"})
        assert refused.status_code == 503
        object_store.failing = lambda method, path: False
        wait_until(ready)
        wait_until(lambda: values() == [1.0, 2.0])
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)
    assert SECRET not in printed.read_text()
    assert object_store.keys("fleet/lake/samples/date=") != set()
    assert not (tmp_path / "fleetlake-data" / "lake").exists()
    done = fleetlake("sql", "--format", "json", "SELECT cluster, value FROM samples ORDER BY value")
    assert [row["value"] for row in json.loads(done.stdout)] == [1.0, 2.0], done.stderr


def test_a_store_that_is_away_is_one_line(fleetlake, config, object_store):
    object_store.failing = lambda method, path: True
    done = fleetlake("sql", "SELECT 1")
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith(f"error: s3://{BUCKET}/fleet/lake")
    assert SECRET not in done.stderr
