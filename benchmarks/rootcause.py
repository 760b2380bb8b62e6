"""How often the right entity is named first, on published faults, and what it costs.

    uv run python benchmarks/rootcause.py [--data FOLDER] [--only sockshop petshop …] [--json]

The folder holds the sets by name (`sockshop`, `petshop`, `nezha`, `smd`, `asd`), as Parquet. One
configuration for all, the one of `fleetlake rank-causes`. Beside it two rivals on the same rows of
metrics: the largest deviation in standard deviations (NSigma), and in quartile distances (BARO's
scorer, with the standard deviation where the quartiles are equal).

`cost` makes 20,000 series of six hours at a minute's step and ranks them, from Parquet.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.labelled import DEFAULT_DATA  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from orchestration.steps.causes.question import Question  # noqa: E402
from orchestration.steps.causes.rank_file import rank_file  # noqa: E402

LATE = timedelta(seconds=60)


@dataclass
class Fault:
    """A question and its answer: any of the names is right."""

    metrics: pl.DataFrame
    by: str
    at: datetime
    right: set[str]
    baseline: pl.DataFrame | None = None
    symptom: str | None = None
    files: dict[str, Path] = field(default_factory=dict)
    name: Callable[[str], str] = str
    lasting: timedelta | None = None


def sockshop(data: Path, late: timedelta = timedelta(0)) -> Iterator[Fault]:
    metrics = pl.read_parquet(data / "sockshop/metrics.parquet")
    for case in pl.read_parquet(data / "sockshop/cases.parquet").iter_rows(named=True):
        rows = metrics.filter(case_id=case["case_id"]).drop("case_id", "phase")
        yield Fault(
            rows,
            "service",
            case["fault_start"] + late,
            {case["root_cause_service"]},
            name=lambda service: service.removesuffix("-db"),
        )


def petshop(data: Path, scratch: Path) -> Iterator[Fault]:
    metrics = pl.read_parquet(data / "petshop/metrics.parquet")
    normal = pl.read_parquet(data / "petshop/normal_metrics.parquet")
    edges = pl.read_parquet(data / "petshop/graph_edges.parquet")
    for case in pl.read_parquet(data / "petshop/cases.parquet").iter_rows(named=True):
        if not case["has_normal"]:
            continue
        graph = scratch / f"{case['scenario']}.parquet"
        edges.filter(scenario=case["scenario"]).write_parquet(graph)
        yield Fault(
            metrics.filter(case_id=case["case_id"]).drop("case_id"),
            "node",
            case["target_time"],
            {case["root_cause_node"]},
            normal.filter(scenario=case["scenario"]).drop("scenario"),
            f"{case['target_node']}:{case['target_metric']}",
            {"graph": graph},
        )


def nezha(data: Path, cluster: str, scratch: Path, *, metrics_only: bool) -> Iterator[Fault]:
    own = pl.col("cluster").str.starts_with(cluster)
    metrics = pl.read_parquet(data / "nezha/metrics.parquet").filter(own).drop("cluster", "kind")
    files = {}
    for kind in () if metrics_only else ("traces", "logs"):
        files[kind] = scratch / f"{cluster}_{kind}.parquet"
        pl.read_parquet(data / f"nezha/{kind}.parquet").filter(own).write_parquet(files[kind])
    for case in pl.read_parquet(data / "nezha/faults.parquet").filter(own).iter_rows(named=True):
        at = case["inject_time"]
        # The first faults of this set are noted in UTC+8's morning as if that were UTC: eight hours
        # before the first span.
        if cluster == "train" and at.hour < 8:
            at += timedelta(hours=8)
        yield Fault(metrics, "pod", at, {case["pod"]}, files=files)


def involved(data: Path, kind: str, history: timedelta, *, told: bool = False) -> Iterator[Fault]:
    """Segments of which it is known which metrics took part; the file ends with the segment.

    Args:
        data: the sets.
        kind: which of them.
        history: before each segment.
        told: how long it lasted, and no other segment is in the baseline: what a scorer of whole
            segments knows.
    """
    metrics = pl.read_parquet(data / kind / "metrics.parquet").drop("part")
    took = pl.read_parquet(data / kind / "interpretation.parquet")
    segments = pl.read_parquet(data / kind / "anomaly_segments.parquet")
    for segment in segments.iter_rows(named=True):
        right = took.filter(entity=segment["entity"], start_idx=segment["start_idx"])["metric"]
        if right.is_empty():
            continue
        begin, end = segment["start"] - history, segment["end"]
        rows = metrics.filter(entity=segment["entity"]).drop("entity")
        rows = rows.filter(pl.col("timestamp").is_between(begin, end))
        lasting = None
        if told:
            lasting = max(end - segment["start"], timedelta(minutes=3))
            before = pl.col("timestamp") < segment["start"]
            for other in segments.filter(entity=segment["entity"]).iter_rows(named=True):
                within = pl.col("timestamp").is_between(other["start"], other["end"])
                rows = rows.filter(~(before & within))
        yield Fault(rows, "metric", segment["start"], set(right), lasting=lasting)


def by_deviations(fault: Fault, *, robust: bool) -> list[str]:
    """Entities by their most deviating series: in quartile distances, or in standard deviations."""
    rows = fault.metrics.filter(pl.col("value").is_finite() & pl.col(fault.by).is_not_null())
    labels = [name for name, kind in rows.schema.items() if kind == pl.String]
    before = rows.filter(pl.col("timestamp") < fault.at)
    if fault.baseline is not None:
        before = fault.baseline.filter(pl.col("value").is_finite())
    value = pl.col("value")
    spread = value.quantile(0.75) - value.quantile(0.25)
    scales = before.group_by(labels).agg(
        (value.median() if robust else value.mean()).alias("centre"),
        pl.when(spread > 0).then(spread).otherwise(value.std()).alias("scale")
        if robust
        else value.std().alias("scale"),
    )
    end = fault.at + (fault.lasting or timedelta(minutes=10))
    after = rows.filter((pl.col("timestamp") >= fault.at) & (pl.col("timestamp") <= end))
    off = ((value - pl.col("centre")) / pl.col("scale").fill_null(0).clip(1e-9)).abs()
    joined = after.join(scales, on=labels, nulls_equal=True)
    sizes = joined.group_by(fault.by).agg(off.max().alias("size"))
    return [str(name) for name in sizes.sort("size", fault.by, descending=[True, False])[fault.by]]


def ours(fault: Fault, scratch: Path) -> list[str]:
    fault.metrics.write_parquet(scratch / "metrics.parquet")
    baseline = None
    if fault.baseline is not None:
        baseline = scratch / "baseline.parquet"
        fault.baseline.write_parquet(baseline)
    question = Question(
        [scratch / "metrics.parquet"],
        fault.by,
        fault.at,
        baseline=baseline,
        symptom=fault.symptom,
        lasting=fault.lasting,
        **fault.files,
    )
    return [cause.entity for cause in rank_file(question).causes]


@dataclass
class Score:
    """Figures of one set: share with a right one first, among three, and the mean of 1 to 5."""

    top1: float
    top3: float
    avg5: float

    @classmethod
    def of(cls, orders: Sequence[list[str]], rights: Sequence[set[str]]) -> Score:
        """Of orders, each with the names that are right."""
        hits = [
            [len(set(order[:n]) & right) / min(n, len(right)) for n in range(1, 6)]
            for order, right in zip(orders, rights, strict=True)
        ]
        means = np.array(hits).mean(axis=0)
        return cls(float(means[0]), float(means[2]), float(means.mean()))


def judged(name: str, faults: Iterator[Fault], scratch: Path) -> list[Case]:
    orders: dict[str, list[list[str]]] = {"ours": [], "NSigma": [], "BARO": []}
    rights = []
    for fault in faults:
        rights.append(fault.right)
        for who, order in (
            ("ours", ours(fault, scratch)),
            ("NSigma", by_deviations(fault, robust=False)),
            ("BARO", by_deviations(fault, robust=True)),
        ):
            orders[who].append(list(dict.fromkeys(fault.name(one) for one in order)))
    scores = {who: Score.of(found, rights) for who, found in orders.items()}
    return [
        Case(
            f"{name} ({len(rights)}): {figure}",
            "share",
            round(getattr(scores["ours"], figure), 4),
            round(getattr(scores[rival], figure), 4),
            rival,
        )
        for rival in ("NSigma", "BARO")
        for figure in ("top1", "top3", "avg5")
    ]


def cost(scratch: Path, runs: int) -> list[Case]:
    """20,000 series, six hours at a minute: seconds from Parquet to the ranking."""
    series, minutes = 20_000, 360
    rng = np.random.default_rng(7)
    values = rng.normal(100, 5, (series, minutes)).astype(np.float64)
    values[4321, 340:] += 80
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = pl.datetime_range(start, start + timedelta(minutes=minutes - 1), "1m", eager=True)
    pods = [f"pod-{n // 20:04d}" for n in range(series)]
    metrics = [f"metric_{n % 20:02d}" for n in range(series)]
    frame = pl.DataFrame(
        {
            "timestamp": pl.concat([times] * series),
            "value": values.ravel(),
            "pod": np.repeat(pods, minutes),
            "metric": np.repeat(metrics, minutes),
        }
    )
    path = scratch / "cost.parquet"
    frame.write_parquet(path)
    question = Question([path], "pod", start + timedelta(minutes=340))
    took = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        answer = rank_file(question)
        took.append(time.perf_counter() - began)
        assert answer.causes[0].entity == pods[4321]
    return [Case("20,000 series of 6 h, from Parquet", "s", round(statistics.median(took[1:]), 3))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--only", nargs="*", metavar="SET")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        data = given.data
        sets: dict[str, Callable[[], list[Case]]] = {
            "sockshop": lambda: judged("sockshop", sockshop(data), scratch),
            "sockshop_late": lambda: judged("sockshop, 60 s late", sockshop(data, LATE), scratch),
            "petshop": lambda: judged("petshop", petshop(data, scratch), scratch),
            "online_boutique": lambda: judged(
                "Online Boutique", nezha(data, "online", scratch, metrics_only=False), scratch
            ),
            "train_ticket": lambda: judged(
                "Train Ticket", nezha(data, "train", scratch, metrics_only=False), scratch
            ),
            "smd": lambda: judged("smd", involved(data, "smd", timedelta(days=1)), scratch),
            "smd_told": lambda: judged(
                "smd, told how long", involved(data, "smd", timedelta(days=1), told=True), scratch
            ),
            "asd": lambda: judged("asd", involved(data, "asd", timedelta(days=5)), scratch),
            "cost": lambda: cost(scratch, given.runs),
        }
        if unknown := set(given.only or ()) - set(sets):
            parser.error(f"there is no {', '.join(sorted(unknown))}: choose of {', '.join(sets)}")
        for name in given.only or sets:
            cases += sets[name]()
    emit(cases, given.json)


if __name__ == "__main__":
    main()
