"""An object store, with an empty lake in it, and processes that write to it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lake import Lake
from tests.object_store import ObjectStore


@pytest.fixture(scope="session")
def server() -> Iterator[ObjectStore]:
    store = ObjectStore()
    yield store
    store.stop()


@pytest.fixture
def object_store(server: ObjectStore) -> Iterator[ObjectStore]:
    """The server, in order and without memory of what others asked."""
    server.requests.clear()
    yield server
    server.failing = lambda method, path: False


@pytest.fixture
def s3_lake(object_store: ObjectStore) -> Lake:
    url = f"{object_store.url}/{uuid4().hex}/lake"
    return Lake.open(url, storage_options=object_store.options)


WRITER = """
import sys, time
import pyarrow as pa
from datetime import UTC, datetime, timedelta
from lake import CommitKey, Lake
url, cluster, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
lake = Lake.open(url)
start, end, i = datetime(2026, 3, 1, tzinfo=UTC), time.monotonic() + seconds, 0
while time.monotonic() < end or i < 6:
    i += 1
    time_of = start + timedelta(seconds=i)
    n = 7
    rows = pa.table({
        "cluster": [cluster] * n, "metric": ["up"] * n, "series_id": pa.array(range(n), pa.int64()),
        "time": pa.array([time_of] * n, pa.timestamp("us", "UTC")), "value": [float(i)] * n,
    })
    for _ in range(1 + i % 2):  # every other one is sent again
        lake.samples.append(rows, CommitKey(cluster, i))
print(i)
"""
"""Appends rows of a cluster for some seconds, six times at least, and prints how many times."""


@pytest.fixture
def writer() -> str:
    return WRITER


@pytest.fixture
def run(object_store: ObjectStore) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a program in another process, which finds the store by its environment."""
    options = {f"AWS_{name.upper()}": value for name, value in object_store.options.items()}
    running = []

    def start(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, **options},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()
