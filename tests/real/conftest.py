"""A real Prometheus that scrapes a real node_exporter and writes to a real `fleetlake up`."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import httpx
import pytest

from tests.real.programs import FLEETLAKE, answers, free_port, need, running, wait_for

PROMETHEUS_CONFIG = """
global:
  scrape_interval: 1s
  external_labels: {{cluster: real-1}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
  - job_name: prometheus
    static_configs: [{{targets: ["127.0.0.1:{prometheus}"]}}]
remote_write:
  - url: http://127.0.0.1:{receiver}/api/v1/write
    queue_config: {{min_backoff: 50ms, max_backoff: 500ms, batch_send_deadline: 500ms}}
"""

FLEETLAKE_CONFIG = """
data_dir: {folder}
api: {{port: {receiver}}}
ingest: {{flush_every: PT1S}}
"""


@dataclass
class Stack:
    """The three processes and their ports; `receiver` can be killed and started again."""

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    receiver: Popen | None = None
    _exit: ExitStack = field(default_factory=ExitStack)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def start_receiver(self) -> None:
        command = [str(FLEETLAKE), "up", "--config", str(self.folder / "fleetlake.yaml")]
        self.receiver = self._exit.enter_context(running(command, self.folder / "fleetlake.log"))
        wait_for(answers(self.url("receiver") + "/healthz"), "fleetlake up")

    def kill_receiver(self) -> None:
        assert self.receiver is not None
        self.receiver.kill()
        self.receiver.wait()

    def query(self, expression: str, at: float) -> list[dict]:
        reply = httpx.get(
            self.url("prometheus") + "/api/v1/query", params={"query": expression, "time": at}
        )
        return reply.raise_for_status().json()["data"]["result"]

    def start(self) -> None:
        prometheus, exporter = need("prometheus", "prometheus-node-exporter")
        self.ports = {name: free_port() for name in ("receiver", "prometheus", "exporter")}
        settings = FLEETLAKE_CONFIG.format(folder=self.folder / "data", **self.ports)
        (self.folder / "fleetlake.yaml").write_text(settings)
        (self.folder / "prometheus.yml").write_text(PROMETHEUS_CONFIG.format(**self.ports))
        self.start_receiver()
        self._exit.enter_context(
            running(
                [exporter, f"--web.listen-address=127.0.0.1:{self.ports['exporter']}"],
                self.folder / "exporter.log",
            )
        )
        self._exit.enter_context(
            running(
                [
                    prometheus,
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}",
                ],
                self.folder / "prometheus.log",
            )
        )
        wait_for(answers(self.url("prometheus") + "/-/ready"), "prometheus")

    def stop(self) -> None:
        self._exit.close()


@pytest.fixture
def stack(tmp_path: Path):
    built = Stack(tmp_path)
    try:
        built.start()
        yield built
    finally:
        built.stop()
