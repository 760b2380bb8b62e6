"""Whether a heavier model pays: the light forecasts of a short list, before and after it.

    uv run python benchmarks/forecast_heavier.py [--heavier statsforecast] [--series 300]
        [--data FOLDER] [--disks 4000] [--seed 11] [--always] [--json]

The series are drawn of those that the light methods say may pass, as `forecasts.heavier` asks.
`--always` takes every answer, whatever the backtest says of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.forecast import (  # noqa: E402
    A_STEP,
    FULL_POD,
    HORIZON,
    Told,
    first_passage,
    fleet_origins,
    own_passages,
    pod_origins,
)
from benchmarks.labelled import DEFAULT_DATA  # noqa: E402
from benchmarks.made_up_disks import HISTORY, made_up  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from detectors.forecasting import Forecasts, forecast, heavier  # noqa: E402
from orchestration.steps.forecast.heavier import HeavierModel, opinions_of  # noqa: E402

TIMES = {"step_hours": A_STEP, "horizon_hours": HORIZON}

Asked = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Values `[n, width]`, thresholds and true hours `[n]` of series that are of one time or width."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heavier", default="statsforecast", help="name of a forecaster")
    parser.add_argument("--series", type=int, default=300, help="most of each set")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--disks", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--always", action="store_true", help="take every answer")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    if options.always:
        heavier.CLEARLY, heavier.MOSTLY = np.inf, 0.0
    sets = {"disks": disks(options.disks, options.seed)}
    if (options.data / "alibaba_pods").is_dir():
        sets["pods"] = pods(options.data / "alibaba_pods" / "metrics.parquet")
    if (options.data / "fleet").is_dir():
        sets["datacentres"] = fleet(options.data / "fleet" / "metrics.parquet")
    random = np.random.default_rng(options.seed)
    cases = []
    for name, asked in sets.items():
        cases += compared(name, drawn(asked, options.series, random), options.heavier)
    emit(cases, options.json)


def disks(count: int, seed: int) -> Sequence[Asked]:
    made = made_up(count, seed)
    past, future = made.values[:, :HISTORY], made.values[:, HISTORY:]
    below = past[:, -1] < made.threshold
    limits = np.full(int(below.sum()), made.threshold)
    return [(past[below], limits, first_passage(future[below], made.threshold))]


def pods(path: Path) -> Sequence[Asked]:
    return [
        (past, np.full(len(past), FULL_POD), first_passage(future, FULL_POD))
        for past, future in pod_origins(path)
    ]


def fleet(path: Path) -> Sequence[Asked]:
    found = []
    for _, values, origins, panel in fleet_origins(path):
        limits, true = own_passages(panel, values, origins)
        below = panel[:, -1] < limits
        found.append((panel[below], limits[below], true[below]))
    return found


def drawn(sets: Sequence[Asked], most: int, random: np.random.Generator) -> Sequence[Asked]:
    """Some of those that are worth a second opinion."""
    listed = []
    for number, (values, limits, _) in enumerate(sets):
        rows = heavier.short_list(forecast(values, limits, **TIMES), len(values))
        listed += [(number, int(row)) for row in rows]
    chosen = random.permutation(len(listed))[:most]
    by_set: dict[int, list[int]] = {}
    for number, row in sorted(listed[i] for i in chosen):
        by_set.setdefault(number, []).append(row)
    return [tuple(part[rows] for part in sets[number]) for number, rows in by_set.items()]


def compared(what: str, sets: Sequence[Asked], name: str) -> list[Case]:
    """The same series without and with the heavier model, and of those alone that it took over."""
    count = sum(len(limits) for _, limits, _ in sets)
    model = HeavierModel(name, most=count, seconds=np.inf)
    light, heavy, taken = [], [], []
    began = time.perf_counter()
    with opinions_of(model) as opinions:
        for values, limits, true in sets:
            told = forecast(values, limits, **TIMES)
            light.append(times(told, true))
            opinions.consider(told, values, limits)
            opinions.give(**TIMES)
            heavy.append(times(told, true))
            taken.append(told.method == name)
    took = time.perf_counter() - began
    before, after = (Told(*np.concatenate(parts, axis=1)) for parts in (light, heavy))
    own = np.concatenate(taken)
    title = f"light alone, {count} series"
    cases = [*measured(what, before, after, title)]
    if own.any():
        cases += measured(f"{what}, taken", before.of(own), after.of(own), f"{own.sum()} series")
    return [*cases, Case(f"{what}: a series", "s", took / count)]


def times(told: Forecasts, true: np.ndarray) -> np.ndarray:
    eta = np.nan_to_num(told.eta, nan=np.inf)
    return np.stack([eta, told.eta_lower, told.eta_upper, true])


def measured(what: str, before: Told, after: Told, title: str) -> Sequence[Case]:
    def late(told: Told) -> float:
        return float(np.abs(np.fmin(told.eta, HORIZON) - np.fmin(told.true, HORIZON)).mean())

    return [
        Case(f"{what}: F1", "", after.f1(), before.f1(), title),
        Case(f"{what}: median error of the time", "h", after.error(), before.error(), title),
        Case(f"{what}: mean error, none = 4 h", "h", late(after), late(before), title),
        Case(f"{what}: 80 % intervals cover", "", after.covered(), before.covered(), title),
    ]


if __name__ == "__main__":
    main()
