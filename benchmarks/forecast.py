"""When series reach a threshold: real pods, made-up disks, real datacentres, and the cost.

    uv run python benchmarks/forecast.py [--data FOLDER] [--disks 4000] [--seed 11]
        [--series 100000] [--json]

Pods and datacentres are read from `--data` (left out where it is missing). Everything is foretold
from the past alone, with one configuration.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.labelled import DEFAULT_DATA  # noqa: E402
from benchmarks.made_up_disks import HISTORY, KINDS, Disks, made_up  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from detectors.forecasting import forecast  # noqa: E402

STEP = 300
A_STEP = STEP / 3600
HORIZON = 4.0
COLUMNS = 48
FULL_POD = 0.8
LATE = 6.0
"""Hours: a warning is not counted as false where the threshold is passed before this."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--disks", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--series", type=int, default=100_000, help="of the measured cost")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    cases = disks(made_up(options.disks, options.seed))
    if (options.data / "alibaba_pods").is_dir():
        cases += pods(options.data / "alibaba_pods" / "metrics.parquet")
    if (options.data / "fleet").is_dir():
        cases += fleet(options.data / "fleet" / "metrics.parquet")
    emit(cases + cost(options.series, options.seed), options.json)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Hours from each origin: foretold, its interval, and true; infinite = not."""

    eta: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    true: np.ndarray

    def of(self, which: np.ndarray) -> Told:
        """Of some of the origins."""
        return Told(self.eta[which], self.lower[which], self.upper[which], self.true[which])

    def counts(self, late: float = HORIZON) -> tuple[int, int, int]:
        """True and false warnings, and missed passages; passages until `late` are no false ones."""
        told, came = self.eta <= HORIZON, self.true <= HORIZON
        false = told & ~(self.true <= late)
        return int((told & came).sum()), int(false.sum()), int((~told & came).sum())

    def f1(self, late: float = HORIZON) -> float:
        """Of warnings, with `counts`."""
        right, false, missed = self.counts(late)
        return 2 * right / max(1, 2 * right + false + missed)

    def error(self) -> float:
        """Median error of the time, hours, of what was foretold and came."""
        both = (self.eta <= HORIZON) & (self.true <= HORIZON)
        return float(np.median(np.abs(self.eta[both] - self.true[both])))

    def covered(self) -> float:
        """Share of passages that were in the stated interval, of what was foretold and came."""
        asked = (self.eta <= HORIZON) & np.isfinite(self.true)
        inside = (self.lower - 1e-6 <= self.true) & (self.true <= self.upper + 1e-6)
        return float(inside[asked].mean())


def straight(values: np.ndarray, columns: int, threshold: float) -> np.ndarray:
    """Hours until a least-squares line over the last columns is at the threshold."""
    window = values[:, -columns:]
    known = ~np.isnan(window)
    count = known.sum(axis=1)
    times = np.arange(window.shape[1]) - window.shape[1] + 1.0
    filled = np.where(known, window, 0.0)
    with np.errstate(all="ignore"):
        middle = (known * times).sum(axis=1) / count
        apart = np.where(known, times - middle[:, None], 0.0)
        slope = (apart * filled).sum(axis=1) / (apart**2).sum(axis=1)
        level = filled.sum(axis=1) / count - slope * middle
        hours = np.where(slope > 0, (threshold - level) / slope, np.inf) * A_STEP
    return np.where(level >= threshold, 0.0, hours)


def first_passage(future: np.ndarray, threshold: float) -> np.ndarray:
    passed = future >= threshold
    return np.where(passed.any(axis=1), (passed.argmax(axis=1) + 1.0) * A_STEP, np.inf)


def disks(made: Disks) -> list[Case]:
    past, future = made.values[:, :HISTORY], made.values[:, HISTORY:]
    below = past[:, -1] < made.threshold
    past, future, kinds = past[below], future[below], made.kinds[below]
    true = first_passage(future, made.threshold)
    found = forecast(past, made.threshold, step_hours=A_STEP, horizon_hours=HORIZON)
    eta = np.nan_to_num(found.eta, nan=np.inf)
    ours = Told(eta, found.eta_lower, found.eta_upper, true)
    line = Told(straight(past, 12, made.threshold), true, true, true)
    name = f"predict_linear over 1 h, {len(true)} disks, {int((true <= HORIZON).sum())} pass"
    cases = [
        Case("disks: F1, passages up to 4 h", "", ours.f1(), line.f1(), name),
        Case("disks: F1, late by 2 h is not false", "", ours.f1(LATE), line.f1(LATE), name),
        Case("disks: median error of the time", "h", ours.error(), line.error(), name),
        Case("disks: 80 % intervals cover", "", ours.covered()),
    ]
    for kind in KINDS:
        own = kinds == kind
        one, rival = ours.of(own), line.of(own)
        cases.append(Case(f"disks, {kind}: F1", "", one.f1(LATE), rival.f1(LATE), name))
        cases.append(Case(f"disks, {kind}: 80 % intervals cover", "", one.covered()))
    return cases


def pod_origins(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Memory of pods, means of 5 minutes; from each 30 minutes of a pod that 2 h are known of.

    What is known at one time of some pods `[n, width]`, and what follows.
    """
    rows = pl.read_parquet(path).filter(pl.col("metric") == "pod_memory_util")
    means = (
        rows.with_columns(
            pl.col("pod").fill_null(""),
            at=pl.col("timestamp").dt.cast_time_unit("us").dt.truncate("5m"),
        )
        .group_by("pod", "at")
        .agg(pl.col("value").mean())
    )
    times = pl.datetime_range(means["at"].min(), means["at"].max(), "5m", eager=True).alias("at")
    wide = means.pivot("pod", index="at", values="value")
    wide = times.to_frame().join(wide, on="at", how="left").sort("at")
    panel = wide.drop("at").to_numpy().T
    known = ~np.isnan(panel)
    first = known.argmax(axis=1)
    for at in range(23, panel.shape[1] - COLUMNS + 1):
        past, future = panel[:, : at + 1], panel[:, at + 1 : at + 1 + COLUMNS]
        asked = (at >= first) & ((at - first) % 6 == 0) & (past[:, -1] < FULL_POD)
        asked &= known[:, at - 23 : at + 1].all(axis=1)
        asked &= known[:, at + 1 : at + 1 + COLUMNS].any(axis=1)
        if asked.any():
            yield past[asked], future[asked]


def pods(path: Path) -> list[Case]:
    found = []
    for past, future in pod_origins(path):
        told = forecast(past, FULL_POD, step_hours=A_STEP, horizon_hours=HORIZON)
        true, line = first_passage(future, FULL_POD), straight(past, 24, FULL_POD)
        found.append(np.stack([told.eta, told.eta_lower, told.eta_upper, true, line]))
    eta, lower, upper, true, line = np.concatenate(found, axis=1)
    ours = Told(np.nan_to_num(eta, nan=np.inf), lower, upper, true)
    rival = Told(line, line, line, true)
    name = f"2 h line, {len(true)} origins, {int((true <= HORIZON).sum())} pass"
    rows_of = zip(("right", "false", "missed"), ours.counts(), rival.counts(), strict=True)
    return [
        *(Case(f"pods: {what}", "", mine, theirs, name) for what, mine, theirs in rows_of),
        Case("pods: F1", "", ours.f1(), rival.f1(), name),
        Case("pods: median error of the time", "h", ours.error(), rival.error(), name),
        Case("pods: 80 % intervals cover", "", ours.covered()),
    ]


def fleet_origins(path: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Of each series: name, values, origins (each second hour), the week before each."""
    for (cluster, metric), part in pl.read_parquet(path).group_by(
        "cluster", "metric", maintain_order=True
    ):
        part = part.sort("timestamp")
        at = (part["timestamp"] - part["timestamp"][0]).dt.total_seconds().to_numpy() // STEP
        values = np.full(int(at[-1]) + 1, np.nan)
        values[at.astype(int)] = part["value"].to_numpy()
        week = 7 * 288
        origins = np.arange(300, len(values) - COLUMNS, 24)
        known = ~np.isnan(values[origins] + values[origins + COLUMNS] + values[origins - 240])
        origins = origins[known]
        padded = np.concatenate([np.full(week, np.nan), values])
        panel = np.stack([padded[o + 1 : o + 1 + week] for o in origins])
        yield f"{cluster} {metric}", values, origins, panel


def fleet(path: Path) -> list[Case]:
    """Value 4 h ahead; errors over the series' mean."""
    cases = []
    passing: list[np.ndarray] = []
    for name, values, origins, panel in fleet_origins(path):
        truth = values[origins + COLUMNS]
        # A threshold that none reaches: the expected value is what is asked.
        never = 1e3 * float(np.nanmax(np.abs(values)))
        told = forecast(panel, never, step_hours=A_STEP, horizon_hours=HORIZON)
        passing.append(_passing(panel, values, origins))
        times = np.arange(24) - 23.0
        lines = []
        for window in panel[:, -24:]:
            has = ~np.isnan(window)
            slope, level = np.polyfit(times[has], window[has], 1)
            lines.append(level + slope * COLUMNS)
        rules = {
            "last value": panel[:, -1],
            "same time yesterday": values[origins - 240],
            "2 h line": np.array(lines),
        }
        errors = {
            rule: float(np.abs(told_by - truth).mean() / np.nanmean(values))
            for rule, told_by in rules.items()
        }
        best = min(errors, key=lambda rule: errors[rule])
        mine = float(np.abs(told.expected - truth).mean() / np.nanmean(values))
        title = f"{name}, 4 h ahead: MAE / mean"
        cases.append(Case(title, "", mine, errors[best], f"{best}, {len(origins)} origins"))
    crossed = Told(*np.concatenate(passing, axis=1))
    cases.append(Case("datacentres pass their own 80 % quantile: F1", "", crossed.f1()))
    cases.append(Case("datacentres: 80 % intervals cover", "", crossed.covered()))
    return cases


def _passing(panel: np.ndarray, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """Passages of what was passed a fifth of the week before: eta, its interval, truth."""
    limit, true = own_passages(panel, values, origins)
    told = forecast(panel, limit, step_hours=A_STEP, horizon_hours=HORIZON)
    asked = panel[:, -1] < limit
    eta = np.nan_to_num(told.eta, nan=np.inf)
    return np.stack([eta, told.eta_lower, told.eta_upper, true])[:, asked]


def own_passages(
    panel: np.ndarray, values: np.ndarray, origins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What was passed a fifth of each week, and hours until it is again."""
    limit = np.nanquantile(panel, 0.8, axis=1)
    future = np.stack([values[o + 1 : o + 1 + COLUMNS] for o in origins])
    return limit, first_passage(future, limit[:, None])


def cost(series: int, seed: int) -> list[Case]:
    """From a Parquet file of disks as above, sorted by series, to the file of forecasts."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "disks.parquet", Path(folder) / "forecasts.parquet"
        _write(file, series, seed)
        options = ["--threshold", "80", "--horizon", "4h", "--out", str(out)]
        program = str(Path(sys.executable).with_name("fleetlake"))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run([program, "forecast", str(file), *options], check=True, capture_output=True)
        took = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows = pl.read_parquet(out).height
    if rows != series:
        raise RuntimeError(f"{rows:,} forecasts of {series:,} series")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    name = f"`fleetlake forecast`, {series:,} series x 48 h at 5 min"
    return [
        Case(f"{name}: from Parquet to Parquet", "s", took),
        Case(f"{name}: CPU", "s", spent),
        Case(f"{name}: peak memory", "GiB", after.ru_maxrss / 2**20),
    ]


def _write(file: Path, series: int, seed: int) -> None:
    made = made_up(min(series, 10_000), seed).values[:, :HISTORY]
    times = 1_700_000_000_000_000 + np.arange(HISTORY) * STEP * 1_000_000
    schema = pa.schema(
        [("timestamp", pa.timestamp("us", "UTC")), ("disk", pa.string()), ("value", pa.float64())]
    )
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for begin in range(0, series, len(made)):
            part = made[: series - begin]
            names = np.repeat([f"disk-{begin + i:06d}" for i in range(len(part))], HISTORY)
            at = pa.array(np.tile(times, len(part))).cast(schema.field("timestamp").type)
            writer.write(pa.table([at, pa.array(names), part.ravel()], schema=schema))


if __name__ == "__main__":
    main()
