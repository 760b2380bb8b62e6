"""A real Alertmanager, and a real Prometheus, tell a real `fleetlake up` of alerts."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from ingest.alertmanager import fingerprint
from lake import Lake
from tests.real.programs import FLEETLAKE, answers, free_port, need, running, wait_for

FLEETLAKE_CONFIG = """
data_dir: {folder}/data
api: {{port: {receiver}}}
ingest: {{flush_every: PT1S, default_cluster: real-1}}
"""

ALERTMANAGER_CONFIG = """
route:
  receiver: lake
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 2s
receivers:
  - name: lake
    webhook_configs: [{{url: "http://127.0.0.1:{receiver}/api/v1/alertmanager/webhook"}}]
"""

PROMETHEUS_CONFIG = """
global:
  scrape_interval: 1s
  evaluation_interval: 1s
  external_labels: {{cluster: real-2}}
rule_files: ["{folder}/rules.yml"]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{receiver}"]}}]}}]
scrape_configs:
  - job_name: gone
    static_configs: [{{targets: ["127.0.0.1:{gone}"], labels: {{node: n1}}}}]
"""

RULES = """
groups:
  - name: targets
    rules:
      - alert: TargetDown
        expr: up == 0
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.job }} does not answer"}
"""

LABELS = {"alertname": "DiskFull", "namespace": "shop", "pod": "cart-0", "severity": "critical"}


@dataclass
class Place:
    """A receiver, and what it has stored."""

    folder: Path
    ports: dict[str, int]
    programs: ExitStack

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text.format(folder=self.folder, **self.ports))
        return path

    def start(self, name: str, command: list[str], ready: str) -> None:
        log = self.folder / f"{name}.log"
        self.programs.enter_context(running(command, log))
        wait_for(answers(self.url(name) + ready), f"{name} started")

    def events(self) -> list[dict]:
        lake = Lake.open(self.folder / "data" / "lake", create=False)
        return lake.sql("SELECT * FROM events WHERE source = 'alert' ORDER BY time").to_pylist()

    def counted(self, name: str, metric: str) -> float:
        """The sum of a metric of one of the programs, by what its lines begin with."""
        text = httpx.get(self.url(name) + "/metrics").raise_for_status().text
        lines = [line for line in text.splitlines() if line.startswith(metric)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def counts(self) -> list[int]:
        return [event["count"] for event in self.events()]


@pytest.fixture
def place(tmp_path):
    names = ("receiver", "alertmanager", "prometheus", "gone")
    with ExitStack() as programs:
        one = Place(tmp_path, {name: free_port() for name in names}, programs)
        config = one.write("fleetlake.yaml", FLEETLAKE_CONFIG)
        one.start("receiver", [str(FLEETLAKE), "up", "--config", str(config)], "/healthz")
        yield one


def test_an_alertmanager_tells_of_an_alert_and_of_its_end(place):
    (program,) = need("prometheus-alertmanager")
    config = place.write("alertmanager.yml", ALERTMANAGER_CONFIG)
    command = [
        program,
        f"--config.file={config}",
        f"--storage.path={place.folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{place.ports['alertmanager']}",
        "--cluster.listen-address=",
    ]
    place.start("alertmanager", command, "/-/ready")
    starts = datetime.now(UTC) - timedelta(minutes=1)
    alert = {"labels": LABELS, "annotations": {"summary": "full"}, "startsAt": starts.isoformat()}

    def tell(**changes):
        reply = httpx.post(place.url("alertmanager") + "/api/v2/alerts", json=[alert | changes])
        reply.raise_for_status()

    tell()
    wait_for(lambda: place.counts() == [1], "a firing event")
    sent = 'alertmanager_notifications_total{integration="webhook"'
    wait_for(lambda: place.counted("alertmanager", sent) >= 4, "three repeats of the notification")
    assert place.counts() == [1]
    tell(endsAt=datetime.now(UTC).isoformat())
    wait_for(lambda: place.counts() == [1, 2], "a resolved event")
    firing, resolved = place.events()
    assert firing["uid"] == resolved["uid"]
    assert firing["uid"].startswith(fingerprint(LABELS)), "it is computed as Alertmanager does"
    assert firing["time"] == starts.replace(microsecond=starts.microsecond)
    assert (firing["type"], resolved["type"]) == ("Warning", "Normal")
    named = [firing[column] for column in ("cluster", "kind", "namespace", "name", "message")]
    assert named == ["real-1", "Pod", "shop", "cart-0", "full"]
    assert dict(firing["attributes"])["receiver"] == "lake"


def test_a_prometheus_takes_us_for_its_alertmanager(place):
    (program,) = need("prometheus")
    (place.folder / "rules.yml").write_text(RULES)
    config = place.write("prometheus.yml", PROMETHEUS_CONFIG)
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={place.folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{place.ports['prometheus']}",
        "--rules.alert.resend-delay=1s",
    ]
    place.start("prometheus", command, "/-/ready")
    wait_for(lambda: place.counts() == [1], "a firing event")
    # What it scrapes in vain comes to life: Prometheus' own metrics do.
    gone = [
        program,
        f"--config.file={place.write('empty.yml', 'scrape_configs: []')}",
        f"--storage.tsdb.path={place.folder / 'gone'}",
        f"--web.listen-address=127.0.0.1:{place.ports['gone']}",
    ]
    told = place.counted("prometheus", "prometheus_notifications_sent_total")
    wait_for(
        lambda: place.counted("prometheus", "prometheus_notifications_sent_total") >= told + 3,
        "three more evaluations, each of which tells of it again",
    )
    assert place.counts() == [1]
    place.start("gone", gone, "/-/ready")
    wait_for(lambda: place.counts() == [1, 2], "a resolved event")
    firing, resolved = place.events()
    assert firing["uid"] == resolved["uid"]
    assert (firing["cluster"], firing["kind"], firing["name"]) == ("real-2", "Node", "n1")
    assert (firing["reason"], firing["message"]) == ("TargetDown", "gone does not answer")
    errors = httpx.get(
        place.url("prometheus") + "/api/v1/query",
        params={"query": "prometheus_notifications_errors_total"},
    )
    assert all(float(one["value"][1]) == 0 for one in errors.json()["data"]["result"])
