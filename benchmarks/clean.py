"""False alerts of a fleet in which nothing is wrong, against the budget.

    uv run python benchmarks/clean.py [--days 30] [--seed 7] [--json]

The simulated fleet of the demo at a minute's step, of which only days without a fault are taken.
Each day is scored by the product's default settings with models fitted on the day before, at the
rate that the budget grants (orchestration/steps/budget.py), and every interval is false. The bound
is what a Poisson law of the budget's mean stays below in 97.5 of 100 cases.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from scipy.stats import poisson

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.reporting import Case, emit  # noqa: E402
from detectors import Panel, find_intervals  # noqa: E402
from ingest.simulation import Simulation, simulate  # noqa: E402
from orchestration.detection_settings import DetectionSettings  # noqa: E402
from orchestration.steps import budget  # noqa: E402
from orchestration.steps.models import unfitted  # noqa: E402

CLEAN_SHARE = 0.6
"""Of a simulated history: its faults lie in the rest."""

DAY = 1440
MINUTE_US = 60_000_000
BUDGETS = (10.0, 1.0)
END = datetime(2026, 11, 23, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=30, help="scored; one more is learned from")
    parser.add_argument("--seed", type=int, default=7, help="of the fleet")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    length = timedelta(days=int(np.ceil((options.days + 1) / CLEAN_SHARE)))
    fleet = simulate(end=END, duration=length, step=timedelta(minutes=1), seed=options.seed)
    panel = scored_series(fleet, (options.days + 1) * DAY)
    emit([case for each in BUDGETS for case in cases(panel, options.days, each)], options.json)


def scored_series(fleet: Simulation, columns: int) -> Panel:
    """Return what the settings would score of the clean part: gauges, and counters as rates."""
    settings = DetectionSettings()
    include, exclude = re.compile(settings.include), re.compile(settings.exclude)
    names = [one["__name__"] for one in fleet.series]
    chosen = [
        row
        for row, name in enumerate(names)
        if include.fullmatch(name) and not exclude.fullmatch(name)
    ]
    values = fleet.values[chosen, : columns + 1]
    steps = np.diff(values, axis=1)
    rates = np.where(steps < 0.0, values[:, 1:], steps) / 60.0
    counters = np.array([fleet.kinds[names[row]] == "counter" for row in chosen])
    whole = np.where(counters[:, None], rates, values[:, 1:])
    return Panel(whole, 0, MINUTE_US, np.arange(len(chosen)))


def cases(panel: Panel, days: int, false_alerts_a_day: float) -> list[Case]:
    """Return the false alerts of all days beside what the budget allows."""
    settings = DetectionSettings(false_alerts_a_day=false_alerts_a_day)
    (chosen,) = settings.detectors
    rate = budget.rate(settings, panel.n_series)
    false = 0
    for day in range(1, days + 1):
        detector = budget.within(unfitted(chosen), chosen, rate)
        detector.fit(panel.window((day - 1) * DAY * MINUTE_US, day * DAY * MINUTE_US))
        begin = (day * DAY - detector.context) * MINUTE_US
        scores = detector.score(panel.window(begin, (day + 1) * DAY * MINUTE_US))
        scores.score[:, : detector.context] = 0.0
        false += len(find_intervals(scores, settings.min_length, settings.merge_gap))
    what = f"{panel.n_series} series, {days} clean days, {false_alerts_a_day:g} a day allowed"
    most = float(poisson.ppf(0.975, false_alerts_a_day * days))
    return [Case(what, "false alerts", false, most, "bound of the budget")]


if __name__ == "__main__":
    main()
