"""Receivers of remote write to measure: ours, and the rivals that are installed; and what to send.

One server runs at a time, each with an empty folder of its own, on loopback.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from benchmarks.connection import Connection
from ingest.remote_write import message

PER_REQUEST, LABELS = 2_000, 10
START_SECONDS = 60.0
SETTLE_SECONDS = 7.0
"""Rivals go on in the background after they have acknowledged: VictoriaMetrics flushes each 5 s."""


@dataclass(frozen=True)
class Server:
    """A receiver. `waiting` names the gauge of samples not yet stored, if it has one."""

    name: str
    command: list[str]
    port: int
    ready: str
    waiting: str | None = None


def label_sets(n_series: int) -> list[list[bytes]]:
    """Encoded labels of so many series, ten each."""
    return [
        message.encode_labels(
            [
                ("__name__", f"bench_metric_{number % 100}"),
                ("cluster", f"bench-{number % 3}"),
                ("pod", f"workload-{number % 400}-7c9d8f6b54-x2v9k"),
                ("series", str(number)),
                *((f"label_{k}", f"value_{k}_{number % (k + 2)}") for k in range(LABELS - 4)),
            ]
        )
        for number in range(n_series)
    ]


def bodies(labels: Sequence[list[bytes]], at_ms: int, rng: np.random.Generator) -> list[bytes]:
    """Requests with one sample of each series."""
    made = []
    for start in range(0, len(labels), PER_REQUEST):
        some = labels[start : start + PER_REQUEST]
        made.append(
            message.pack(
                message.build(
                    some,
                    np.ones(len(some), np.int64),
                    np.full(len(some), at_ms, np.int64),
                    rng.normal(100, 10, len(some)),
                )
            )
        )
    return made


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ours(folder: Path) -> Server:
    """`fleetlake up`."""
    port = free_port()
    config = folder / "fleetlake.yaml"
    config.write_text(f"data_dir: {folder / 'data'}\napi: {{port: {port}}}\n")
    program = str(Path(sys.executable).with_name("fleetlake"))
    command = [program, "up", "--config", str(config)]
    return Server("fleetlake", command, port, "/healthz", "fleetlake_samples_waiting")


def prometheus(folder: Path) -> Server | None:
    """Debian's Prometheus, taking remote write."""
    program = shutil.which("prometheus")
    if program is None:
        return None
    port = free_port()
    empty = folder / "prometheus.yml"
    empty.write_text("scrape_configs: []\n")
    command = [
        program,
        f"--config.file={empty}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--log.level=error",
    ]
    return Server("prometheus", command, port, "/-/ready")


def victoria_metrics(folder: Path, *options: str) -> Server | None:
    """Debian's VictoriaMetrics, a single node."""
    program = shutil.which("victoria-metrics")
    if program is None:
        return None
    port = free_port()
    command = [
        program,
        f"-storageDataPath={folder / 'vm'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-loggerLevel=ERROR",
        *options,
    ]
    return Server("victoria-metrics", command, port, "/health")


def installed(folder: Path) -> list[Server]:
    """Ours first, then the rivals that are installed."""
    rivals = [prometheus(folder), victoria_metrics(folder)]
    return [ours(folder), *(one for one in rivals if one is not None)]


@contextlib.contextmanager
def started(server: Server) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """The server's process and a client on one connection."""
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
            yield child, client
    finally:
        child.terminate()
        child.wait()


def send(server: Server, rounds: Iterable[Sequence[bytes]]) -> None:
    """Send requests one after the other over one connection; each must be acknowledged."""
    with Connection(server.port) as connection:
        for requests in rounds:
            for body in requests:
                connection.write(body)


def settle(server: Server, client: httpx.Client) -> None:
    """Wait until all that was acknowledged is stored, or for as long as that takes the rivals."""
    if server.waiting is None:
        time.sleep(SETTLE_SECONDS)
        return
    while True:
        lines = client.get("/metrics").text.splitlines()
        if next(float(ln.split()[1]) for ln in lines if ln.startswith(server.waiting + " ")) == 0:
            return
        time.sleep(0.2)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> int:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
