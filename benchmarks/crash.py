"""What is left of acknowledged samples after `kill -9`: ours beside the rivals installed.

    uv run python benchmarks/crash.py [--json] [--seconds 14 8]

Each server is sent remote write over one connection (20,000 series, 2,000 samples a request) for
some seconds, killed while it works on a request, started again on the same folder, and asked how
many samples it has: of those that it had acknowledged, which all must be there, and of the request
in flight, of which all or nothing should be. Nothing is sent a second time. How much a server loses
depends on when it last wrote to its files, so there is a run for each of `--seconds`, in an empty
folder each. Killing a process leaves what it has written in the system's cache: a power cut would
also take what was never fsynced, which is all that Prometheus has and nothing that ours has
acknowledged.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
import numpy as np

# A script's own folder comes first, where files would hide the packages they measure.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.connection import Connection  # noqa: E402
from benchmarks.receivers import (  # noqa: E402
    PER_REQUEST,
    Server,
    bodies,
    installed,
    label_sets,
    settle,
    started,
)
from benchmarks.reporting import Case, emit  # noqa: E402

SERIES = 20_000
LAST = 50
"""Requests made beforehand, so that one is under way whenever the kill comes."""

OURS = """
    SELECT count(*) FILTER (epoch_ms(time) < {at}), count(*) FILTER (epoch_ms(time) >= {at})
    FROM samples WHERE starts_with(metric, 'bench_')
"""
RIVALS = "sum(count_over_time({__name__=~'bench_.*'}[1h]))"


@dataclass(frozen=True)
class Outcome:
    """Samples acknowledged before a kill; found after it of those, and of the one in flight."""

    acknowledged: int
    left: int
    in_flight_left: int


def survived(server: Server, seconds: float) -> Outcome:
    """What a server has after a kill that came after so many seconds."""
    labels, rng = label_sets(SERIES), np.random.default_rng(round(seconds * 1000))
    times = count(round(time.time() * 1000) - 1_800_000, 1000)
    with started(server) as (child, _):
        with Connection(server.port) as connection:
            acknowledged, took = _send_for(seconds, connection, labels, times, rng)
            last = list(_one_by_one(labels, times, rng))
            # Later than the next request begins, and anywhere within one.
            killer = threading.Timer(took + rng.uniform(0, took), child.kill)
            killer.start()
            at_ms = _send_until_killed(connection, last)
        killer.join()
        child.wait()
    with started(server) as (_, client):
        settle(server, client)
        acknowledged += PER_REQUEST * [moment for moment, _ in last].index(at_ms)
        return Outcome(acknowledged, *found(server, client, at_ms))


def _send_for(
    seconds: float,
    connection: Connection,
    labels: list[list[bytes]],
    times: Iterator[int],
    rng: np.random.Generator,
) -> tuple[int, float]:
    """Samples acknowledged in so many seconds, and how long the last request took."""
    acknowledged, took = 0, 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for body in bodies(labels, next(times), rng):
            began = time.monotonic()
            connection.write(body)
            took = time.monotonic() - began
            acknowledged += PER_REQUEST
    return acknowledged, took


def _send_until_killed(connection: Connection, requests: list[tuple[int, bytes]]) -> int:
    """The time of the request that got no answer; those before it did."""
    for at_ms, body in requests:
        try:
            connection.write(body)
        except OSError:
            return at_ms
    raise RuntimeError(f"{len(requests)} requests were answered before the server was killed")


def _one_by_one(
    labels: list[list[bytes]], times: Iterator[int], rng: np.random.Generator
) -> Iterator[tuple[int, bytes]]:
    """Requests with a time of their own each, by which what is found of each can be told."""
    for number in range(LAST):
        start = number * PER_REQUEST % SERIES
        at_ms = next(times)
        yield at_ms, bodies(labels[start : start + PER_REQUEST], at_ms, rng)[0]


def found(server: Server, client: httpx.Client, at_ms: int) -> tuple[int, int]:
    """Samples that a server has of before a time, and from then on."""
    if server.name == "fleetlake":
        query = {"query": OURS.format(at=at_ms)}
        rows = client.post("/api/v1/sql", json=query).raise_for_status().json()["rows"]
        return int(rows[0][0]), int(rows[0][1])
    before, through = (_samples_until(client, moment) for moment in (at_ms - 1, at_ms))
    return before, through - before


def _samples_until(client: httpx.Client, at_ms: int) -> int:
    # VictoriaMetrics is told not to answer from its cache, which outlives what it has lost.
    query = {"query": RIVALS, "time": f"{at_ms / 1000:.3f}", "nocache": "1"}
    reply = client.get("/api/v1/query", params=query).raise_for_status()
    result = reply.json()["data"]["result"]
    return int(float(result[0]["value"][1])) if result else 0


def run(seconds: float) -> list[Case]:
    """A run of so many seconds with each server."""
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        for server in installed(Path(folder)):
            outcomes[server.name] = one = survived(server, seconds)
            print(
                f"{seconds:g} s, {server.name}: {one.left:,} of {one.acknowledged:,} acknowledged, "
                f"{one.in_flight_left:,} of {PER_REQUEST:,} in flight",
                file=sys.stderr,
            )
    ours = outcomes.pop("fleetlake")
    return [
        Case(
            f"{what} after kill -9 at {seconds:g} s",
            unit,
            figure(ours),
            None if rival is None else figure(rival),
            name,
        )
        for name, rival in (outcomes or {"none installed": None}).items()
        for what, unit, figure in (
            ("acknowledged samples left", "percent", lambda of: of.left / of.acknowledged * 100),
            ("acknowledged samples left", "samples", lambda of: of.left),
            ("samples of the request in flight left", "samples", lambda of: of.in_flight_left),
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, nargs="+", default=[14.0, 8.0])
    options = parser.parse_args()
    emit([case for seconds in options.seconds for case in run(seconds)], json=options.json)


if __name__ == "__main__":
    main()
