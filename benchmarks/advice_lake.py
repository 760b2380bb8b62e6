"""A round of rightsizing from a lake of so many containers: what it takes."""

from __future__ import annotations

import resource
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.reporting import Case
from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import identify
from lake import CommitKey, Lake
from lake.timerange import to_micros
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.make import make_advice
from orchestration.steps.maintain import roll_up_lake

NOW = datetime(2026, 3, 15, tzinfo=UTC)
STEP = timedelta(minutes=5)
A_DAY = 288
DAYS = 14
AT_ONCE = 2_000
MIB = 1024.0**2
CPU, MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
REQUESTS, LIMITS = "kube_pod_container_resource_requests", "kube_pod_container_resource_limits"


def measure(containers: int) -> list[Case]:
    """Fill a lake, and have the advice made."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder)
        fill(lake, containers)
        files = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
        with _Memory() as memory:
            began, wall = time.process_time(), time.perf_counter()
            made = make_advice(lake, AdviceSettings(), NOW)
            spent, took = time.process_time() - began, time.perf_counter() - wall
        began = time.process_time()
        again = make_advice(lake, AdviceSettings(), NOW)
        spent_again = time.process_time() - began
    if made.failed or again.written:
        raise SystemExit(f"failed: {made.failed}, written again: {again.written}")
    of = f"{containers:,} containers, {DAYS} days at 5 min"
    return [
        Case(f"advice on {of}, CPU time", "s", spent),
        Case(f"advice on {of}, elapsed", "s", took),
        Case("the same again, nothing to write, CPU time", "s", spent_again),
        Case("memory that it takes beside what the process has", "MiB", memory.risen),
        Case("the lake, rollups included", "MiB", files / MIB),
        Case("advice given", "", sum(made.given.values())),
    ]


class _Memory:
    """How much the process' memory rises."""

    def __enter__(self) -> _Memory:
        self._before = _resident()
        self.risen = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.risen = max(self.risen, _resident() - self._before)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


def fill(lake: Lake, containers: int) -> None:
    """A pod of each, a commit a day and for so many at once, then rollups."""
    random = np.random.default_rng(5)
    level = 10 ** random.uniform(-2.0, 0.5, containers)
    size = 10 ** random.uniform(1.5, 3.5, containers) * MIB
    key = 0
    catalogue = Catalogue()
    for day in range(DAYS):
        begin = to_micros(NOW - timedelta(days=DAYS - day)) // 1000
        times = begin + np.arange(A_DAY, dtype=np.int64) * round(STEP.total_seconds() * 1000)
        season = 1.0 + 0.5 * np.sin(2 * np.pi * np.arange(A_DAY) / A_DAY)
        for first in range(0, containers, AT_ONCE):
            series, at, values = [], [], []
            for n in range(first, min(first + AT_ONCE, containers)):
                pod = {
                    "cluster": ("eu-1", "us-2", "ap-3")[n % 3],
                    "namespace": f"team-{n % 50}",
                    "pod": f"app{n}-7c9d8f6b54-x2v9k",
                    "container": "app",
                }
                used = level[n] * season * np.exp(0.1 * random.standard_normal(A_DAY))
                counter = (day * A_DAY * 300.0 + np.cumsum(used * 300.0)).round(3)
                taken = size[n] * (1.0 + 0.05 * random.standard_normal(A_DAY))
                found = [({"__name__": CPU}, counter), ({"__name__": MEMORY}, taken.round())]
                if day == DAYS - 1:
                    for metric, resource_name, unit, value in (
                        (REQUESTS, "cpu", "core", level[n] * 4.0),
                        (REQUESTS, "memory", "byte", size[n] * 2.0),
                        (LIMITS, "memory", "byte", size[n] * 2.0),
                    ):
                        more = {"resource": resource_name, "unit": unit}
                        found.append(({"__name__": metric, **more}, np.full(A_DAY, value)))
                for labels, own in found:
                    series.append(identify((labels | pod).items(), "eu-1"))
                    at.append(times)
                    values.append(own)
            key += 1
            batch = direct.batch(catalogue, series, at, values)
            direct.append(lake, catalogue, batch, CommitKey("benchmark", key))
    roll_up_lake(lake, lambda: NOW)
