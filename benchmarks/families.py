"""Families of series with a clean history, of the labelled sets (see benchmarks/labelled.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from detectors import Panel
from detectors.selection import Sample

STEP = 60_000_000
HISTORY = 4320
"""Columns that a choice is made on: what `fleetlake choose` reads by default."""
LEAST = 672
"""Columns that `fleetlake choose` needs at least."""
TRAINED = 1440
"""Columns before the part "test" that are fitted on when real labels are asked."""


@dataclass(frozen=True)
class Family:
    """One metric: its clean history, and where there is one its labelled part.

    `tests` are (values with `TRAINED` columns before them, labels of the rest) of each target.
    """

    name: str
    sample: Sample
    columns_a_day: float
    tests: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


def hosts(folder: Path, most: int) -> Iterator[Family]:
    """Yield metrics of hosts, spread over all of them, each with the host's others as siblings."""
    rows = pl.read_parquet(folder / "metrics.parquet")
    segments = pl.read_parquet(folder / "anomaly_segments.parquet")
    took_part = pl.read_parquet(folder / "interpretation.parquet")
    entities = sorted(rows["entity"].unique())
    metrics = sorted(rows["metric"].unique())
    train, test = (
        {
            entity: part.pivot("metric", index="timestamp", values="value").sort("timestamp")
            for (entity,), part in rows.filter(pl.col("part") == name).group_by("entity")
        }
        for name in ("train", "test")
    )
    step = rows["timestamp"].diff().dt.total_seconds().mode()[0]
    blocks = [train[entity].select(metrics)[-HISTORY:].to_numpy().T for entity in entities]
    panel = Panel(np.concatenate(blocks), 0, STEP, np.arange(len(entities) * len(metrics)))
    for place in np.linspace(0, len(metrics) - 1, min(most, len(metrics))).astype(int):
        metric = metrics[place]
        targets = np.arange(len(entities)) * len(metrics) + place
        own = [np.arange(n * len(metrics), (n + 1) * len(metrics)) for n in range(len(entities))]
        tests = []
        for entity in entities:
            values = np.concatenate(
                [train[entity][metric][-TRAINED:].to_numpy(), test[entity][metric].to_numpy()]
            )
            labels = np.zeros(test[entity].height, dtype=bool)
            key = (pl.col("entity") == entity) & (pl.col("metric") == metric)
            involved = took_part.filter(key)
            for first, last in _spans(involved, segments, entity):
                labels[first : last + 1] = True
            tests.append((values[None], labels))
        yield Family(metric, Sample(panel, targets, {"host": own}), 86_400 / step, tuple(tests))


def _spans(
    involved: pl.DataFrame, segments: pl.DataFrame, entity: str
) -> Iterator[tuple[int, int]]:
    if "start_idx" in involved.columns:
        yield from involved.select("start_idx", "end_idx").iter_rows()
        return
    own = segments.filter(pl.col("entity") == entity)
    yield from (
        own.join(involved, on=["entity", "segment"]).select("start_idx", "end_idx").iter_rows()
    )


def datacentres(folder: Path, most: int) -> Iterator[Family]:
    """Yield the metrics of each datacentre: one series a family, without siblings."""
    rows = pl.read_parquet(folder / "metrics.parquet")
    for (cluster, metric), part in list(rows.group_by("cluster", "metric", maintain_order=True))[
        :most
    ]:
        values = part.sort("timestamp")["value"].to_numpy()[None, -HISTORY:]
        yield Family(
            f"{cluster} {metric}", Sample(Panel(values, 0, STEP, [0]), np.array([0]), {}), 288.0
        )


def services(folder: Path, most: int) -> Iterator[Family]:
    """Yield categories of services; the second half of each series, at least, is for its labels."""
    rows = pl.read_parquet(folder / "metrics.parquet")
    series = pl.read_parquet(folder / "series.parquet").filter(pl.col("rows") >= 2 * LEAST)
    for (category,), of in list(series.group_by("category", maintain_order=True))[:most]:
        length = min(int(of["rows"].min()) // 2, HISTORY)
        trained = min(TRAINED, length)
        history, tests = np.full((of.height, length), np.nan), []
        for place, name in enumerate(of["series"]):
            own = rows.filter(pl.col("series") == name).sort("timestamp")
            values, labels = own["value"].to_numpy(), own["anomaly"].to_numpy() > 0
            history[place] = np.where(labels, np.nan, values)[:length]
            tests.append((values[None, length - trained :], labels[length:]))
        panel = Panel(history, 0, STEP, np.arange(of.height))
        sample = Sample(panel, np.arange(of.height), {})
        yield Family(str(category), sample, 86_400 / of["interval_s"][0], tuple(tests))
