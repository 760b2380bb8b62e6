"""Rightsizing against Robusta KRR's rule: decided on the first half, judged by the second.

    uv run python benchmarks/advice.py [--containers 2000] [--seeds 1 2 3] [--data FOLDER]
        [--lake 20000] [--json]

The made-up fleet is that of `made_up_containers.py`, 14 days at 5 min; `FOLDER/alibaba_pods` are
GPU pods of a data centre, 11 hours and 11 hours (memory in per cent of 16 GiB; use of GPUs as if it
were of as many cores). One configuration, the settings' defaults. Beside that, what a round takes
from a lake with so many containers.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks import krr_rule  # noqa: E402
from benchmarks.advice_lake import measure  # noqa: E402
from benchmarks.labelled import DEFAULT_DATA  # noqa: E402
from benchmarks.made_up_containers import A_DAY, made_up  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from detectors.rightsizing import bins_of  # noqa: E402
from lake import TimeRange  # noqa: E402
from orchestration.rightsizing_settings import RightsizingSettings  # noqa: E402
from orchestration.steps.advice.rightsizing.configured import Configured  # noqa: E402
from orchestration.steps.advice.rightsizing.facts import Facts  # noqa: E402
from orchestration.steps.advice.rightsizing.inventory import Inventory  # noqa: E402
from orchestration.steps.advice.rightsizing.remembered import Remembered  # noqa: E402
from orchestration.steps.advice.rightsizing.scaled import Scaled  # noqa: E402
from orchestration.steps.advice.rightsizing.sizes import cpu_sizes, memory_sizes  # noqa: E402
from orchestration.steps.advice.rightsizing.trouble import Trouble  # noqa: E402
from orchestration.steps.advice.rightsizing.usage import Used, used_of  # noqa: E402

GIB = 1024.0**3
POD_MEMORY = 16 * GIB
NOW = datetime(2026, 3, 8, tzinfo=UTC)
SLOT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Pods `[pods, columns]`, each of a container (ascending), and what is set for these."""

    container: np.ndarray
    cpu: np.ndarray
    memory: np.ndarray
    starting: np.ndarray
    cpu_request: np.ndarray
    memory_request: np.ndarray
    a_day: int

    @property
    def n(self) -> int:
        """Containers."""
        return len(self.cpu_request)

    @property
    def first(self) -> np.ndarray:
        """The first pod of each."""
        return np.flatnonzero(np.diff(self.container, prepend=-1))

    @property
    def pods(self) -> np.ndarray:
        """How many pods each has."""
        return np.bincount(self.container, minlength=self.n).astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--containers", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--lake", type=int, default=0, help="containers of a lake; 0 = none")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    cases = []
    for seed in options.seeds:
        cases += compared(f"made up, seed {seed}", _made_up(options.containers, seed))
    if (options.data / "alibaba_pods").is_dir():
        cases += compared("alibaba_pods", _alibaba(options.data / "alibaba_pods"))
    if options.lake:
        cases += measure(options.lake)
    emit(cases, options.json)


def compared(name: str, fleet: Fleet) -> list[Case]:
    """Both rules on a fleet's first half, judged by its second."""
    half = fleet.cpu.shape[1] // 2
    past, future = np.s_[:, :half], np.s_[:, half:]
    nothing = np.full(fleet.n, np.nan)
    theirs = krr_rule.cpu_request(fleet.cpu[past], fleet.first)
    theirs_memory = krr_rule.memory(fleet.memory[past], fleet.first, nothing)
    ours = cpu_sizes(_facts(fleet, half, nothing), RightsizingSettings()).request
    # Request and limit of memory alike, as KRR has them; and where they need not be.
    alike = memory_sizes(_facts(fleet, half, fleet.memory_request), RightsizingSettings())
    loose = memory_sizes(_facts(fleet, half, 1.5 * fleet.memory_request), RightsizingSettings())
    own = fleet.cpu[future], fleet.cpu_request
    cases = _side_by_side(
        f"{name}: CPU",
        OF_CPU,
        _judged(fleet, *own, ours, ours),
        _judged(fleet, *own, theirs, theirs),
    )
    own = fleet.memory[future], fleet.memory_request
    krr = _judged(fleet, *own, theirs_memory, theirs_memory)
    for what, sizes in (("request = limit", alike), ("Burstable", loose)):
        found = _judged(fleet, *own, sizes.request, sizes.limit)
        cases += _side_by_side(f"{name}: memory, {what}", OF_MEMORY, found, krr)
    return cases


OF_CPU = ("saved of what is requested", "minutes above the request", "that of the worst tenth")
OF_MEMORY = (
    "saved of what is requested",
    "minutes above the limit",
    "containers ever above the limit",
    "minutes above the request",
)


def _side_by_side(
    name: str, told: tuple[str, ...], ours: dict[str, float], theirs: dict[str, float]
) -> list[Case]:
    return [Case(f"{name}, {what}", "", ours[what], theirs[what], "KRR") for what in told]


def _judged(
    fleet: Fleet, used: np.ndarray, before: np.ndarray, request: np.ndarray, limit: np.ndarray
) -> dict[str, float]:
    """What became of a decision. CPU has no limit: its request is what counts."""
    above, over = _above(fleet, used, request), _above(fleet, used, limit)
    return {
        "saved of what is requested": _saved(fleet, request, before),
        "minutes above the limit": float(np.nanmean(over)),
        "containers ever above the limit": float(np.nanmean(over > 0.0)),
        "minutes above the request": float(np.nanmean(above)),
        "that of the worst tenth": float(np.nanquantile(above, 0.9)),
    }


def _above(fleet: Fleet, values: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Share of the time of each container's pods above its level."""
    alive = np.add.reduceat((~np.isnan(values)).sum(axis=1), fleet.first)
    over = (values > level[fleet.container][:, None]).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.add.reduceat(over, fleet.first) / alive


def _saved(fleet: Fleet, request: np.ndarray, before: np.ndarray) -> float:
    return float(1.0 - (request * fleet.pods).sum() / (before * fleet.pods).sum())


def _facts(fleet: Fleet, half: int, memory_limit: np.ndarray) -> Facts:
    """What the adviser would know in the middle."""
    nothing = np.full(fleet.n, np.nan)
    own = pl.DataFrame({"index": np.arange(fleet.n), "workload_kind": ["Deployment"] * fleet.n})
    set_now = Configured(
        cpu_request=fleet.cpu_request,
        cpu_limit=nothing,
        memory_request=fleet.memory_request,
        memory_limit=memory_limit,
        known=np.ones(fleet.n, dtype=bool),
        unit=[""] * fleet.n,
        unsound=np.zeros(fleet.n, dtype=bool),
        pods=fleet.pods,
        cpu_requested=fleet.cpu_request * fleet.pods,
        memory_requested=fleet.memory_request * fleet.pods,
        node_cpu=nothing,
        node_memory=nothing,
    )
    days = -(-half // fleet.a_day)
    between = TimeRange(NOW - timedelta(days=1) * half / fleet.a_day, NOW)
    return Facts(
        Inventory(pl.DataFrame(), own, pl.DataFrame()),
        between,
        _used(fleet, fleet.cpu[:, :half], days),
        _used(fleet, fleet.memory[:, :half], days),
        set_now,
        Trouble.none(fleet.n),
        Scaled.nothing(fleet.n),
        Remembered.nothing(fleet.n),
    )


def _used(fleet: Fleet, values: np.ndarray, days: int) -> Used:
    """Counts as the query gives them."""
    seen = ~np.isnan(values)
    pod, column = np.nonzero(seen)
    told = values[seen].astype(float)
    rows = pl.DataFrame(
        {
            "container": fleet.container[pod],
            "block": column // fleet.a_day,
            "starting": fleet.starting[:, : values.shape[1]][seen],
            "bin": bins_of(told),
            "value": told,
            "moment": 1 + column,
        }
    )
    counts = rows.group_by("container", "block", "starting", "bin").agg(
        pl.len().cast(pl.Int64).alias("slots"),
        pl.col("value").max().alias("top"),
        pl.lit(0).alias("negative"),
        pl.col("moment").min().alias("oldest"),
        pl.col("moment").max().alias("newest"),
    )
    return used_of(counts, fleet.n, days)


def _made_up(containers: int, seed: int) -> Fleet:
    one = made_up(containers, seed)
    return Fleet(
        one.container,
        one.cpu,
        one.memory,
        one.starting,
        one.cpu_request,
        one.memory_request,
        A_DAY,
    )


def _alibaba(folder: Path) -> Fleet:
    """Pods with a hundred points, as KRR needs them, in the first half, and some in the second."""
    grid = 57_000
    rows = pl.read_parquet(folder / "metrics.parquet").drop_nulls("pod")
    columns = (pl.col("timestamp").dt.epoch("ms") - rows["timestamp"].dt.epoch("ms").min()) // grid
    rows = rows.with_columns(columns.alias("column"))
    width = int(rows["column"].max()) + 1
    half = width // 2
    panels = {}
    for metric in ("pod_memory_util", "pod_gpu_duty_cycle"):
        own = rows.filter(pl.col("metric") == metric)
        known = own.group_by("pod").agg(
            (pl.col("column") < half).sum().alias("past"),
            (pl.col("column") >= half).sum().alias("future"),
        )
        panels[metric] = (
            own,
            set(known.filter(pl.col("past") >= krr_rule.POINTS, pl.col("future") > 0)["pod"]),
        )
    pods = sorted(panels["pod_memory_util"][1] & panels["pod_gpu_duty_cycle"][1])
    place = {pod: at for at, pod in enumerate(pods)}
    found = []
    for own, _ in panels.values():
        own = own.filter(pl.col("pod").is_in(pods))
        values = np.full((len(pods), width), np.nan)
        values[own["pod"].replace_strict(place).to_numpy(), own["column"].to_numpy()] = own["value"]
        found.append(values)
    ones = np.ones(len(pods))
    return Fleet(
        np.arange(len(pods)),
        found[1] / 100.0,
        found[0] * POD_MEMORY,
        np.zeros(found[0].shape, dtype=bool),
        ones,
        ones * POD_MEMORY,
        round(86_400_000 / grid),
    )


if __name__ == "__main__":
    main()
