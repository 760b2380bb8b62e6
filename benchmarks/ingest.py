"""Cost of ingest over one connection that waits for each answer: ours beside the rivals installed.

    uv run python benchmarks/ingest.py [--json] [--rounds 100] [--runs 3] [--rival NAME] [--memory]

Bodies: 2,000 series a request, one sample each, ten labels, 20,000 series. The first 20 rounds are
"while series are new" (they make the 20,000 series), `--rounds` more are steady state. CPU is the
server process' own, user + system, up to the moment when all of it is stored: for ours, fsynced
before it was acknowledged, and in sorted Parquet, committed; for rivals, seven seconds later, which
VictoriaMetrics' background flush needs. Neither rival fsyncs before it acknowledges. Rivals, where
installed: Debian's `prometheus` as a remote-write receiver, and `victoria-metrics`. One server runs
at a time; medians of `--runs` runs. Where the machine changes its speed within minutes, medians of
different minutes say little: each run measures all servers one after the other, and the median of
the runs' own ratios is given too; `--rival` leaves out the other rivals, so that a run is short.
`--memory` measures the peak of a million series instead, each sent twice.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# A script's own folder comes first, where this file would hide the package it measures.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.receivers import (  # noqa: E402
    Server,
    bodies,
    cpu_seconds,
    installed,
    label_sets,
    memory_bytes,
    send,
    settle,
    started,
)
from benchmarks.reporting import Case, emit  # noqa: E402

OURS = "fleetlake"
SERIES, NEW_ROUNDS = 20_000, 20
MANY_SERIES = 1_000_000
MILLION = 1_000_000


@dataclass(frozen=True)
class Run:
    """CPU seconds per million samples; samples a second."""

    first_cpu: float
    new_cpu: float
    acknowledged_cpu: float
    steady_cpu: float
    rate: float


def measure(server: Server, rounds: list[list[bytes]]) -> Run:
    """One run against a fresh server."""
    with started(server) as (child, client):
        time.sleep(1)
        at_start = cpu_seconds(child.pid)
        send(server, rounds[:1])
        first = cpu_seconds(child.pid)
        send(server, rounds[1:NEW_ROUNDS])
        settle(server, client)
        new = cpu_seconds(child.pid)
        clock = time.monotonic()
        send(server, rounds[NEW_ROUNDS:])
        seconds = time.monotonic() - clock
        acknowledged = cpu_seconds(child.pid)
        settle(server, client)
        steady = cpu_seconds(child.pid)
    count = SERIES * (len(rounds) - NEW_ROUNDS)
    return Run(
        (first - at_start) / SERIES * MILLION,
        (new - at_start) / (SERIES * NEW_ROUNDS) * MILLION,
        (acknowledged - new) / count * MILLION,
        (steady - new) / count * MILLION,
        count / seconds,
    )


FIGURES = (
    ("steady state, acknowledged and stored", "cpu_s_per_million", "steady_cpu"),
    ("steady state, acknowledged", "cpu_s_per_million", "acknowledged_cpu"),
    ("while series are new (20 rounds), stored", "cpu_s_per_million", "new_cpu"),
    ("first round alone: every series new", "cpu_s_per_million", "first_cpu"),
    ("steady state", "samples_per_s", "rate"),
)


def costs(rounds: int, runs: int, only: str | None) -> list[Case]:
    """CPU and rate of each server, as medians, and the medians of the runs' ratios."""
    results: dict[str, list[Run]] = {}
    labels, rng = label_sets(SERIES), np.random.default_rng(1)
    for _ in range(runs):
        total = NEW_ROUNDS + rounds
        first_ms = round(time.time() * 1000) - total * 1000
        requests = [bodies(labels, first_ms + tick * 1000, rng) for tick in range(total)]
        with tempfile.TemporaryDirectory() as folder:
            for server in installed(Path(folder)):
                if only in (None, server.name) or server.name == OURS:
                    results.setdefault(server.name, []).append(measure(server, requests))
    medians = {
        name: {
            field: statistics.median(getattr(run, field) for run in of) for _, _, field in FIGURES
        }
        for name, of in results.items()
    }
    ours, runs_of_ours = medians.pop(OURS), results.pop(OURS)
    return [
        Case(case, unit, ours[field], rival[field], name)
        for name, rival in (medians or {"none installed": dict.fromkeys(ours)}).items()
        for case, unit, field in FIGURES
    ] + [
        Case(f"{case}: median ratio to {name}", "ours/rival", statistics.median(ratios))
        for name, theirs in results.items()
        for case, _, field in FIGURES
        for ratios in [
            [
                getattr(a, field) / getattr(b, field)
                for a, b in zip(runs_of_ours, theirs, strict=True)
            ]
        ]
    ]


def memory() -> list[Case]:
    """Peak memory of each server with a million series, each sent twice."""
    found = {}
    labels, rng = label_sets(MANY_SERIES), np.random.default_rng(1)
    now_ms = round(time.time() * 1000)
    rounds = [bodies(labels, now_ms - 15_000 * back, rng) for back in (1, 0)]
    with tempfile.TemporaryDirectory() as folder:
        for server in installed(Path(folder)):
            with started(server) as (child, client):
                for requests in rounds:
                    send(server, [requests])
                    settle(server, client)
                found[server.name] = memory_bytes(child.pid) / (1 << 20)
    ours = found.pop(OURS)
    return [
        Case("peak memory, a million series", "MiB", ours, rival, name)
        for name, rival in (found or {"none installed": None}).items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=100, help="samples of each series")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--rival", help="measure beside this one only: prometheus, victoria-metrics"
    )
    parser.add_argument("--memory", action="store_true", help="a million series: memory only")
    options = parser.parse_args()
    cases = memory() if options.memory else costs(options.rounds, options.runs, options.rival)
    emit(cases, json=options.json)


if __name__ == "__main__":
    main()
