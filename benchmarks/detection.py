"""What detection costs: seconds, bytes of state and peak memory, beside plain numpy and PyOD.

    uv run python benchmarks/detection.py [--json] [--runs 9] [--cache DIR] [--series N]
        [--only tick|newest|backfill|growth]

- tick: one tick of tier 0 for a million series, beside the same recurrence in numpy.
- newest: the newest window of a million series by tier 1, `WindowMemory` as the server runs it by
  default: scores, p-values and bands, beside PyOD's KNN for the distance alone, of one window of as
  many means to as many, measured on a sample and multiplied. The million are copies of the sample.
- backfill: a day of 100,000 series at a minute from Parquet to anomaly rows
  (`benchmarks/backfill.py`), beside PyOD's IForest fitted on a sample and multiplied. The file is
  made once, in `--cache`.
- growth: a tick, and the newest window, of 1,000 to a million series; by series, against 1,000.

Each runs in a process of its own, whose peak memory is a figure too. Medians of `--runs` runs (the
backfill: one run). Wall time counts what else the machine does; CPU time is given beside it.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pyod.models.iforest import IForest
from pyod.models.knn import KNN

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks import backfill, numpy_level  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from detectors import Panel  # noqa: E402
from detectors.memory import WindowMemory  # noqa: E402
from detectors.online import LevelState  # noqa: E402
from orchestration.detection_settings import MINUTE_COLUMNS  # noqa: E402

MILLION = 1_000_000
SIZES = (1_000, 10_000, 100_000, MILLION)
STEP = 60_000_000
# Series that differ; more are copies of them.
DISTINCT = 10_000
LEARNED = 2_000
WINDOWS = 128
# Series a rival is timed on before its time is multiplied.
SAMPLE = 50
# Columns of a point for IForest: with one alone it sees no shape.
IFOREST_WINDOW = 6
GIB = 1 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--only", choices=list(MEASURES))
    parser.add_argument("--cache", type=Path, help="where the backfill's file is kept")
    parser.add_argument("--series", type=int, default=100_000, help="of the backfill")
    options = parser.parse_args()
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as name:
        folder = options.cache or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for key, measure in MEASURES.items():
            if options.only in (None, key):
                # Not forked: a child would count its parent's memory as its own.
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    job = pool.submit(alone, measure, options.runs, folder, options.series)
                    found, peak = job.result()
                cases += [*found, Case(f"{key}, peak memory", "GiB", peak / GIB)]
    emit(cases, options.json)


def alone(measure: Callable, runs: int, folder: Path, series: int) -> tuple[list[Case], int]:
    """Run a measure; return its cases and this process's peak memory in bytes."""
    cases = measure(runs, folder, series)
    # Linux counts in KiB.
    return cases, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def timed(act: Callable[[], object], runs: int) -> tuple[float, float, float]:
    """Median wall and CPU seconds and least wall, after a call not counted: it may compile."""
    act()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return float(np.median(walls)), float(np.median(cpus)), min(walls)


def warm_state(n_series: int) -> tuple[LevelState, np.ndarray]:
    """A state that has seen a while, and the next values."""
    rng = np.random.default_rng(0)
    state = LevelState(DISTINCT)
    state.replay(rng.normal(100.0, 5.0, (DISTINCT, 600)).astype(np.float32))
    values = rng.normal(100.0, 5.0, n_series).astype(np.float32)
    return state.take(np.arange(n_series) % DISTINCT), values


def tick(runs: int, folder: Path, series: int) -> list[Case]:
    """One tick of a million series."""
    state, values = warm_state(MILLION)
    ours = state.copy()
    # In numpy a field is an array.
    theirs = np.ascontiguousarray(state.fields.T)
    gap = np.abs(ours.tick(values) - numpy_level.tick(theirs, values, state.rule.gains))
    if not gap.max() < 1e-5:
        raise RuntimeError(f"numpy's scores are up to {gap.max()} from ours")
    wall, cpu, best = timed(lambda: ours.tick(values), runs)
    their_wall, their_cpu, their_best = timed(
        lambda: numpy_level.tick(theirs, values, state.rule.gains), runs
    )
    rival = "the same in numpy"
    return [
        Case("tier 0, a tick of 1,000,000 series", "ms", wall * 1e3, their_wall * 1e3, rival),
        Case("the same, quickest run", "ms", best * 1e3, their_best * 1e3, rival),
        Case("the same", "CPU ms", cpu * 1e3, their_cpu * 1e3, rival),
        Case("tier 0, state", "bytes a series", state.fields.nbytes / MILLION, 64, "the goal"),
    ]


def learned() -> tuple[WindowMemory, Panel, float]:
    """A fitted memory, the columns that the newest window looks back on, CPU seconds to fit."""
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(1440) / 100.0 + rng.uniform(0.0, 6.0, (LEARNED, 1)))
    values = 10.0 + wave + 0.3 * rng.normal(size=(LEARNED, 1440))
    panel = Panel(values, 0, STEP, np.arange(LEARNED))
    # Compiles.
    WindowMemory(**MINUTE_COLUMNS).fit(Panel(values[:10], 0, STEP, np.arange(10)))
    begun = time.process_time()
    detector = WindowMemory(**MINUTE_COLUMNS).fit(panel)
    spent = time.process_time() - begun
    return detector, panel.window(panel.end - (detector.context + 1) * STEP, panel.end), spent


def many(detector: WindowMemory, recent: Panel, size: int) -> tuple[WindowMemory, Panel]:
    """The same series again and again, up to so many, each with a memory of its own."""
    picked = np.arange(size) % LEARNED
    arrays = {
        name: array[picked] if array.ndim and len(array) == LEARNED else array
        for name, array in detector.to_arrays().items()
    }
    arrays["series_id"] = np.arange(size)
    panel = Panel(recent.values[picked], recent.start, recent.step, arrays["series_id"])
    return WindowMemory.from_arrays(arrays), panel


def newest(runs: int, folder: Path, series: int) -> list[Case]:
    """The newest window of a million series."""
    detector, recent, fit_cpu = learned()
    million, panel = many(detector, recent, MILLION)
    state = sum(array.nbytes for array in million.to_arrays().values())
    wall, cpu, _ = timed(lambda: million.score(panel, 1), runs)
    what = "tier 1, newest window of 1,000,000 series"
    knn = knn_seconds() * MILLION
    return [
        Case(what, "s", wall, 10.0, "the goal"),
        Case("the same", "CPU s", cpu, knn, f"PyOD KNN, {SAMPLE} × {MILLION // SAMPLE}"),
        Case("tier 1, state", "bytes a series", state / MILLION),
        Case("tier 1, recent values", "bytes a series", panel.values.nbytes / MILLION),
        Case(
            f"fit on a day, {LEARNED:,} × {MILLION // LEARNED}",
            "CPU s",
            fit_cpu * MILLION / LEARNED,
        ),
    ]


def knn_seconds() -> float:
    """CPU seconds a series of PyOD's KNN for one window of 16 means, fitted on 128 before."""
    rng = np.random.default_rng(0)
    models = [KNN(n_neighbors=1).fit(rng.normal(size=(WINDOWS, 16))) for _ in range(SAMPLE)]
    asked = rng.normal(size=(1, 16))
    begun = time.process_time()
    for model in models:
        model.decision_function(asked)
    return (time.process_time() - begun) / SAMPLE


def whole_day(runs: int, folder: Path, series: int) -> list[Case]:
    """A day of many series from Parquet to rows."""
    path = folder / f"day-{series}.parquet"
    if not path.exists():
        backfill.write(path, series)
    # Compiles, and is not counted.
    small = folder / "day-small.parquet"
    backfill.write(small, 2_000)
    backfill.run(small, folder / "rows.parquet")
    begun, cpu = time.perf_counter(), time.process_time()
    done = backfill.run(path, folder / "rows.parquet")
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    theirs, their_cpu = (spent * series for spent in iforest_seconds())
    faults = int((backfill.fault_of(np.arange(series)) >= 0).sum())
    what = f"a day of {series:,} series, Parquet to rows"
    times = f"PyOD IForest, {SAMPLE} × {series // SAMPLE:,}"
    size = path.stat().st_size / done.values
    return [
        Case(what, "s", wall, theirs, times),
        Case("the same", "s", wall, 60.0 * series / 100_000, "the goal"),
        Case("the same", "CPU s", cpu, their_cpu, times),
        Case("candidates of tier 0", "part", done.candidates / series),
        Case("series with a fault found", "part", done.faults_found / max(faults, 1)),
        Case("rows written", "rows", done.rows, faults, "faults"),
        Case("the file", "bytes a sample", size),
    ]


def iforest_seconds() -> tuple[float, float]:
    """Wall and CPU seconds a series of PyOD's IForest: a fit on a day scores it; no read."""
    values = backfill.made_up(np.arange(SAMPLE))
    begun, cpu = time.perf_counter(), time.process_time()
    for row in values:
        IForest(random_state=0).fit(sliding_window_view(row, IFOREST_WINDOW))
    return (time.perf_counter() - begun) / SAMPLE, (time.process_time() - cpu) / SAMPLE


def growth(runs: int, folder: Path, series: int) -> list[Case]:
    """A series' cost among a thousand and among a million."""
    detector, recent, _ = learned()
    cases = []
    smallest: dict[str, float] = {}
    for size in SIZES:
        state, values = warm_state(size)
        memory, panel = many(detector, recent, size)
        # A thousand series take microseconds: many times, so that the clock can tell.
        repeats = max(1, 20_000 // size)
        acts = {
            "tick": lambda: [state.tick(values) for _ in range(repeats)],  # noqa: B023
            "newest window": lambda: [memory.score(panel, 1) for _ in range(repeats)],  # noqa: B023
        }
        for name, act in acts.items():
            _, cpu, _ = timed(act, runs)
            each = cpu / repeats / size * 1e9
            first = smallest.setdefault(name, each)
            cases.append(Case(f"{name}, {size:,} series", "CPU ns a series", each, first, "1,000"))
    return cases


MEASURES = {"tick": tick, "newest": newest, "backfill": whole_day, "growth": growth}


if __name__ == "__main__":
    main()
