"""Labelled data sets, each as a list of tasks: what to learn from, what to score, the truth.

The data is not part of the project: a folder holds `nab/`, `mscloud/` (single series) and `smd/`,
`asd/` (hosts with many metrics), each as Parquet tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from detectors.evaluation import series_period

DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TRAIN_SHARE = 0.15
"""Of a single series, so much is learned from and counts as score 0: NAB's probation."""

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Task:
    """One thing to score: values `[n_series, n_times]` of which the first `train` are learned.

    Attributes:
        name: of the series or host.
        values: float, NaN = no data.
        labels: of the columns from `scored_from` on, which the figures are about.
        train: columns learned from.
        scored_from: first column of the labels.
        period: buffer of the VUS, the series' period.
        columns_a_day: to count alarms by.
        quiet: first columns that count as score 0, whatever the detector says of them.
        windows: (first, last) of NAB's windows.
    """

    name: str
    values: np.ndarray
    labels: np.ndarray
    train: int
    scored_from: int
    period: int
    columns_a_day: float
    quiet: int = 0
    windows: tuple[tuple[int, int], ...] = ()


def nab(folder: Path) -> Iterator[Task]:
    """Yield every series, also those without a window: their alarms are false."""
    metrics = pl.read_parquet(folder / "metrics.parquet")
    windows = pl.read_parquet(folder / "windows.parquet")
    for row in pl.read_parquet(folder / "series.parquet").iter_rows(named=True):
        key = (pl.col("category") == row["category"]) & (pl.col("series") == row["series"])
        here = metrics.filter(key)
        labels = np.zeros(here.height, dtype=np.int8)
        spans = []
        for start, end in windows.filter(key).select("start", "end").iter_rows():
            rows = np.flatnonzero(here["timestamp"].is_between(start, end).to_numpy())
            labels[rows] = 1
            spans.append((int(rows[0]), int(rows[-1])))
        task = _single(row["series"], here, labels, row["probation_rows"])
        yield replace(task, windows=tuple(sorted(spans)))


def mscloud(folder: Path) -> Iterator[Task]:
    """Yield every series that has a label."""
    metrics = pl.read_parquet(folder / "metrics.parquet")
    for (name,), here in metrics.group_by("series", maintain_order=True):
        labels = here["anomaly"].to_numpy()
        if labels.any():
            yield _single(str(name), here, labels, int(np.ceil(TRAIN_SHARE * here.height)))


def _single(name: str, rows: pl.DataFrame, labels: np.ndarray, train: int) -> Task:
    values = rows["value"].to_numpy()
    step = rows["timestamp"].dt.epoch("us").diff().median()
    period = series_period(values)
    return Task(name, values[None], labels, train, 0, period, DAY_US / step, quiet=train)


def hosts(folder: Path) -> Iterator[Task]:
    """Yield every host: learned from its part "train", labelled over the rest."""
    metrics = pl.read_parquet(folder / "metrics.parquet")
    segments = pl.read_parquet(folder / "anomaly_segments.parquet")
    for (entity,), rows in metrics.group_by("entity", maintain_order=True):
        parts = rows.partition_by("metric", maintain_order=True)
        values = np.stack([part["value"].to_numpy() for part in parts])
        train = int((parts[0]["part"] == "train").sum())
        step = parts[0]["timestamp"].dt.epoch("us").diff().median()
        labels = np.zeros(values.shape[1] - train, dtype=np.int8)
        own = segments.filter(pl.col("entity") == entity)
        for first, last in own.select("start_idx", "end_idx").iter_rows():
            labels[first : last + 1] = 1
        period = series_period(values[0, train:])
        yield Task(str(entity), values, labels, train, train, period, DAY_US / step)


def as_published(tasks: list[Task], table: pl.DataFrame) -> list[Task]:
    """Return the hosts with published figures as those learned: on the scored part's first rows."""
    files = dict(table.select("entity", "tsb_ad_file").unique().iter_rows())
    found = []
    for task in tasks:
        prefix = re.search(r"_tr_(\d+)_", files.get(task.name, ""))
        if prefix:
            part = task.values[:, task.train :]
            train = int(prefix.group(1))
            found.append(replace(task, values=part, train=train, scored_from=0))
    return found


def best_published(table: pl.DataFrame, key: str) -> tuple[str, float, set[str]]:
    """Return (method, mean VUS-PR, names) of the best method over all files of the table."""
    names = set(table[key].unique())
    means = table.group_by("method").agg(pl.col("vus_pr").mean(), pl.col(key).n_unique())
    best = means.filter(pl.col(key) == len(names)).sort("vus_pr", descending=True).row(0)
    return f"TSB-AD {best[0]}", float(best[1]), names
