"""A round of forecasts from a lake, of many resources with a limit: what it takes, and what holds.

    uv run python benchmarks/forecast_lake.py [--resources 20000] [--rounds 3] [--seed 11] [--json]

Volumes as in `made_up_disks.py`, 60 h at 5 min, in a lake with rollups. The first round is made of
48 h; then the intervals are judged by the 12 h that came after it.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.made_up_disks import FUTURE, HISTORY, made_up  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from ingest import direct  # noqa: E402
from ingest.catalogue import Catalogue  # noqa: E402
from ingest.series import identify  # noqa: E402
from lake import CommitKey, Lake  # noqa: E402
from lake.timerange import to_micros  # noqa: E402
from orchestration.forecast_settings import ForecastSettings  # noqa: E402
from orchestration.steps.forecast.coverage import judge  # noqa: E402
from orchestration.steps.forecast.make import make_forecasts  # noqa: E402
from orchestration.steps.maintain import roll_up_lake  # noqa: E402

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
SIZE = 100e9
AT_ONCE = 2_000
AVAILABLE, CAPACITY = (
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resources", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        emit(measure(folder, options.resources, options.rounds, options.seed), options.json)


def measure(folder: str, resources: int, rounds: int, seed: int) -> list[Case]:
    lake = Lake.open(folder)
    fill(lake, resources, seed)
    settings = ForecastSettings()
    told = make_forecasts(lake, settings, NOW - FUTURE * STEP)
    # Three horizons later, of this round alone: of later ones only what came soon is over.
    began = time.process_time()
    verdict = judge(lake.snapshot(), settings, NOW)["volume"]
    judged = time.process_time() - began
    spent, elapsed = [], []
    for past in range(rounds, 0, -1):
        began, wall = time.process_time(), time.perf_counter()
        make_forecasts(lake, settings, NOW - past * 3 * STEP)
        spent.append(time.process_time() - began)
        elapsed.append(time.perf_counter() - wall)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    of = f"{resources:,} resources"
    return [
        Case(f"a round of {of}, CPU time", "s", median(spent)),
        Case(f"a round of {of}, elapsed", "s", median(elapsed)),
        Case("of it, judging the forecasts before, CPU time", "s", judged),
        Case("peak of memory, filling the lake included", "MiB", peak),
        Case("resources that reach a level within 4 h, first round", "", told.passing),
        Case("forecasts judged, of the first round", "", verdict.told),
        Case("of these, passages that came", "", verdict.came),
        Case("80 % intervals that held", "", verdict.held / max(1, verdict.came)),
    ]


def fill(lake: Lake, resources: int, seed: int) -> None:
    """Volumes of three clusters, a commit for so many at once, then rollups."""
    disks = made_up(resources, seed).values
    width = HISTORY + FUTURE
    times = (
        to_micros(NOW) // 1000 - (width - np.arange(width)) * STEP.total_seconds() * 1000
    ).astype(np.int64)
    for begin in range(0, resources, AT_ONCE):
        series, at, values = [], [], []
        for n in range(begin, min(begin + AT_ONCE, resources)):
            labels = {
                "cluster": ("eu-1", "us-2", "ap-3")[n % 3],
                "namespace": f"team-{n % 50}",
                "persistentvolumeclaim": f"data-{n}",
                "job": "kubelet",
            }
            for metric, own in (
                (AVAILABLE, SIZE * (1.0 - disks[n] / 100.0)),
                (CAPACITY, np.full(width, SIZE)),
            ):
                series.append(identify({"__name__": metric, **labels}.items(), "eu-1"))
                at.append(times)
                values.append(own)
        catalogue = Catalogue()
        batch = direct.batch(catalogue, series, at, values)
        direct.append(lake, catalogue, batch, CommitKey("benchmark", begin + 1))
    roll_up_lake(lake, lambda: NOW)


if __name__ == "__main__":
    main()
