"""False alerts of the comparison of clusters in a fleet in which nothing is wrong, and its cost.

    uv run python benchmarks/clean_siblings.py [--days 14] [--seed 7] [--json]

The simulated fleet of the demo (three clusters in three time zones) at a minute's step, of which
only days without a fault are taken. Each day is judged by what is usual on the day before, at the
rate that the budget grants the finder, and every interval is false. Beside it the CPU seconds of
1,000 groups of five clusters over a day: learned and judged.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from scipy.stats import poisson

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.clean import CLEAN_SHARE, DAY, MINUTE_US  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from detectors import Panel, find_intervals  # noqa: E402
from detectors.siblings import LEAST_SIBLINGS, combined, learn  # noqa: E402
from ingest.entities import entity_of  # noqa: E402
from ingest.simulation import Simulation, simulate  # noqa: E402
from orchestration.detection_settings import DetectionSettings  # noqa: E402
from orchestration.steps import budget  # noqa: E402

END = datetime(2026, 11, 23, tzinfo=UTC)
GROUPS = 1_000
SETTINGS = DetectionSettings()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=14, help="judged; one more is learned from")
    parser.add_argument("--seed", type=int, default=7, help="of the fleet")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    length = timedelta(days=int(np.ceil((options.days + 1) / CLEAN_SHARE)))
    fleet = simulate(end=END, duration=length, step=timedelta(minutes=1), seed=options.seed)
    panel, bounds = rows(fleet, (options.days + 1) * DAY)
    emit([clean(panel, bounds, options.days), *cost()], options.json)


def rows(fleet: Simulation, columns: int) -> tuple[Panel, np.ndarray]:
    """Return the trailing means of every workload and cluster, and where each group begins."""
    include, exclude = re.compile(SETTINGS.include), re.compile(SETTINGS.exclude)
    places = re.compile(SETTINGS.siblings.places)
    groups: dict[tuple, dict[str, list[int]]] = {}
    for index, labels in enumerate(fleet.series):
        workload, metric = entity_of(labels).get("workload"), labels["__name__"]
        if workload and include.fullmatch(metric) and not exclude.fullmatch(metric):
            what = tuple(sorted(pair for pair in labels.items() if not places.fullmatch(pair[0])))
            clusters = groups.setdefault((workload, what), {})
            clusters.setdefault(labels["cluster"], []).append(index)
    kept = [own for own in groups.values() if len(own) > LEAST_SIBLINGS]
    members = [series for own in kept for series in own.values()]
    series = [index for own in members for index in own]
    counter = np.array([fleet.kinds[fleet.series[i]["__name__"]] == "counter" for i in series])
    values = fleet.values[series, : columns + 1]
    steps = np.diff(values, axis=1)
    rates = np.where(steps < 0.0, values[:, 1:], steps) / 60.0
    values = np.where(counter[:, None], rates, values[:, 1:]).astype(np.float32)
    row = np.repeat(np.arange(len(members)), [len(own) for own in members])
    first = np.searchsorted(row, np.arange(len(members)))
    _, steady = combined(values, row, counter[first])
    bounds = np.append(0, np.cumsum([len(own) for own in kept]))
    return Panel(steady, 0, MINUTE_US, np.arange(len(members))), bounds


def clean(panel: Panel, bounds: np.ndarray, days: int) -> Case:
    """Return the false alerts of all days beside what the budget allows the finder."""
    rate = budget.rate(SETTINGS, panel.n_series)
    false = 0
    for day in range(1, days + 1):
        begin, end = day * DAY * MINUTE_US, (day + 1) * DAY * MINUTE_US
        usual = learn(panel.window(begin - DAY * MINUTE_US, begin), bounds, rate)
        scores, _ = usual.judge(panel.window(begin, end), bounds)
        false += len(find_intervals(scores, SETTINGS.min_length, SETTINGS.merge_gap))
    allowed = budget.share(SETTINGS)
    what = f"{len(bounds) - 1} groups, {days} clean days, {allowed:g} a day allowed"
    most = float(poisson.ppf(0.975, allowed * days))
    return Case(what, "false alerts", false, most, "bound of the budget")


def cost() -> list[Case]:
    """Return CPU seconds of learning and of judging a day."""
    rng = np.random.default_rng(1)
    values = rng.lognormal(0.0, 0.1, (5 * GROUPS, DAY)).astype(np.float32)
    panel = Panel(values, 0, MINUTE_US, np.arange(len(values)))
    bounds = np.arange(GROUPS + 1) * 5
    warm = panel.window(0, 60 * MINUTE_US)
    learn(warm, bounds, 1e-5).judge(warm, bounds)
    begun = time.process_time()
    usual = learn(panel, bounds, 1e-5)
    learned = time.process_time()
    usual.judge(panel, bounds)
    what = f"{GROUPS:,} groups of 5 clusters, {DAY} columns"
    return [
        Case(f"{what}: learned", "CPU seconds", round(learned - begun, 2)),
        Case(f"{what}: judged", "CPU seconds", round(time.process_time() - learned, 2)),
    ]


if __name__ == "__main__":
    main()
