"""Real Prometheus servers in agent mode: one whose receiver dies, and a pair of which one dies."""

import time
from contextlib import ExitStack

import httpx
import numpy as np
import pytest

from tests.real.programs import answers, free_port, need, running, tell, wait_for
from tests.real.receivers import ReceiverProcess

CONFIG = """
global:
  scrape_interval: 1s
  external_labels: {{cluster: {cluster}{replica}}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
remote_write:
  - url: {receiver}/api/v1/write
    queue_config: {{min_backoff: 50ms, max_backoff: 500ms, batch_send_deadline: 500ms}}
"""
REMOTE = "prometheus_remote_storage_"


class Agents:
    """An exporter, and agents that scrape it."""

    def __init__(self, folder, exits: ExitStack) -> None:
        self.folder, self.exits = folder, exits
        self.prometheus, exporter = need("prometheus", "prometheus-node-exporter")
        self.exporter = free_port()
        listen = f"--web.listen-address=127.0.0.1:{self.exporter}"
        exits.enter_context(running([exporter, listen], folder / "exporter.log"))

    def start(self, name: str, receiver: str, cluster: str, replica: str = "") -> "Agent":
        port, path = free_port(), self.folder / f"{name}.yml"
        label = f', __replica__: "{replica}"' if replica else ""
        path.write_text(
            CONFIG.format(cluster=cluster, replica=label, exporter=self.exporter, receiver=receiver)
        )
        command = [
            self.prometheus, "--enable-feature=agent", f"--config.file={path}",
            f"--storage.agent.path={self.folder / name}", f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        process = self.exits.enter_context(running(command, self.folder / f"{name}.log"))
        wait_for(answers(f"http://127.0.0.1:{port}/-/ready"), 30, name)
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

    def behind(self) -> float:
        """Seconds between the newest sample that it has and the newest that it has sent."""
        newest = self.total(REMOTE + "highest_timestamp_in_seconds")
        return newest - self.total(REMOTE + "queue_highest_sent_timestamp_seconds")


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


def up(server: ReceiverProcess) -> tuple[np.ndarray, np.ndarray]:
    rows = server.lake().sql(
        "SELECT epoch_ms(time) AS ms, value FROM samples WHERE metric = 'up' ORDER BY time"
    )
    return rows.column("ms").to_numpy(), rows.column("value").to_numpy()


def test_an_agent_loses_nothing_while_its_receiver_is_dead(agents, tmp_path):
    with ReceiverProcess(tmp_path) as server:
        agent = agents.start("agent", server.url, "agent-1")
        time.sleep(5)
        server.kill()
        time.sleep(3)
        server.start()
        time.sleep(6)
        wait_for(lambda: agent.behind() < 1.5, 30, "the agent caught up")
        failed, dropped, retried, sent = (
            agent.total(REMOTE + name)
            for name in ("samples_failed_total", "samples_dropped_total", "samples_retried_total",
                         "samples_total")
        )  # fmt: skip
        agent.process.terminate()
        agent.process.wait(30)
        server.wait_flushed()
        of_series = stored(server)
        scrapes, values = up(server)
    assert (failed, dropped) == (0, 0)
    assert retried > 0, "the receiver was never missed"
    assert len(scrapes) >= 12
    assert (values == 1).all()
    # The agent keeps to its interval but for milliseconds; a scrape less would be a second.
    assert np.abs(np.diff(scrapes) - 1000).max() < 500, np.diff(scrapes)
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
        wait_for(lambda: server.metrics().get(elected % "a") == 1, 30, "the first is elected")
        second = agents.start("b", server.url, "ha-1", "b")
        wait_for(lambda: server.metrics().get(deduplicated, 0) > 2000, 40, "the second sends too")
        alone = server.metrics()
        first.process.kill()
        killed_ms = time.time() * 1000
        wait_for(lambda: server.metrics().get(elected % "b") == 1, 30, "the second takes over")
        time.sleep(4)
        after = server.metrics()
        sound = second.total(REMOTE + "samples_failed_total")
        second.process.terminate()
        second.process.wait(30)
        server.wait_flushed()
        of_series = stored(server)
        scrapes, _ = up(server)
        labels = server.lake().sql("SELECT DISTINCT map_keys(labels) AS k FROM series").to_pylist()
    assert alone['fleetlake_replica_changes_total{cluster="ha-1"}'] == 0
    assert after['fleetlake_replica_changes_total{cluster="ha-1"}'] == 1
    assert elected % "a" not in after
    assert sound == 0
    assert not any("__replica__" in row["k"] for row in labels)
    gaps = np.diff(scrapes)
    # Both would be two samples a second; the seam is the timeout and what was in flight.
    seam = int(np.argmax(gaps))
    assert (np.delete(gaps, seam) > 900).all(), gaps
    assert (np.delete(gaps, seam) < 1500).all(), gaps
    assert gaps[seam] < 8000, gaps
    assert abs(scrapes[seam] - killed_ms) < 2500
    assert all((np.diff(times) > 0).all() for times in of_series.values())
    tell(f"gap of {gaps[seam]} ms, {after[deduplicated]:.0f} samples left out")
