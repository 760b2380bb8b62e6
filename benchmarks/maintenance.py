"""What maintenance costs, and what it keeps small: files of a day, the cost to open, memory.

    uv run python benchmarks/maintenance.py [--json] [--flushes 8640] [--hosts 500] [--hours 12]

First a day of a receiver: a commit every ten seconds, merged every five minutes and cleaned every
hour as a server does it by default, in the day's own time. Told are the most files that the day had
after a merge, and what a new process needs to open the lake and count the newest hour, beside the
same commits without any maintenance. Then one large merge and roll-up, of `benchmarks/devops.py`'s
samples as they come from flushes: processor time a million, and the process' memory at most.
Ours alone: no rival has such tables. What is opened and merged is so in a process of its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

# A script's own folder comes first, where this file would hide the package it measures.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.devops import CLUSTER, METRICS, Workload  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from lake import Clock, CommitKey, Lake  # noqa: E402
from lake.schema import TIMESTAMP  # noqa: E402
from orchestration.maintenance_settings import MaintenanceSettings  # noqa: E402
from orchestration.steps.maintain import clean_lake, merge_lake  # noqa: E402

DAY = datetime(2026, 3, 1, tzinfo=UTC)
FLUSH = timedelta(seconds=10)
SERIES_A_FLUSH = 100
FLUSHES_OF_LARGE = 10

USED = """
import resource, sys
from lake import Lake
def used():
    told = resource.getrusage(resource.RUSAGE_SELF)
    return told.ru_utime + told.ru_stime
"""
"""Processor seconds so far, for the programs below."""

OPEN = """
before = used()
lake = Lake.open(sys.argv[1])
sql = "SELECT count(*) AS n FROM samples WHERE time >= '{start}' AND time < '{end}'"
rows = lake.sql(sql)["n"][0].as_py()
print(used() - before, rows)
"""

MERGE = """
from datetime import UTC, datetime
from orchestration.maintenance_settings import MaintenanceSettings
from orchestration.steps.maintain import compact_lake, roll_up_lake
clock = lambda: datetime.now(UTC)
lake = Lake.open(sys.argv[1])
begun = used()
roll_up_lake(lake, clock)
rolled_up = used()
done = compact_lake(lake, MaintenanceSettings().policy(), clock)
assert not done.failures, done.failures
assert len(lake.samples.files()[1]) == 1
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(rolled_up - begun, used() - rolled_up, peak)
"""


def told_by(program: str, folder: Path) -> list[float]:
    """The figures that a program prints, run on a lake in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", USED + program, str(folder)],
        env={**os.environ, "PYTHONPATH": sys.path[0]},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(word) for word in done.stdout.split()]


def flush_of(n_series: int, at: datetime) -> pa.Table:
    """A sample of each of so many series."""
    return pa.table(
        {
            "cluster": pa.array([CLUSTER] * n_series),
            "metric": pa.array(["up"] * n_series),
            "series_id": np.arange(n_series),
            "time": pa.array([at] * n_series, TIMESTAMP),
            "value": np.full(n_series, float(at.second)),
        }
    )


def day_of_flushes(folder: Path, flushes: int, *, maintained: bool) -> tuple[int, float]:
    """A commit every ten seconds: the most files after a merge (or in the end), and its cost.

    Returns:
        Files, and processor seconds of maintenance alone.
    """
    lake, settings = Lake.open(folder), MaintenanceSettings()
    policy, most, cost = settings.policy(), 0, 0.0
    merge_at = clean_at = DAY
    for number in range(flushes):
        now = DAY + number * FLUSH
        lake.samples.append(flush_of(SERIES_A_FLUSH, now), CommitKey("bench", number + 1))
        clock, before = _standing(now), time.process_time()
        if maintained and now >= merge_at:
            merge_lake(lake, policy, clock)
            merge_at = now + settings.every
            most = max(most, len(lake.samples.files()[1]))
        if maintained and now >= clean_at:
            clean_lake(lake, policy, clock)
            clean_at = now + settings.clean_every
        cost += time.process_time() - before
    return most if maintained else len(lake.samples.files()[1]), cost


def _standing(now: datetime) -> Clock:
    return lambda: now


def a_day(folder: Path, flushes: int) -> Iterable[Case]:
    """The day with maintenance beside the day without."""
    end = DAY + flushes * FLUSH
    program = OPEN.replace("{start}", str(end - timedelta(hours=1))).replace("{end}", str(end))
    crowd, _ = day_of_flushes(folder / "left", flushes, maintained=False)
    most, cost = day_of_flushes(folder / "kept", flushes, maintained=True)
    left, kept = (told_by(program, folder / name) for name in ("left", "kept"))
    if left[1] != kept[1]:
        raise RuntimeError(
            f"{left[1]} samples of the last hour without maintenance, {kept[1]} with"
        )
    name = f"files of {flushes} commits, at most after a merge"
    yield Case(name, "files", most, crowd, "left alone")
    name = "opening and counting an hour, in a new process"
    yield Case(name, "cpu_ms", kept[0] * 1000, left[0] * 1000, "left alone")
    yield Case("merging and cleaning, a commit", "cpu_ms", 1000 * cost / flushes)


def a_large_merge(folder: Path, load: Workload) -> Iterable[Case]:
    """Samples of twelve hours in ten files, rolled up and merged into one."""
    lake, rng = Lake.open(folder), np.random.default_rng(1)
    times = load.times_ms() * 1000
    values = np.stack([load.values(rng) for _ in METRICS])  # metric, host, time
    n_series = len(METRICS) * load.hosts
    for part in np.array_split(np.arange(len(times)), FLUSHES_OF_LARGE):
        metric = np.repeat(np.arange(len(METRICS), dtype=np.int32), load.hosts * len(part))
        table = pa.table(
            {
                "cluster": pa.DictionaryArray.from_arrays(
                    np.zeros(n_series * len(part), np.int32), [CLUSTER]
                ),
                "metric": pa.DictionaryArray.from_arrays(metric, list(METRICS)),
                "series_id": np.repeat(np.arange(n_series), len(part)),
                "time": pa.array(np.tile(times[part], n_series)).cast(TIMESTAMP),
                "value": values[:, :, part].ravel(),
            }
        )
        lake.samples.append(table, ordered=True)
    millions = n_series * len(times) / 1e6
    rolled_up, merged, peak = told_by(MERGE, folder)
    name = f"rolling up {millions:.1f} million samples"
    yield Case(name, "cpu_s_per_million", rolled_up / millions)
    yield Case("merging them, ten files into one", "cpu_s_per_million", merged / millions)
    yield Case("memory of both at most", "MiB", peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--flushes", type=int, default=8640)
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--hours", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = [
            *a_day(Path(folder), options.flushes),
            *a_large_merge(Path(folder) / "large", Workload(options.hosts, options.hours)),
        ]
    emit(cases, json=options.json)


if __name__ == "__main__":
    main()
