"""A real node_exporter scraped by us and by a real Prometheus, which is pulled from: all agree."""

import math
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ingest.files import import_file
from ingest.pull.source import PrometheusSource
from ingest.receiver import Receiver
from ingest.scrape.source import ScrapeSource
from ingest.settings import IngestSettings
from lake import Lake
from orchestration.scraper import Scraper
from orchestration.steps.pull import pull_sources
from tests.real.programs import answers, free_port, need, running, wait_for

PROMETHEUS_CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
"""


@pytest.fixture
def exporter(tmp_path):
    (program,) = need("prometheus-node-exporter")
    port = free_port()
    command = [program, f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, tmp_path / "exporter.log") as process:
        wait_for(answers(f"http://127.0.0.1:{port}/metrics"), "node_exporter")
        yield port, process


@pytest.fixture
def prometheus(exporter, tmp_path):
    (program,) = need("prometheus")
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(PROMETHEUS_CONFIG.format(exporter=exporter[0]))
    command = [
        program,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with ExitStack() as stack:
        stack.enter_context(running(command, tmp_path / "prometheus.log"))
        url = f"http://127.0.0.1:{port}"
        wait_for(answers(f"{url}/-/ready"), "prometheus")
        yield url


def series_of(prometheus):
    now = time.time()
    asked = {"match[]": '{job="node"}', "start": now - 60, "end": now}
    return httpx.get(f"{prometheus}/api/v1/series", params=asked).json()["data"]


def labels_of_all(lake):
    rows = lake.sql("SELECT labels FROM series").column("labels").to_pylist()
    return {tuple(sorted(row)) for row in rows}


def test_a_scrape_names_its_series_as_prometheus_does(exporter, prometheus, tmp_path):
    port, process = exporter
    lake = Lake.open(tmp_path / "lake")
    receiver = Receiver(lake, tmp_path / "receiver", IngestSettings())
    source = ScrapeSource(
        cluster="real-1",
        job="node",
        targets=(f"127.0.0.1:{port}",),
        interval=timedelta(seconds=1),
        timeout=timedelta(seconds=1),
    )
    scraper = Scraper(receiver, (source,))
    scraper.start()
    try:
        wait_for(lambda: scraper.statistics.samples["real-1"] > 2_000, "scrapes")
        wait_for(lambda: series_of(prometheus), "scrapes by prometheus")
        told = series_of(prometheus)
        process.kill()
        wait_for(lambda: scraper.statistics.stale["real-1"] > 300, "series that end")
    finally:
        scraper.stop()
        receiver.close()
    theirs = {tuple(sorted({**one, "cluster": "real-1"}.items())) for one in told}
    # Prometheus alone relabels, so it alone reports on that.
    theirs = {one for one in theirs if "post_metric_relabeling" not in dict(one)["__name__"]}
    ours = labels_of_all(lake)
    # What a device or a clock does between two scrapes may add a series to either side.
    assert len(theirs ^ ours) <= 0.02 * len(theirs)
    assert len(ours) > 300
    kinds = lake.sql("SELECT DISTINCT kind, help FROM series WHERE metric = 'node_load1'")
    assert kinds.to_pylist() == [{"kind": "gauge", "help": "1m load average."}]
    up = lake.sql("SELECT value FROM metrics WHERE metric = 'up' ORDER BY time").to_pylist()
    assert (max(one["value"] for one in up), up[-1]["value"]) == (1.0, 0.0)


def test_a_real_prometheus_is_pulled_as_it_answers(prometheus, tmp_path):
    def scrapes():
        query = {"query": 'count_over_time(up{job="node"}[1m]) >= 8'}
        return httpx.get(f"{prometheus}/api/v1/query", params=query).json()["data"]["result"]

    wait_for(scrapes, "eight scrapes")
    lake = Lake.open(tmp_path / "lake")
    common = {"cluster": "real-1", "url": prometheus, "step": timedelta(seconds=1)}
    # So small that the answer comes in parts.
    source = PrometheusSource(
        **common, lookback=timedelta(seconds=20), settle=timedelta(0), max_answer_bytes=300_000
    )
    now = datetime.now(UTC)
    (first,) = pull_sources(lake, (source,), now.date(), now)
    assert first.error is None
    assert first.samples > 1_000
    (again,) = pull_sources(lake, (source,), now.date(), now + timedelta(seconds=2))
    held = lake.sql("SELECT series_id, time FROM samples").to_pylist()
    assert len(held) == len({(row["series_id"], row["time"]) for row in held})
    assert len(held) == first.samples + again.samples
    answer = httpx.get(
        f"{prometheus}/api/v1/query_range",
        params={
            "query": "node_load1",
            "start": first.range.start.timestamp(),
            "end": (first.range.end - timedelta(seconds=3)).timestamp(),
            "step": 1,
        },
    ).json()["data"]["result"]
    theirs = {round(at): float(value) for at, value in answer[0]["values"]}
    ours = {
        row["at"]: row["value"]
        for row in lake.sql(
            "SELECT epoch(time)::BIGINT AS at, value FROM metrics "
            "WHERE metric = 'node_load1' AND time <= $last",
            {"last": first.range.end - timedelta(seconds=3)},
        ).to_pylist()
    }
    assert ours == theirs


def test_what_a_real_exporter_writes_can_be_imported(exporter, tmp_path):
    port, _ = exporter
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    at = int(time.time() * 1000)
    lines = [line if line.startswith("#") else f"{line} {at}" for line in text.splitlines()]
    path = tmp_path / "node.prom"
    path.write_text("\n".join(lines))
    lake = Lake.open(tmp_path / "lake")
    now = datetime.now(UTC) + timedelta(minutes=1)
    done = import_file(lake, path, latest=now, cluster="real-1")
    assert done.samples == sum(not line.startswith("#") for line in lines)
    values = lake.sql("SELECT value FROM metrics WHERE metric = 'node_memory_MemTotal_bytes'")
    assert all(math.isfinite(row["value"]) for row in values.to_pylist())
