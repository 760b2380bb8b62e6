"""Detection quality on labelled data: ours beside PyOD's, and beside published figures.

    uv run python benchmarks/quality.py [--json] [--set nab|mscloud|smd|asd] [--data DIR]

Scores are strictly causal, of one configuration for all sets. Every detector learns from the same
columns, has the same scaling and answers for the same columns; PyOD's run through the adapter.

- VUS-PR (detectors.evaluation.vus), mean over series or hosts, and seconds for fit and score per
  million values. nab and mscloud: one series each, learned from the first 15 %, which count as
  score 0; PyOD gets trailing windows of 32 columns. smd and asd: one host each, all its metrics
  at once, learned from the part "train".
- ours is `detectors.novelty` for single series, which goes on learning, and `entity_memory` for
  hosts: what `fleetlake detect` takes by itself.
- nab also by its own score (detectors.evaluation.nab), beside the best of its scoreboard over the
  same files.
- smd and asd also by what an operator counts: false intervals a host and day, and the share of
  events found, by intervals of at least three columns.
- published: the best single method of the TSB-AD tables, by its mean over the files we have
  with the same labels; there we learn as TSB-AD does, from the first rows of the scored part.
- pyod's time-series bridge runs with its defaults: it looks half a window ahead.

The data is not part of the project: `--data` names its folder (see benchmarks/labelled.py).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from pyod.models.ts_od import TimeSeriesOD

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks import labelled  # noqa: E402
from benchmarks.labelled import Task  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from detectors import Panel, Scores, build, find_intervals  # noqa: E402
from detectors.evaluation import (  # noqa: E402
    EventCounts,
    LabelledScore,
    count_events,
    nab_score,
    vus_pr,
)
from detectors.novelty import score_online  # noqa: E402

STEP = 60_000_000
PYOD = ("IForest", "KNN", "ECOD", "HBOS", "PCA")
MIN_LENGTH, MERGE_GAP = 3, 30
"""Of the intervals counted: columns that must be abnormal, columns bridged. The default of a fleet
is 5 columns; an entity's scores are averaged over spans, so that three mean more."""

Method = Callable[[np.ndarray, int], np.ndarray]
"""Values `[n_series, n_times]` and columns to learn from; returns the score of every column."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--set", choices=tuple(SETS), help="only this set")
    parser.add_argument("--data", type=Path, default=labelled.DEFAULT_DATA, help="folder of sets")
    options = parser.parse_args()
    cases: list[Case] = []
    for name, measure in SETS.items():
        if options.set not in (None, name):
            continue
        folder = options.data / name
        if not folder.is_dir():
            print(f"no data in {folder}: {name} is left out", file=sys.stderr)
            continue
        cases.extend(measure(name, folder))
    emit(cases, options.json)


def single_series(name: str, folder: Path) -> list[Case]:
    """Return the figures for one series at a time."""
    tasks = list(labelled.nab(folder) if name == "nab" else labelled.mscloud(folder))
    rivals = {f"pyod.{one} W32": fitted(f"pyod.{one}", window=32) for one in PYOD}
    rivals |= {"pyod bridge IForest": bridge, "our window_memory": fitted("window_memory")}
    cases, scores = compare(name, tasks, online, rivals)
    if name != "nab":
        return cases
    table = pl.read_parquet(folder / "reference_vus_pr.parquet").filter(pl.col("same_labels"))
    method, theirs, names = labelled.best_published(table, "series")
    same = [task for task in tasks if task.name in names]
    own = mean_vus(same, {task.name: scores[task.name] for task in same})
    cases.append(Case(f"nab, {len(same)} published files", "VUS-PR", own, theirs, method))
    board = pl.read_parquet(folder / "reference_half_scores.parquet")
    best = board.filter(pl.col("profile") == "standard").sort("nab_score", descending=True)
    figure = nab_score(
        [LabelledScore(scores[task.name], task.windows, task.quiet) for task in tasks]
    )
    leader = best.row(0, named=True)
    cases.append(
        Case(
            "nab, its own score", "standard", figure.score, leader["nab_score"], leader["detector"]
        )
    )
    return cases


def whole_hosts(name: str, folder: Path) -> list[Case]:
    """Return the figures for hosts with many metrics."""
    tasks = list(labelled.hosts(folder))
    rivals = {f"pyod.{one}": fitted(f"pyod.{one}", scope="entity") for one in PYOD}
    method = fitted("entity_memory")
    cases, scores = compare(name, tasks, method, rivals)
    own, other = events(tasks, scores), events(tasks, score_all(tasks, rivals["pyod.KNN"])[0])
    what = f"{name}, {own.events} events"
    cases += [
        Case(what, "false a host and day", own.false_a_day, other.false_a_day, "pyod.KNN"),
        Case(what, "share found", own.recall, other.recall, "pyod.KNN"),
    ]
    published = folder / "reference_vus_pr.parquet"
    if published.is_file():
        table = pl.read_parquet(published)
        best, theirs, names = labelled.best_published(table, "entity")
        again = labelled.as_published(tasks, table)
        figure = mean_vus(again, score_all(again, method)[0])
        cases.append(Case(f"{name}, {len(names)} published files", "VUS-PR", figure, theirs, best))
    return cases


SETS = {"nab": single_series, "mscloud": single_series, "smd": whole_hosts, "asd": whole_hosts}


def compare(
    name: str, tasks: list[Task], method: Method, rivals: dict[str, Method]
) -> tuple[list[Case], dict[str, np.ndarray]]:
    """Score every task with ours and each rival; return cases and our scores by task."""
    # Compilation and imports are paid once a process, not per point: warm up on one task.
    for one in (method, *rivals.values()):
        score_all(tasks[:1], one)
    scores, seconds = score_all(tasks, method)
    own = mean_vus(tasks, scores)
    quality, cost = [], []
    what = f"{name}, {len(tasks)} tasks"
    for rival_name, rival in rivals.items():
        theirs, their_seconds = score_all(tasks, rival)
        quality.append(Case(what, "VUS-PR", own, mean_vus(tasks, theirs), rival_name))
        cost.append(Case(what, "s per million values", seconds, their_seconds, rival_name))
    return quality + cost, scores


def score_all(tasks: Sequence[Task], method: Method) -> tuple[dict[str, np.ndarray], float]:
    """Return the score of every labelled column by task, and seconds per million values."""
    found, seconds = {}, 0.0
    for task in tasks:
        begun = time.perf_counter()
        score = method(task.values, task.train)
        seconds += time.perf_counter() - begun
        # Where a detector cannot tell, it claims nothing.
        score = np.nan_to_num(score, nan=0.0)
        score[: task.quiet] = 0.0
        found[task.name] = score[task.scored_from :]
    return found, seconds / sum(task.values.size for task in tasks) * 1e6


def mean_vus(tasks: Sequence[Task], scores: dict[str, np.ndarray]) -> float:
    """Return the mean VUS-PR over the tasks that have a label."""
    known = [task for task in tasks if task.labels.any()]
    return float(np.mean([vus_pr(one.labels, scores[one.name], one.period) for one in known]))


def events(tasks: Sequence[Task], scores: dict[str, np.ndarray]) -> EventCounts:
    """Return the intervals made of the scores against the labelled events, all tasks together."""
    total = EventCounts(0, 0, 0, 0.0)
    for task in tasks:
        score = scores[task.name][None].astype(np.float32)
        found = find_intervals(Scores(score, np.ones_like(score)), MIN_LENGTH, MERGE_GAP)
        total += count_events(found.start, found.end, task.labels, task.columns_a_day)
    return total


def online(values: np.ndarray, train: int) -> np.ndarray:
    """Score a series by all rows before each."""
    training = np.broadcast_to(np.arange(values.shape[1]) < train, values.shape)
    return score_online(values.astype(np.float32), training).score[0]


def fitted(detector: str, **params: object) -> Method:
    """Return a method that fits a detector of the catalogue; 1.0 is its threshold."""

    def method(values: np.ndarray, train: int) -> np.ndarray:
        panel = Panel(values, 0, STEP, np.arange(values.shape[0]))
        model = build(detector, **params).fit(panel.window(0, train * STEP))
        return model.score(panel).score[0]

    return method


def bridge(values: np.ndarray, train: int) -> np.ndarray:
    """Score by PyOD's own bridge from time series to its detectors, with its defaults.

    It refuses gaps: they hold the value before them.
    """
    whole = pl.Series(values[0]).fill_nan(None).forward_fill().backward_fill().to_numpy()
    model = TimeSeriesOD(window_size=min(50, train // 2)).fit(whole[:train])
    found: np.ndarray = model.decision_function(whole)
    return found


if __name__ == "__main__":
    main()
