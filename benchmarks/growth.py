"""What a question about one hour costs as the lake grows: in days, in files, in series.

    uv run python benchmarks/growth.py [--json] [--runs 15] [--only days]

Three questions about the newest hour of a lake: by `time` alone, by `metric` and by a pod through
the `metrics` view. They are asked of lakes of 1 to 3,650 day files (1,000 series, one an hour), of
one day in 1 to 300 files, and of one day of 1,000 to a million series (a sample every ten minutes).
Medians of `--runs` runs of `Lake.sql`, in milliseconds; ours alone, against its own smallest lake.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

# A script's own folder comes first, where this file would hide the package it measures.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.reporting import Case, emit  # noqa: E402
from lake import Lake  # noqa: E402
from lake.schema import SERIES, TIMESTAMP  # noqa: E402

LAST_DAY = datetime(2026, 3, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000
PER_METRIC = 100

QUESTIONS = {
    "by time": (
        "SELECT count(*), avg(value) FROM samples WHERE time >= '{start}' AND time < '{end}'"
    ),
    "by metric": (
        "SELECT series_id, max(value) FROM samples WHERE metric = 'metric_3' "
        "AND time >= '{start}' AND time < '{end}' GROUP BY 1"
    ),
    "by pod": (
        "SELECT metric, avg(value) FROM metrics WHERE pod = 'pod-7' "
        "AND time >= '{start}' AND time < '{end}' GROUP BY 1"
    ),
}


def series(n_series: int, first: datetime) -> pa.Table:
    """Rows of so many series, a hundred of each metric, one of a pod's each."""
    columns: dict[str, Any] = {
        field.name: pa.nulls(n_series, field.type) for field in SERIES.schema
    }
    numbers = np.arange(n_series)
    columns["cluster"] = ["bench"] * n_series
    columns["metric"] = [f"metric_{number // PER_METRIC}" for number in numbers]
    columns["series_id"] = numbers
    columns["pod"] = [f"pod-{number % PER_METRIC}" for number in numbers]
    columns["first_seen"] = pa.array([first] * n_series, TIMESTAMP)
    columns["last_seen"] = pa.array([LAST_DAY + timedelta(days=1)] * n_series, TIMESTAMP)
    return pa.table(columns)


def samples(n_series: int, day: datetime, step_us: int, hours: range) -> pa.Table:
    """A part of a day: every series, at each step."""
    start = int(day.timestamp()) * 1_000_000
    times = np.concatenate(
        [start + hour * HOUR_US + np.arange(0, HOUR_US, step_us) for hour in hours]
    )
    numbers = np.repeat(np.arange(n_series), len(times))
    metrics = pa.DictionaryArray.from_arrays(
        pa.array((numbers // PER_METRIC).astype(np.int32)),
        [f"metric_{number}" for number in range(-(-n_series // PER_METRIC))],
    )
    return pa.table(
        {
            "cluster": pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(len(numbers), np.int32)), ["bench"]
            ),
            "metric": metrics,
            "series_id": numbers,
            "time": pa.array(np.tile(times, n_series)).cast(TIMESTAMP),
            "value": np.sin(numbers + np.tile(times, n_series) / HOUR_US),
        }
    )


def lake_of(folder: Path, n_series: int, days: int, files: int, step_us: int) -> Lake:
    """A lake of so many days, with so many files in each."""
    lake = Lake.open(folder)
    first = LAST_DAY - timedelta(days=days - 1)
    lake.series.append(series(n_series, first))
    written = []
    for number in range(days):
        day = first + timedelta(days=number)
        for part in range(files):
            hours = range(24 * part // files, 24 * (part + 1) // files)
            if files > 24:
                # Files of seconds, as flushes make them: of the last hour, one sample a series.
                rows = samples(n_series, day, HOUR_US, range(23, 24))
            else:
                rows = samples(n_series, day, step_us, hours)
            rows = lake.samples.spec.sorted(rows)
            written.append(lake.samples.write(rows, day.date()))
    lake.samples.rewrite(written, [], data_change=True)
    return lake


def costs(name: str, lake: Lake, runs: int, smallest: dict[str, float]) -> Iterable[Case]:
    """Each question, against what it took of the smallest lake."""
    end = LAST_DAY + timedelta(hours=24)
    when = {"start": (end - timedelta(hours=1)).isoformat(), "end": end.isoformat()}
    for question, sql in QUESTIONS.items():
        asked = sql.format(**when)
        took = milliseconds(lambda: lake.sql(asked), runs)  # noqa: B023 - called at once
        yield Case(
            f"{question}, {name}", "ms", took, smallest.setdefault(question, took), "smallest"
        )


def milliseconds(act: Callable[[], object], runs: int) -> float:
    """The median of so many runs, after three for warmth."""
    taken = []
    for _ in range(runs + 3):
        before = time.perf_counter()
        act()
        taken.append(time.perf_counter() - before)
    return statistics.median(taken[3:]) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--only", choices=["days", "files a day", "series"])
    options = parser.parse_args()
    cases: list[Case] = []
    for what, shapes in (
        ("days", [(1_000, days, 1, HOUR_US) for days in (1, 10, 100, 1_000, 3_650)]),
        ("files a day", [(1_000, 1, files, HOUR_US) for files in (1, 24, 300)]),
        ("series", [(n, 1, 1, HOUR_US // 6) for n in (1_000, 10_000, 100_000, 1_000_000)]),
    ):
        if options.only not in {None, what}:
            continue
        smallest: dict[str, float] = {}
        for shape in shapes:
            with tempfile.TemporaryDirectory() as folder:
                lake = lake_of(Path(folder), *shape)
                number = {"days": shape[1], "files a day": shape[2], "series": shape[0]}[what]
                cases += costs(f"{number:,} {what}", lake, options.runs, smallest)
    emit(cases, json=options.json)


if __name__ == "__main__":
    main()
