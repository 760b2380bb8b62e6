"""A day of many series, from Parquet to anomaly rows: what `benchmarks/detection.py` times.

The file is as the lake keeps samples: a row a sample, sorted by series and time. A block of series
(a row group) at a time is read, laid out as a panel and scored by tier 0, while the next is read.
Series that tier 0 finds abnormal for three columns on end are candidates: tier 1 learns each from
the columns that tier 0 found normal, scores the day, and what it finds is written as rows.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detectors import Panel, Scores, build, find_intervals
from detectors.online import LevelState

START_US = 1_772_323_200_000_000  # 2026-03-01
STEP_US = 60_000_000
N_TIMES = 1440
GROUP = 1000
# Part of the series that a fault is put into.
FAULTY = 0.01
# Least abnormal columns of an interval, and most bridged between two.
LEAST, GAP = 3, 5


@dataclass
class Done:
    """What a backfill did: counts, and the rows it wrote."""

    values: int = 0
    series: int = 0
    candidates: int = 0
    rows: int = 0
    faults_found: int = 0
    tables: list[pa.Table] = field(default_factory=list)


def write(path: Path, n_series: int) -> None:
    """Make the file: noise of five kinds with daily waves, a fault in one series of a hundred."""
    kept = pq.ParquetWriter(
        path.with_suffix(".part"),
        pa.schema(
            [
                ("series_id", pa.int64()),
                ("time", pa.timestamp("us", "UTC")),
                ("value", pa.float64()),
            ]
        ),
        compression="zstd",
        use_dictionary=["series_id", "time"],
        column_encoding={"value": "BYTE_STREAM_SPLIT"},
    )
    times = pa.array(START_US + STEP_US * np.arange(N_TIMES), pa.timestamp("us", "UTC"))
    with kept:
        for first in range(0, n_series, GROUP):
            ids = np.arange(first, min(first + GROUP, n_series))
            values = made_up(ids)
            table = pa.table(
                {
                    "series_id": np.repeat(ids, N_TIMES),
                    "time": times.take(pa.array(np.tile(np.arange(N_TIMES), len(ids)))),
                    "value": values.ravel(),
                }
            )
            kept.write_table(table, row_group_size=table.num_rows)
    path.with_suffix(".part").rename(path)


def made_up(ids: np.ndarray) -> np.ndarray:
    """Values of these series, float64 `[n_series, N_TIMES]`, rounded as metrics are."""
    rng = np.random.default_rng(int(ids[0]))
    shape = (len(ids), N_TIMES)
    wave = np.sin(2 * np.pi * (np.arange(N_TIMES) / N_TIMES + rng.uniform(size=(len(ids), 1))))
    kinds = [
        np.round(1.0 + 0.3 * wave + 0.05 * rng.normal(size=shape), 4),
        np.round(0.2 * np.exp(0.2 * rng.normal(size=shape)), 4),
        rng.poisson(20.0 * (1 + 0.3 * wave)).astype(np.float64),
        np.round(1e9 * (1.0 + 0.1 * wave + 0.01 * rng.normal(size=shape))),
        np.repeat(rng.integers(1, 9, size=(len(ids), 1)).astype(np.float64), N_TIMES, axis=1),
    ]
    values = np.choose((ids % len(kinds))[:, None], kinds)
    at = fault_of(ids)
    for row in np.flatnonzero(at >= 0):
        values[row, at[row] : at[row] + 60] *= 2.5
    return values


def fault_of(ids: np.ndarray) -> np.ndarray:
    """First column of each series' fault, -1 where there is none."""
    scrambled = (ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    part = (scrambled % np.uint64(10_000)).astype(np.int64)
    return np.where(part < FAULTY * 10_000, 600 + part, -1)


def panels(path: Path) -> Iterator[Panel]:
    """The file's row groups as panels; the next is read meanwhile."""
    file = pq.ParquetFile(path)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(file.read_row_group, 0)
        for group in range(file.num_row_groups):
            table = coming.result()
            if group + 1 < file.num_row_groups:
                coming = pool.submit(file.read_row_group, group + 1)
            yield laid_out(table)


def laid_out(table: pa.Table) -> Panel:
    """Samples on their grid: the last of a bucket counts, a bucket without one is NaN."""
    ids = table["series_id"].to_numpy()
    column = (table["time"].cast(pa.int64()).to_numpy() - START_US) // STEP_US
    first = np.flatnonzero(np.diff(ids, prepend=ids[0] - 1))
    row = np.repeat(np.arange(len(first)), np.diff(first, append=len(ids)))
    values = np.full((len(first), N_TIMES), np.nan, dtype=np.float32)
    values[row, column] = table["value"].to_numpy()
    return Panel(values, START_US, STEP_US, ids[first])


def run(path: Path, out: Path) -> Done:
    """Score the file and write the rows of what is abnormal."""
    done = Done()
    for panel in panels(path):
        done.series += panel.n_series
        done.values += panel.values.size
        score = LevelState(panel.n_series).replay(panel.values)
        picked = candidates(score)
        done.candidates += len(picked)
        if len(picked):
            found = confirmed(panel, score, picked)
            at = fault_of(np.unique(found["series_id"].to_numpy()))
            done.faults_found += int((at >= 0).sum())
            done.tables.append(found)
    table = pa.concat_tables(done.tables)
    done.rows = table.num_rows
    pq.write_table(table, out, compression="zstd")
    return done


def candidates(score: np.ndarray) -> np.ndarray:
    """Rows that are abnormal for LEAST columns, with at most GAP others between them."""
    some = np.flatnonzero((score >= 1.0).sum(axis=1) >= LEAST)
    part = score[some]
    return some[np.unique(find_intervals(Scores(part, np.ones_like(part)), LEAST, GAP).row)]


def confirmed(panel: Panel, score: np.ndarray, picked: np.ndarray) -> pa.Table:
    """What tier 1 finds in these rows, having learned the columns that tier 0 found normal."""
    values = panel.values[picked]
    normal = np.where(score[picked] >= 1.0, np.float32(np.nan), values)
    some = Panel(values, panel.start, panel.step, panel.series_id[picked])
    scores = build("window_memory").fit(some.with_values(normal)).score(some)
    found = find_intervals(scores, LEAST, GAP)
    peak = (found.row, found.peak)
    time = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "series_id": some.series_id[found.row],
            "start": pa.array(some.start + some.step * found.start, time),
            "end": pa.array(some.start + some.step * found.end, time),
            "peak_time": pa.array(some.start + some.step * found.peak, time),
            "score": found.score,
            "p_value": found.p_value,
            "actual": values[peak],
            "expected": scores.expected[peak],
            "lower": scores.lower[peak],
            "upper": scores.upper[peak],
            "detector": pa.array(["window_memory"] * len(found), pa.string()),
        }
    )
