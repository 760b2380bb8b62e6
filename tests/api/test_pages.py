"""The first page, as a browser gets it: a real server, a real lake, Debian's Chromium."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pytest

from api.app import create_app
from api.pages import heat_map, line_chart
from api.server import bind, serving
from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import Series, identify
from lake import CommitKey, Lake, TimeRange
from lake.schema import ANOMALIES, EVENTS, FORECASTS
from lake.timerange import to_micros
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.service import Service
from orchestration.settings import Settings
from orchestration.steps.advice import rows as advice_rows
from orchestration.steps.advice.advice import Advice
from orchestration.steps.explain import Chart
from orchestration.steps.incidents.update import update
from tests.patience import PATIENCE, wait_until

CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.timeout(5 * PATIENCE)
NOW = datetime(2026, 3, 2, 22, 10, tzinfo=UTC)


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
    """Scrapes every 30 s, the last of them at `end`."""
    times = to_micros(end) // 1000 - np.arange(len(values))[::-1] * 30_000
    return series, times.astype(np.int64), values


def leaking(n: int) -> np.ndarray:
    """A daily rhythm with noise, and a leak from 65 to 20 minutes before the end."""
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


ADVICE = Advice(
    "eu-1",
    "container_cpu",
    "shop/cart/app",
    "CPU of shop/cart/app in eu-1: request 2 cores → 0.3 cores; saves 3.4 cores in 2 pods",
    "in 14 days it used at most 0.31 cores in a pod",
    saving_cpu_cores=3.4,
    risk=0.012,
    current_risk=0.0,
    confidence=0.97,
)


def foretold(name: str, hours: float | None, used: float, **more):
    """A row of forecasts that was made ten minutes ago."""
    eta = None if hours is None else NOW + timedelta(hours=hours)
    return {
        "cluster": "eu-1",
        "forecast_id": name,
        "resource": "volume",
        "namespace": "platform",
        "subject": name,
        "made_at": NOW - timedelta(minutes=10),
        "value": used * 1e9,
        "capacity": 1e9,
        "threshold": 0.9e9,
        "eta": eta,
        "eta_lower": eta and eta - timedelta(hours=0.3 * hours),
        "eta_upper": eta and eta + timedelta(hours=0.8 * hours),
        "horizon_seconds": 4 * 3600.0,
        "chance": None if hours is None else 0.93,
        "coverage": 0.79,
        "abstained": False,
        "lake_version": 1,
        **more,
    }


FORETOLD = [
    foretold("data-kafka-0", 3.5, 0.81),
    foretold("<b>data-postgres-0</b>", 0.6, 0.87),
    foretold("/var", 2.0, 0.72, resource="filesystem", node="node-7", threshold=0.8e9),
    foretold("calm", None, 0.2, reason="shrinking"),
    foretold("full", None, 1.0, abstained=True, reason="threshold already passed"),
    foretold("unlimited", None, 0.5, abstained=True, reason="no limit known"),
    foretold("noisy", None, 0.5, abstained=True, reason="too few values", cluster="us-2"),
]


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
    given = advice_rows.new_row(ADVICE, "rightsizing", NOW, 1)
    lake.advice.append(advice_rows.table([given]))
    lake.forecasts.append(rows(FORECASTS, FORETOLD))
    day = TimeRange(NOW - timedelta(days=2), NOW)
    update(lake, DetectionSettings(), IncidentSettings(), day, NOW)


@contextmanager
def served(folder: Path, filler=None) -> Iterator[str]:
    """A real server on a free port of the loopback."""
    service = Service.build(Settings(data_dir=folder), clock=lambda: NOW)
    if filler:
        filler(service.lake)
    listener = bind("127.0.0.1", 0)
    with serving(create_app(service, run_worker=False), listener) as address:
        yield address


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("lake"), fill) as address:
        yield address


def browser(url: str, folder: Path, *action: str) -> str:
    """What Chromium prints. Its clock runs ahead of ours, so only what is served at once counts."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    run = subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--hide-scrollbars", "--window-size=1440,990", "--virtual-time-budget=8000"),
            f"--user-data-dir={folder / 'profile'}",
            *action,
            url,
        ],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=True,
    )
    return run.stdout


def page_when_read(url: str, text: str) -> str:
    """The page; asked for again while the first read is still compiling the detectors."""

    def page() -> str:
        answer = httpx.get(url, timeout=PATIENCE)
        assert answer.status_code == 200
        return answer.text if text in answer.text else ""

    return wait_until(page, what=repr(text), every=0.5)


# Before `url` is there: NiceGUI bears one server at a time in a process.
def test_empty_lake_says_how_to_begin(tmp_path):
    with served(tmp_path / "data") as address:
        page_when_read(address, "No cluster yet")
        dom = browser(address, tmp_path, "--dump-dom")
    assert "/api/v1/write" in dom


def test_page_is_served_with_its_data(url):
    page = page_when_read(url, "OOMKilled")
    assert all(cluster in page for cluster in AGES)
    assert "container_memory_working_set_bytes" in page
    assert "2.27 GiB" in page
    assert "request 2 cores → 0.3 cores" in page
    assert "3.4 cores" in page


def test_nothing_is_loaded_from_elsewhere(url):
    page = httpx.get(url).text
    outside = [part[:60] for part in page.split('"') if part.startswith(("http:", "https:", "//"))]
    assert [part for part in outside if "www.w3.org" not in part and url not in part] == []


def test_api_keeps_its_own_errors(url):
    missing = httpx.get(f"{url}/api/v1/nothing")
    assert (missing.status_code, missing.json()["title"]) == (404, "not found")
    assert httpx.delete(f"{url}/api/v1/clusters").status_code == 405
    assert httpx.get(f"{url}/docs").status_code == 200


def test_browser_renders_it(url, tmp_path):
    page_when_read(url, "OOMKilled")
    dom = browser(url, tmp_path, "--dump-dom")
    for text in ("eu-1", "us-2", "ap-3", "silent · 1 h", "kafka_consumer_lag", "46 MiB/s"):
        assert text in dom
    assert "normal range</text>" in dom, "the band is in the chart's legend"
    assert "&lt;b&gt;checkout&lt;/b&gt;" in dom
    assert "<b>checkout</b>" not in dom, "an event's message must not become markup"


def test_incidents_stand_above_their_anomalies_with_their_cause(url, tmp_path):
    page_when_read(url, "OOMKilled")
    dom = browser(url, tmp_path, "--dump-dom")
    place = dom.index("Likeliest cause")
    assert place < dom.index("score 1 is the threshold")
    worst = re.search(r'class="severity (critical|major)"', dom[place:])
    assert worst is not None
    assert f"{LEAK.entity['namespace']}/{LEAK.entity['workload']} " in dom[place:]


def test_browser_takes_a_picture(url, tmp_path):
    page_when_read(url, "OOMKilled")
    browser(url, tmp_path, f"--screenshot={tmp_path / 'page.png'}")
    assert (tmp_path / "page.png").stat().st_size > 100_000, "an empty page has about 15 kB"


def test_what_fills_stands_there_soonest_first_and_as_text(url, tmp_path):
    page_when_read(url, "OOMKilled")
    dom = browser(url, tmp_path, "--dump-dom")
    told = dom[dom.index("What fills") : dom.index("score 1 is the threshold")]
    assert "3 of 7 resources, within 4 h; made 02 Mar 22:00 UTC" in told
    names = ["data-postgres-0", "`/var` on node-7 of eu-1", "volume `data-kafka-0` in platform"]
    places = [told.index(name) for name in names]
    assert places == sorted(places)
    assert "&lt;b&gt;data-postgres-0" in told
    assert told.index("volume `full` in platform") < told.index("data-postgres-0")
    assert "is past 90 % for as long as is looked back" in told
    assert "<b>data" not in told, "a volume's name must not become markup"
    assert re.search('class="alarm">36 min<', told), "it is due within an hour"
    assert "02 Mar 23:34 – 03 Mar 01:46" in told
    assert "1 past their last level, spent or expired; 2 cannot be told: " in told


def test_address_names_the_anomaly(url):
    page = page_when_read(f"{url}/?anomaly=a5&window=2d", "184 k; expected 1.2 k")
    assert "12 in the last 2 d" in page


def test_anomaly_that_is_not_there_is_said(url):
    page_when_read(f"{url}/?anomaly=nope", "no anomaly has the id")


def test_heat_map_has_a_cell_for_every_cluster_and_bucket():
    start = datetime(2026, 3, 2, tzinfo=UTC)
    between = TimeRange(start, start + timedelta(hours=6))
    width = heat_map.bucket_for(timedelta(hours=6))
    row = {"cluster": "b", "at": start + width, "anomalies": 3, "score": 2.0}
    options = heat_map.heat_map([row], ["a", "b"], between, width)
    cells = options["series"][0]["data"]
    assert len(cells) == 2 * 36
    assert [cell["value"] for cell in cells if cell["value"][2]] == [[1, 1, 3]]


def test_line_chart_ends_with_its_data():
    start = datetime(2026, 3, 2, tzinfo=UTC)
    times = [start + timedelta(minutes=minute) for minute in range(10)]
    values = np.array([1024.0] * 4 + [np.nan] * 6, np.float32)
    series = labels("c", "memory_bytes")
    seen = anomaly(series, 1, times[2], 4, 2.0, actual=1024.0)
    options = line_chart.line_chart(Chart(times, values, None, None, None), seen, [])
    (actual,) = [one for one in options["series"] if one["name"] == "actual"]
    assert [value for _, value in actual["data"]] == [1, 1, 1, 1, None, None]
    assert options["yAxis"][0]["name"] == "KiB"
