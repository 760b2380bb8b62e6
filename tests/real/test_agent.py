"""Real Prometheus servers in agent mode: one whose receiver dies, and a pair of which one dies."""

import time
from contextlib import ExitStack

import httpx
import numpy as np
import pytest

from tests.patience import PATIENCE
from tests.real.programs import answers, free_port, need, running, tell, wait_for
from tests.real.receivers import ReceiverProcess

CONFIG = """
global:
  scrape_interval: 1s
  external_labels: {{cluster: {cluster}{replica}}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{exporter}"], labels: {{instance: node}}}}]
remote_write:
  - url: {receiver}/api/v1/write
    queue_config: {{min_backoff: 50ms, max_backoff: 500ms, batch_send_deadline: 500ms}}
"""
REMOTE = "prometheus_remote_storage_"
SERIES = 500
"""Samples of one scrape, about."""
SCRAPES = "promhttp_metric_handler_requests_total"
"""An exporter's own count of its scrapes: whether one is missing is seen by it, and by no clock."""


class Agents:
    """Agents, each of which scrapes an exporter of its own."""

    def __init__(self, folder, exits: ExitStack) -> None:
        self.folder, self.exits = folder, exits
        self.prometheus, self.exporter = need("prometheus", "prometheus-node-exporter")

    def start(self, name: str, receiver: str, cluster: str, replica: str = "") -> "Agent":
        exporter, port, path = free_port(), free_port(), self.folder / f"{name}.yml"
        listen = f"--web.listen-address=127.0.0.1:{exporter}"
        log = self.folder / f"exporter-{name}.log"
        self.exits.enter_context(running([self.exporter, listen], log))
        label = f', __replica__: "{replica}"' if replica else ""
        path.write_text(
            CONFIG.format(cluster=cluster, replica=label, exporter=exporter, receiver=receiver)
        )
        command = [
            self.prometheus, "--enable-feature=agent", f"--config.file={path}",
            f"--storage.agent.path={self.folder / name}", f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        process = self.exits.enter_context(running(command, self.folder / f"{name}.log"))
        wait_for(answers(f"http://127.0.0.1:{port}/-/ready"), name)
        return Agent(process, f"http://127.0.0.1:{port}/metrics")


class Agent:
    """A running agent, and what it says of itself: it answers no queries."""

    def __init__(self, process, url: str) -> None:
        self.process, self.url = process, url

    def total(self, name: str) -> float:
        lines = httpx.get(self.url).raise_for_status().text.splitlines()
        found = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)]
        assert found, f"no {name}"
        return sum(found)

    def sent_until(self) -> float:
        """The time of the newest sample that it has sent."""
        return self.total(REMOTE + "queue_highest_sent_timestamp_seconds")

    def wait_sent(self, samples: float) -> None:
        wait_for(lambda: self.total(REMOTE + "samples_total") > samples, f"{samples} samples sent")


@pytest.fixture
def agents(tmp_path):
    with ExitStack() as exits:
        yield Agents(tmp_path, exits)


def stored(server: ReceiverProcess) -> dict[int, np.ndarray]:
    """Times of each series in the lake, in order, in ms."""
    rows = server.lake().sql(
        "SELECT series_id, list(epoch_ms(time) ORDER BY time) AS ms FROM samples GROUP BY ALL"
    )
    return {row["series_id"]: np.array(row["ms"]) for row in rows.to_pylist()}


def scraped(server: ReceiverProcess) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each answered scrape its time, the exporter's count of scrapes, and since when it runs."""
    rows = server.lake().sql(
        "SELECT epoch_ms(time) AS ms, counted.value AS n, started.value AS since "
        f"FROM (FROM metrics WHERE metric = '{SCRAPES}' AND labels['code'] = '200') AS counted "
        "JOIN (FROM samples WHERE metric = 'process_start_time_seconds') AS started USING (time) "
        "ORDER BY time"
    )
    return tuple(rows.column(name).to_numpy() for name in ("ms", "n", "since"))


def failed_scrapes(server: ReceiverProcess) -> int:
    """Those that took longer than their second: the exporter may have counted them."""
    sql = "SELECT count(*) AS n FROM samples WHERE metric = 'up' AND value = 0"
    return server.lake().sql(sql)["n"][0].as_py()


def test_an_agent_loses_nothing_while_its_receiver_is_dead(agents, tmp_path):
    with ReceiverProcess(tmp_path) as server:
        agent = agents.start("agent", server.url, "agent-1")
        agent.wait_sent(5 * SERIES)
        killed_ms = time.time() * 1000
        server.kill()
        time.sleep(3)
        server.start()
        started_ms = time.time() * 1000
        # What it has by now is sent, and some scrapes more.
        wait_for(lambda: agent.sent_until() * 1000 > started_ms, "the agent caught up")
        agent.wait_sent(agent.total(REMOTE + "samples_total") + 5 * SERIES)
        failed, dropped, retried, sent = (
            agent.total(REMOTE + name)
            for name in ("samples_failed_total", "samples_dropped_total", "samples_retried_total",
                         "samples_total")
        )  # fmt: skip
        agent.process.terminate()
        agent.process.wait(PATIENCE)
        server.wait_flushed()
        of_series = stored(server)
        (scrapes, counted, _), too_slow = scraped(server), failed_scrapes(server)
    assert (failed, dropped) == (0, 0)
    assert retried > 0, "the receiver was never missed"
    assert scrapes[0] < killed_ms
    assert ((scrapes > killed_ms) & (scrapes < started_ms)).any(), "what came while it was dead"
    assert scrapes[-1] > started_ms
    # The exporter counts a scrape once it is answered: its first has nothing to tell yet.
    missing = np.diff(counted) - 1
    assert (missing >= 0).all()
    assert missing.sum() <= too_slow, "a scrape that the lake does not have"
    assert len(of_series) > 300
    whole = 0
    for times in of_series.values():
        assert (np.diff(times) > 0).all(), "a sample twice"
        assert np.isin(times, scrapes).all(), "a sample that no scrape brought"
        first, last = np.searchsorted(scrapes, times[[0, -1]])
        # Only what came and went between scrapes has gaps: node_exporter has no such series.
        assert len(times) == last - first + 1, "a gap"
        whole += len(times) == len(scrapes)
    assert whole > 300
    total = sum(map(len, of_series.values()))
    # Stale markers are sent and are no values; samples after the look at the counter are stored.
    assert total <= sent + 3 * len(of_series)
    tell(f"{total} samples, {len(of_series)} series, {len(scrapes)} scrapes, {retried:.0f} retried")


def test_one_of_a_pair_is_stored_and_the_other_takes_over(agents, tmp_path):
    server = ReceiverProcess(tmp_path, {"ha": {"failover_timeout": "PT4S"}})
    elected = 'fleetlake_replica_elected{cluster="ha-1",replica="%s"}'
    deduplicated = 'fleetlake_samples_deduplicated_total{cluster="ha-1"}'
    with server:
        first = agents.start("a", server.url, "ha-1", "a")
        wait_for(lambda: server.metrics().get(elected % "a") == 1, "the first is elected")
        second = agents.start("b", server.url, "ha-1", "b")
        wait_for(lambda: server.metrics().get(deduplicated, 0) > 2000, "the second sends too")
        alone = server.metrics()
        first.process.kill()
        killed_ms = time.time() * 1000
        wait_for(lambda: server.metrics().get(elected % "b") == 1, "the second takes over")
        second.wait_sent(second.total(REMOTE + "samples_total") + 4 * SERIES)
        after = server.metrics()
        sound = second.total(REMOTE + "samples_failed_total")
        second.process.terminate()
        second.process.wait(PATIENCE)
        server.wait_flushed()
        of_series = stored(server)
        (scrapes, counted, exporters), too_slow = scraped(server), failed_scrapes(server)
        labels = server.lake().sql("SELECT DISTINCT map_keys(labels) AS k FROM series").to_pylist()
    assert alone['fleetlake_replica_changes_total{cluster="ha-1"}'] == 0
    assert after['fleetlake_replica_changes_total{cluster="ha-1"}'] == 1
    assert elected % "a" not in after
    assert sound == 0
    assert not any("__replica__" in row["k"] for row in labels)
    # Each has an exporter of its own, so what is stored says whose it is.
    (seam,) = np.flatnonzero(np.diff(exporters))
    missing = np.delete(np.diff(counted), seam) - 1
    assert (missing >= 0).all()
    assert missing.sum() <= too_slow, "a scrape that the lake does not have"
    assert scrapes[seam] < killed_ms < scrapes[seam + 1]
    gap_ms = scrapes[seam + 1] - scrapes[seam]
    assert gap_ms > 3000, "the first was not silent for long enough"
    assert all((np.diff(times) > 0).all() for times in of_series.values())
    tell(f"gap of {gap_ms} ms, {after[deduplicated]:.0f} samples left out")
