"""Cost of ingest over one connection that waits for each answer: ours beside Prometheus.

    uv run python benchmarks/ingest.py [--json] [--rounds 60] [--runs 3]

Bodies: 2,000 series a request, one sample each, ten labels, 20,000 series. The first round makes
the series, the others are steady state. Ours is `fleetlake up`: acknowledged means fsynced, and
the CPU figure goes on until every sample is in sorted Parquet and committed. Rivals, where
installed: Debian's `prometheus` as a remote-write receiver, and `victoria-metrics`; neither fsyncs
before it acknowledges. CPU is the server process' own, user + system; one server runs at a time;
medians of `--runs` runs.
"""

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

# A script's own folder comes first, where this file would hide the package it measures.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.reporting import Case, emit  # noqa: E402
from ingest.remote_write import message  # noqa: E402
from ingest.remote_write.send import HEADERS  # noqa: E402

SERIES, PER_REQUEST, LABELS = 20_000, 2_000, 10
MILLION = 1_000_000
START_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """A receiver to measure. `waiting` names the gauge of samples not yet stored, if it has one."""

    name: str
    command: list[str]
    port: int
    ready: str
    waiting: str | None = None


@dataclass(frozen=True)
class Run:
    """CPU seconds per million samples and samples a second."""

    new_cpu: float
    steady_cpu: float
    flushed_cpu: float
    rate: float


def bodies(rounds: int) -> list[list[bytes]]:
    """Request bodies, by round; time ends now, so that every receiver takes it."""
    rng = np.random.default_rng(1)
    labels = [
        message.encode_labels(
            [
                ("__name__", f"bench_metric_{number % 100}"),
                ("cluster", f"bench-{number % 3}"),
                ("pod", f"workload-{number % 400}-7c9d8f6b54-x2v9k"),
                ("series", str(number)),
                *((f"label_{k}", f"value_{k}_{number % (k + 2)}") for k in range(LABELS - 4)),
            ]
        )
        for number in range(SERIES)
    ]
    first_ms = round(time.time() * 1000) - rounds * 1000
    counts = np.ones(PER_REQUEST, np.int64)
    made = []
    for tick in range(rounds):
        at = np.full(PER_REQUEST, first_ms + tick * 1000, np.int64)
        made.append(
            [
                message.pack(
                    message.build(
                        labels[start : start + PER_REQUEST],
                        counts,
                        at,
                        rng.normal(100, 10, PER_REQUEST),
                    )
                )
                for start in range(0, SERIES, PER_REQUEST)
            ]
        )
    return made


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def servers(folder: Path) -> Iterator[Server]:
    """Ours, then the rivals that are installed."""
    port = free_port()
    config = folder / "fleetlake.yaml"
    config.write_text(f"data_dir: {folder / 'data'}\napi: {{port: {port}}}\n")
    program = str(Path(sys.executable).with_name("fleetlake"))
    yield Server(
        "fleetlake",
        [program, "up", "--config", str(config)],
        port,
        "/healthz",
        "fleetlake_samples_waiting",
    )
    prometheus = shutil.which("prometheus")
    if prometheus:
        port = free_port()
        empty = folder / "prometheus.yml"
        empty.write_text("scrape_configs: []\n")
        yield Server(
            "prometheus",
            [
                prometheus,
                f"--config.file={empty}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-remote-write-receiver",
                "--log.level=error",
            ],
            port,
            "/-/ready",
        )
    victoria = shutil.which("victoria-metrics")
    if victoria:
        port = free_port()
        yield Server(
            "victoria-metrics",
            [
                victoria,
                f"-storageDataPath={folder / 'vm'}",
                f"-httpListenAddr=127.0.0.1:{port}",
                "-loggerLevel=ERROR",
            ],
            port,
            "/health",
        )


@contextlib.contextmanager
def started(server: Server) -> Iterator[tuple[int, httpx.Client]]:
    """The server's process id and a client on one connection."""
    child = subprocess.Popen(server.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
            end = time.monotonic() + START_SECONDS
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(server.ready).is_success:
                        break
                if time.monotonic() > end:
                    raise TimeoutError(f"{server.name} did not start")
                time.sleep(0.05)
            yield child.pid, client
    finally:
        child.terminate()
        child.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send(client: httpx.Client, requests: list[bytes]) -> None:
    for body in requests:
        reply = client.post("/api/v1/write", content=body, headers=HEADERS)
        if not reply.is_success:
            raise RuntimeError(f"status {reply.status_code}: {reply.text[:200]}")


def wait_flushed(client: httpx.Client, gauge: str) -> None:
    """Wait until nothing waits for the lake."""
    while True:
        lines = client.get("/metrics").text.splitlines()
        value = next(float(line.split()[1]) for line in lines if line.startswith(gauge + " "))
        if value == 0:
            return
        time.sleep(0.2)


def measure(server: Server, rounds: list[list[bytes]]) -> Run:
    """One run against a fresh server."""
    with started(server) as (pid, client):
        before = cpu_seconds(pid)
        send(client, rounds[0])
        after_new = cpu_seconds(pid)
        clock = time.monotonic()
        for requests in rounds[1:]:
            send(client, requests)
        seconds = time.monotonic() - clock
        acknowledged = cpu_seconds(pid)
        if server.waiting:
            wait_flushed(client, server.waiting)
        flushed = cpu_seconds(pid)
    steady = SERIES * (len(rounds) - 1)
    return Run(
        (after_new - before) / SERIES * MILLION,
        (acknowledged - after_new) / steady * MILLION,
        (flushed - before) / (steady + SERIES) * MILLION,
        steady / seconds,
    )


FIGURES = (
    ("new series", "cpu_s_per_million", "new_cpu"),
    ("steady state, acknowledged", "cpu_s_per_million", "steady_cpu"),
    ("all, acknowledged and flushed", "cpu_s_per_million", "flushed_cpu"),
    ("steady state", "samples_per_s", "rate"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=60, help="samples of each series")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    results: dict[str, list[Run]] = {}
    for _ in range(options.runs):
        rounds = bodies(options.rounds)
        with tempfile.TemporaryDirectory() as folder:
            for server in servers(Path(folder)):
                results.setdefault(server.name, []).append(measure(server, rounds))
    medians = {
        name: {
            field: statistics.median(getattr(run, field) for run in runs) for _, _, field in FIGURES
        }
        for name, runs in results.items()
    }
    ours = medians.pop("fleetlake")
    cases = [
        Case(case, unit, ours[field], rival[field], name)
        for name, rival in (medians or {"none installed": dict.fromkeys(ours)}).items()
        for case, unit, field in FIGURES
    ]
    emit(cases, json=options.json)


if __name__ == "__main__":
    main()
