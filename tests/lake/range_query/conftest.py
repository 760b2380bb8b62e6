from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest

from lake.maintenance.compaction import compact
from lake.maintenance.policy import CompactionPolicy
from lake.rollups import roll_up
from lake.schema import SAMPLES, SERIES, TIMESTAMP

BEGIN = datetime(2026, 3, 1, 22, tzinfo=UTC)
HOURS = 5
CLUSTERS = ("eu", "us", "it's")
METRICS = ("requests", "temperature", "up")


def names():
    """Cluster, metric, number, instance, pod: series of all, some without an instance."""
    found = []
    for cluster in CLUSTERS:
        for metric in METRICS:
            for host in range(4):
                number = hash_of(cluster, metric, host)
                instance = None if host == 3 else f"host_{host}"
                found.append((cluster, metric, number, instance, f"pod-{host % 2}"))
    return found


def hash_of(*parts):
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:8], "big", signed=True)


def values(rng, metric, n):
    if metric == "requests":
        counter = np.cumsum(rng.integers(0, 5, n)).astype(float)
        counter[n // 2 :] -= counter[n // 2]  # it was restarted
        return counter
    found = rng.normal(50, 30, n).round(1)
    odd = rng.random(n)
    found[odd < 0.02] = np.nan
    found[odd > 0.98] = np.inf
    return found


def samples(rng, series, first, n):
    parts = []
    for cluster, metric, number, *_ in series:
        step = rng.choice([15_000_000, 30_000_000])
        jitter = rng.integers(0, 900, n) * (1_000 if metric == "up" else 1)
        start = int(first.timestamp() * 1e6)
        times = start + np.arange(n) * int(step) + jitter
        columns = [
            pa.array([cluster] * n),
            pa.array([metric] * n),
            pa.array([number] * n, pa.int64()),
            pa.array(times, pa.int64()).cast(TIMESTAMP),
            pa.array(values(rng, metric, n)),
        ]
        parts.append(pa.table(columns, names=SAMPLES.schema.names))
    return pa.concat_tables(parts).sort_by([(name, "ascending") for name in SAMPLES.sort])


def of_series(series):
    return [
        {
            "cluster": cluster, "metric": metric, "series_id": number, "instance": instance,
            "pod": pod, "labels": [], "first_seen": BEGIN, "last_seen": BEGIN,
        }
        for cluster, metric, number, instance, pod in series
    ]  # fmt: skip


@pytest.fixture
def some_days(lake):
    """Samples of two days in several files, one day merged; rollups of all but the last."""
    rng = np.random.default_rng(7)
    series = names()
    lake.series.append(pa.Table.from_pylist(of_series(series[:20]), SERIES.schema))
    lake.series.append(pa.Table.from_pylist(of_series(series), SERIES.schema))
    for hour in range(HOURS):
        rows = samples(rng, series, BEGIN + timedelta(hours=hour), 150)
        lake.samples.append(rows, ordered=True)
    late = BEGIN + timedelta(days=2)
    compact(lake.samples, CompactionPolicy(fan_in=2), late)
    roll_up(lake, late)
    lake.samples.append(samples(rng, series, late, 20), ordered=True)
    return lake
