"""False alerts of a fleet in which nothing is wrong, against the budget.

    uv run python benchmarks/clean.py [--days 30] [--seed 7] [--json]

The simulated fleet of the demo at a minute's step, of which only days without a fault are taken.
Each day is scored by the product's default settings with models fitted on the day before, at the
rate that the budget grants (orchestration/steps/budget.py), thresholds come down where much of a
cluster is abnormal at once (orchestration/steps/discoveries.py), and every interval is false. The
bound is what a Poisson law of the budget's mean stays below in 97.5 of 100 cases.
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
from detectors import Panel  # noqa: E402
from detectors.abnormal_cells import abnormal_cells, at_most  # noqa: E402
from detectors.families import Limits  # noqa: E402
from ingest.simulation import Simulation, simulate  # noqa: E402
from orchestration.detection_settings import DetectionSettings  # noqa: E402
from orchestration.steps import budget  # noqa: E402
from orchestration.steps.anomaly_rows import Grid  # noqa: E402
from orchestration.steps.discoveries import clusters_of, most, tested, told  # noqa: E402
from orchestration.steps.families import lookup  # noqa: E402
from orchestration.steps.groups import Group  # noqa: E402
from orchestration.steps.judge import Judge  # noqa: E402
from orchestration.steps.looked import Looked  # noqa: E402
from orchestration.steps.model import Model  # noqa: E402
from orchestration.steps.models import unfitted  # noqa: E402
from orchestration.steps.panels import SeriesInfo  # noqa: E402

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
    panel, group = scored_series(fleet, (options.days + 1) * DAY)
    found = [case for each in BUDGETS for case in cases(panel, group, options.days, each)]
    emit(found, options.json)


def scored_series(fleet: Simulation, columns: int) -> tuple[Panel, Group]:
    """Return what the settings would score of the clean part: gauges, and counters as rates."""
    settings = DetectionSettings()
    include, exclude = re.compile(settings.include), re.compile(settings.exclude)
    names = [one["__name__"] for one in fleet.series]
    families = [
        lookup(settings).of(name, labels) for name, labels in zip(names, fleet.series, strict=True)
    ]
    chosen = [
        row
        for row, name in enumerate(names)
        if include.fullmatch(name) and not exclude.fullmatch(name) and families[row].scored
    ]
    values = fleet.values[chosen, : columns + 1]
    steps = np.diff(values, axis=1)
    rates = np.where(steps < 0.0, values[:, 1:], steps) / 60.0
    counters = np.array([fleet.kinds[names[row]] == "counter" for row in chosen])
    whole = np.where(counters[:, None], rates, values[:, 1:])
    ids = np.arange(len(chosen))
    infos = [
        SeriesInfo(number, fleet.series[row]["cluster"], names[row], False, {}, families[row])
        for number, row in enumerate(chosen)
    ]
    return Panel(whole, 0, MINUTE_US, ids), Group(None, infos)


def cases(panel: Panel, group: Group, days: int, false_alerts_a_day: float) -> list[Case]:
    """Return the false alerts of all days beside what the budget allows."""
    settings = DetectionSettings(false_alerts_a_day=false_alerts_a_day)
    (chosen,) = settings.detectors
    rate = budget.rate(settings, panel.n_series)
    limits = Limits.of([one.family for one in group.series], group.ids)
    count = tested([group])
    clusters = clusters_of(group, panel.series_id)
    false = 0
    for day in range(1, days + 1):
        detector = budget.within(unfitted(chosen), chosen, rate)
        detector.fit(panel.window((day - 1) * DAY * MINUTE_US, day * DAY * MINUTE_US))
        model = Model(detector, "", END, limits, settings.min_length)
        begin = (day * DAY - model.context) * MINUTE_US
        part = panel.window(begin, (day + 1) * DAY * MINUTE_US)
        raw = detector.score(part, part.n_times - model.before)
        judge = Judge(model, part)
        loudest = judge.of(at_most(raw, judge.fit, most(clusters, count)))
        own = raw.from_column(raw.score.shape[1] - DAY)
        cells = abnormal_cells(own, judge.of(raw), loudest, judge.seen, judge.fit)
        looked = Looked(group, "", Grid.of(judge.seen), clusters, cells)
        false += sum(1 for _ in told([looked], count, settings))
    what = f"{panel.n_series} series, {days} clean days, {false_alerts_a_day:g} a day allowed"
    bound = float(poisson.ppf(0.975, false_alerts_a_day * days))
    return [Case(what, "false alerts", false, bound, "bound of the budget")]


if __name__ == "__main__":
    main()
