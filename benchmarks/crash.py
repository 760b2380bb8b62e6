"""What is left of acknowledged samples after `kill -9`: ours beside the rivals installed.

    uv run python benchmarks/crash.py [--json] [--seconds 14]

Each server is sent remote write over one connection (20,000 series, 2,000 samples a request) for
some seconds, killed in the middle of it, started again on the same folder, and asked how many
samples it has. Nothing is sent a second time. Killing a process leaves what it has written in the
system's cache: a power cut would also take what was never fsynced, which is all that Prometheus has
and nothing that ours has acknowledged.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

# A script's own folder comes first, where files would hide the packages they measure.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.receivers import (  # noqa: E402
    Server,
    bodies,
    installed,
    label_sets,
    send,
    settle,
    started,
)
from benchmarks.reporting import Case, emit  # noqa: E402

SERIES = 20_000
PROMETHEUS = "sum(count_over_time({__name__=~'bench_.*'}[1h]))"


def survived(server: Server, seconds: float) -> tuple[int, int]:
    """Samples acknowledged before the kill, and samples found after it."""
    labels, rng = label_sets(SERIES), np.random.default_rng(1)
    acknowledged, at_ms = 0, round(time.time() * 1000) - 1_800_000
    with started(server) as (child, _):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            send(server, [bodies(labels, at_ms, rng)])
            acknowledged += SERIES
            at_ms += 1000
        child.kill()
        child.wait()
    with started(server) as (_, client):
        settle(server, client)
        return acknowledged, count(server, client)


def count(server: Server, client: httpx.Client) -> int:
    """Samples that a server has."""
    if server.name == "fleetlake":
        query = {"query": "SELECT count(*) FROM samples WHERE starts_with(metric, 'bench_')"}
        return int(client.post("/api/v1/sql", json=query).raise_for_status().json()["rows"][0][0])
    reply = client.get("/api/v1/query", params={"query": PROMETHEUS}).raise_for_status()
    result = reply.json()["data"]["result"]
    return int(float(result[0]["value"][1])) if result else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=14.0)
    options = parser.parse_args()
    shares = {}
    with tempfile.TemporaryDirectory() as folder:
        for server in installed(Path(folder)):
            sent, found = survived(server, options.seconds)
            print(f"{server.name}: {found:,} of {sent:,}", file=sys.stderr)
            shares[server.name] = found / sent * 100
    ours = shares.pop("fleetlake")
    cases = [
        Case("acknowledged samples left after kill -9", "percent", ours, rival, name)
        for name, rival in (shares or {"none installed": None}).items()
    ]
    emit(cases, json=options.json)


if __name__ == "__main__":
    main()
