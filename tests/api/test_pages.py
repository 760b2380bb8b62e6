"""The first page, as a browser gets it: a real server, a real lake, Debian's Chromium."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import uvicorn

from api.app import create_app
from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import Series, identify
from lake import CommitKey, Lake
from lake.schema import ANOMALIES, EVENTS
from lake.timerange import to_micros
from orchestration.service import Service
from orchestration.settings import ApiSettings, Settings

CHROMIUM = shutil.which("chromium")
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
SCRAPE = timedelta(seconds=30)


def labels(cluster: str, metric: str, **entity: str) -> Series:
    return identify([("__name__", metric), *entity.items()], default_cluster=cluster)


LEAK = labels(
    "eu-1",
    "container_memory_working_set_bytes",
    namespace="shop",
    pod="checkout-6f7d8c9b54-x2lkq",
    container="checkout",
)


def samples(series: Series, values: np.ndarray, end: datetime):
    times = to_micros(end) // 1000 - np.arange(len(values))[::-1] * 30_000
    return series, times.astype(np.int64), values


def leaking(n: int) -> np.ndarray:
    """A daily rhythm with noise, and growth over the last three quarters of an hour but 20 min."""
    rng = np.random.default_rng(7)
    at = np.arange(n)
    values = 900e6 + 150e6 * np.sin(at / 2880 * 2 * np.pi) + rng.normal(0, 9e6, n)
    start, end = n - 130, n - 40
    values[start:end] += np.linspace(0, 1.6e9, end - start)
    return values


def anomaly(series: Series, number: int, start: datetime, minutes: int, score: float, **more):
    return {
        "cluster": series.cluster,
        "anomaly_id": f"a{number}",
        "series_id": series.series_id,
        "metric": series.metric,
        **series.entity,
        "start": start,
        "end": start + timedelta(minutes=minutes),
        "peak_time": start + timedelta(minutes=minutes - 1),
        "score": score,
        "p_value": 1e-6,
        "direction": "above",
        "detector": "window_memory",
        "model_version": "4f1c2a9be0d37788",
        "lake_version": 0,
        "state": "final",
        **more,
    }


def event(minutes: float, kind: str, reason: str, name: str, message: str, cluster: str = "eu-1"):
    return {
        "cluster": cluster,
        "time": NOW - timedelta(minutes=minutes),
        "source": "kubernetes",
        "type": kind,
        "reason": reason,
        "kind": "Pod",
        "namespace": "shop",
        "name": name,
        "uid": f"{reason}-{minutes}",
        "message": message,
        "count": 1,
        "attributes": [],
    }


POD = LEAK.entity["pod"]
EVENTS_SEEN = [
    event(64, "Normal", "ScalingReplicaSet", "checkout", "Scaled up replica set to 3"),
    event(62, "Normal", "Pulled", POD, 'Successfully pulled image "shop/checkout:4.11.0" in 2.1s'),
    event(61, "Normal", "Started", POD, "Started container checkout"),
    event(36, "Warning", "Unhealthy", POD, "Readiness probe failed: HTTP 503 after 1.0 s"),
    event(21, "Warning", "OOMKilled", POD, "<b>checkout</b> exceeded its memory limit of 2.2 GiB"),
    event(19, "Warning", "BackOff", POD, "Back-off restarting failed container"),
]


def rows(spec, listed):
    return pa.table(
        {f.name: pa.array([row.get(f.name) for row in listed], f.type) for f in spec.schema},
        schema=spec.schema,
    )


AGES = {"eu-1": timedelta(0), "us-2": timedelta(minutes=6), "ap-3": timedelta(hours=1)}
"""By cluster, how long it has been silent."""

WORKLOADS = {
    "shop": ("cart", "catalogue", "checkout", "payment", "search", "web"),
    "platform": ("gateway", "kafka", "postgres", "prometheus"),
}
SEEN = (
    # metric, hours ago, minutes, score, actual, expected
    ("http_requests_total", 1.4, 25, 2.6, 41.0, 163.0),
    ("http_request_duration_seconds", 1.6, 31, 5.1, 1.92, 0.214),
    ("container_cpu_usage_seconds_total", 4.0, 18, 1.3, 1.84, 0.62),
    ("container_network_receive_bytes_total", 7.5, 55, 3.4, 48.2e6, 9.1e6),
    ("kafka_consumer_lag", 9.1, 120, 4.2, 184e3, 1.2e3),
    ("volume_used_ratio", 13.2, 44, 1.1, 0.934, 0.71),
    ("container_memory_working_set_bytes", 15.0, 12, 1.9, 640e6, 410e6),
    ("http_requests_total", 15.4, 20, 2.2, 512.0, 160.0),
    ("container_cpu_usage_seconds_total", 15.5, 16, 6.7, 3.9, 0.4),
    ("postgres_connections", 15.6, 35, 2.9, 198.0, 74.0),
    ("http_request_duration_seconds", 21.0, 9, 1.4, 0.61, 0.18),
)


def fill(lake: Lake) -> None:
    """Three clusters, one with a leak of memory right now, one late, one silent for an hour."""
    catalogue = Catalogue()
    metrics = sorted({metric for metric, *_ in SEEN})
    others = [
        labels(cluster, metric, namespace=namespace, workload=workload)
        for cluster in AGES
        for namespace, workloads in WORKLOADS.items()
        for workload in workloads
        for metric in metrics
    ]
    parts = [samples(LEAK, leaking(5760), NOW)]
    parts += [samples(one, np.ones(4), NOW - AGES[one.cluster]) for one in others]
    batch = direct.batch(catalogue, *zip(*parts, strict=True))
    direct.append(lake, catalogue, batch, CommitKey("test", 1))
    leak = anomaly(
        LEAK, 0, NOW - timedelta(minutes=61), 41, 8.4, state="interim",
        actual=2.44e9, expected=1.05e9, lower=1.01e9, upper=1.09e9,
    )  # fmt: skip
    seen = []
    for number, (metric, hours, minutes, score, actual, expected) in enumerate(SEEN, start=1):
        about = [one for one in others if one.metric == metric][number * 7 % 30]
        direction = "above" if actual > expected else "below"
        start = NOW - timedelta(hours=hours)
        values = {"actual": actual, "expected": expected, "direction": direction}
        seen.append(anomaly(about, number, start, minutes, score, **values))
    lake.anomalies.append(rows(ANOMALIES, [leak, *seen]))
    lake.events.append(rows(EVENTS, EVENTS_SEEN))


@contextmanager
def served(folder: Path, filler=None) -> Iterator[str]:
    """A real server on a free port of the loopback."""
    service = Service.build(Settings(data_dir=folder, api=ApiSettings(port=0)))
    if filler:
        filler(service.lake)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(service, run_worker=False), log_level="warning", ws="websockets-sansio"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.02)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
