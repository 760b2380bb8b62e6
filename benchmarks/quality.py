"""Detection quality on labelled data: ours beside PyOD's, and beside published figures.

    uv run python benchmarks/quality.py [--json] [--set smd|nab] [--data DIR]

VUS-PR (detectors.evaluation.vus) of strictly causal scores, mean over series or entities, and
seconds for fit and score per million values. Every detector learns from the same columns, has
the same scaling and answers for the same columns; PyOD's run through the adapter.

- nab: one series each. Training = the probation rows (first 15 %), which count as score 0.
  PyOD gets trailing windows of 32 columns, our middle length.
- smd: one machine each, 38 metrics at once. Training = part "train", scored = part "test".
- published: the best single method of the TSB-AD tables, by its mean over the files we have
  with the same labels; there we train as TSB-AD does, on the first rows of the scored part.

The data (Numenta Anomaly Benchmark, Server Machine Dataset) is not part of the project.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.reporting import Case, emit  # noqa: E402
from detectors import Detector, Panel, build  # noqa: E402
from detectors.evaluation import series_period, vus_pr  # noqa: E402

DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
STEP = 60_000_000
PYOD = ("IForest", "KNN", "ECOD")


@dataclass(frozen=True)
class Task:
    """One thing to score: values `[n_series, n_times]` of which the first `train` are learned.

    The figure is over the columns from `scored_from` on; the first `quiet` columns count as
    score 0, whatever the detector says of them.
    """

    name: str
    values: np.ndarray
    labels: np.ndarray
    train: int
    scored_from: int
    period: int
    quiet: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--set", choices=("nab", "smd"), help="only this set")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of nab/ and smd/")
    options = parser.parse_args()
    cases: list[Case] = []
    for name, measure in (("nab", nab_cases), ("smd", smd_cases)):
        if options.set not in (None, name):
            continue
        folder = options.data / name
        if not folder.is_dir():
            print(f"no data in {folder}: {name} is left out", file=sys.stderr)
            continue
        cases.extend(measure(folder))
    emit(cases, options.json)


def nab_cases(folder: Path) -> list[Case]:
    """Return the figures for single series."""
    tasks = list(nab_tasks(folder))
    makers = {
        f"pyod.{name} W32": lambda name=name: build(f"pyod.{name}", window=32) for name in PYOD
    }
    cases, ours = compare("nab", tasks, lambda: build("window_memory"), makers)
    table = pl.read_parquet(folder / "reference_vus_pr.parquet").filter(pl.col("same_labels"))
    method, theirs, names = best_published(table, "series")
    same = float(np.mean([ours[name] for name in names if name in ours]))
    cases.append(Case(f"nab, {len(names)} published files", "VUS-PR", same, theirs, method))
    return cases


def smd_cases(folder: Path) -> list[Case]:
    """Return the figures for machines with 38 metrics."""
    tasks = list(smd_tasks(folder))
    makers = {
        f"pyod.{name}": lambda name=name: build(f"pyod.{name}", scope="entity") for name in PYOD
    }
    cases, _ = compare("smd", tasks, lambda: build("entity_memory"), makers)
    table = pl.read_parquet(folder / "reference_vus_pr.parquet")
    method, theirs, names = best_published(table, "entity")
    files = dict(table.select("entity", "tsb_ad_file").unique().iter_rows())
    prefixed = []
    for task in tasks:
        if task.name in names:
            found = re.search(r"_tr_(\d+)_", files[task.name])
            prefix = int(found.group(1)) if found else task.train
            part = task.values[:, task.train :]
            prefixed.append(Task(task.name, part, task.labels, prefix, 0, task.period))
    ours, _ = measure_all(prefixed, lambda: build("entity_memory"))
    mean = float(np.mean(list(ours.values())))
    cases.append(Case(f"smd, {len(names)} published files", "VUS-PR", mean, theirs, method))
    return cases


def compare(
    name: str,
    tasks: list[Task],
    make: Callable[[], Detector],
    rivals: dict[str, Callable[[], Detector]],
) -> tuple[list[Case], dict[str, float]]:
    """Score every task with ours and each rival; return cases and our figure per task."""
    # Compilation and imports are paid once a process, not per point: warm up on one task.
    for maker in (make, *rivals.values()):
        measure_all(tasks[:1], maker)
    ours, our_seconds = measure_all(tasks, make)
    quality, cost = [], []
    for rival_name, maker in rivals.items():
        theirs, seconds = measure_all(tasks, maker)
        mean, their_mean = (float(np.mean(list(x.values()))) for x in (ours, theirs))
        what = f"{name}, {len(tasks)} tasks"
        quality.append(Case(what, "VUS-PR", mean, their_mean, rival_name))
        cost.append(Case(what, "s per million values", our_seconds, seconds, rival_name))
    return quality + cost, ours


def measure_all(tasks: list[Task], make: Callable[[], Detector]) -> tuple[dict[str, float], float]:
    """Return VUS-PR per task and seconds per million values."""
    found, seconds, values = {}, 0.0, 0
    for task in tasks:
        panel = Panel(task.values, 0, STEP, np.arange(task.values.shape[0]))
        begun = time.perf_counter()
        detector = make().fit(panel.window(0, task.train * STEP))
        score = detector.decision_function(panel)[0]
        seconds += time.perf_counter() - begun
        values += panel.values.size
        # Where a detector cannot tell, it claims nothing.
        score = np.nan_to_num(score, nan=0.0)
        score[: task.quiet] = 0.0
        score = score[task.scored_from :]
        found[task.name] = vus_pr(task.labels, score, task.period)
    return found, seconds / values * 1e6


def nab_tasks(folder: Path) -> Iterator[Task]:
    """Yield every series with labelled windows; scores of the probation rows count as 0."""
    metrics = pl.read_parquet(folder / "metrics.parquet")
    windows = pl.read_parquet(folder / "windows.parquet")
    for row in pl.read_parquet(folder / "series.parquet").iter_rows(named=True):
        key = (pl.col("category") == row["category"]) & (pl.col("series") == row["series"])
        here = metrics.filter(key)
        labels = np.zeros(here.height, dtype=np.int8)
        for start, end in windows.filter(key).select("start", "end").iter_rows():
            labels[here["timestamp"].is_between(start, end).to_numpy()] = 1
        if not labels.any():
            continue
        values = here["value"].to_numpy()
        train = row["probation_rows"]
        yield Task(row["series"], values[None], labels, train, 0, series_period(values), train)


def smd_tasks(folder: Path) -> Iterator[Task]:
    """Yield every machine: labels and scores over its test part."""
    metrics = pl.read_parquet(folder / "metrics.parquet")
    segments = pl.read_parquet(folder / "anomaly_segments.parquet")
    for (entity,), rows in metrics.group_by("entity", maintain_order=True):
        parts = rows.partition_by("metric", maintain_order=True)
        values = np.stack([part["value"].to_numpy() for part in parts])
        train = int((parts[0]["part"] == "train").sum())
        labels = np.zeros(values.shape[1] - train, dtype=np.int8)
        own = segments.filter(pl.col("entity") == entity)
        for first, last in own.select("start_idx", "end_idx").iter_rows():
            labels[first : last + 1] = 1
        yield Task(entity, values, labels, train, train, series_period(values[0, train:]))


def best_published(table: pl.DataFrame, key: str) -> tuple[str, float, set[str]]:
    """Return (method, mean VUS-PR, names) of the best method over all files of the table."""
    names = set(table[key].unique())
    means = table.group_by("method").agg(pl.col("vus_pr").mean(), pl.col(key).n_unique())
    best = means.filter(pl.col(key) == len(names)).sort("vus_pr", descending=True).row(0)
    return f"TSB-AD {best[0]}", float(best[1]), names


if __name__ == "__main__":
    main()
