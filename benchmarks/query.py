"""TSBS' devops questions: ours beside VictoriaMetrics, and what they cost as a lake grows.

    uv run python benchmarks/query.py [--json] [--runs 15] [--hosts 500] [--hours 12] [--cache DIR]

21.6 million samples (500 hosts, ten metrics, 12 h at 10 s; see `benchmarks/devops.py`) go into a
lake, are compacted and rolled up as the maintenance of a server does it, and into Debian's
`victoria-metrics`. Both are asked over HTTP, on one kept-alive connection, one question at a time:
VictoriaMetrics with `nocache=1`, ours by `POST /api/v1/sql`, in JSON. Answers of some
turns are compared. Each run asks about other hosts and hours, of twenty turns that come again;
medians of `--runs` runs after one of each turn that is not counted, and the very first time.

Beside them the same SQL by `Lake.sql` in a process, which leaves out HTTP, JSON and the sandbox;
its rival is ClickHouse in a process, where it is installed
(`uv run --with chdb python benchmarks/query.py`), over the same Parquet files of samples, since it
knows no rollups, and with an answer in Arrow's format as ours.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa

# A script's own folder comes first, where this file would hide the package it measures.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.clickhouse import ARROW, JSON, asker, rows  # noqa: E402
from benchmarks.devops import CLUSTER, METRICS, Question, Workload, questions  # noqa: E402
from benchmarks.receivers import Server, ours, started, victoria_metrics  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from lake import Lake  # noqa: E402
from lake.schema import SERIES, TIMESTAMP  # noqa: E402
from orchestration.maintenance_settings import MaintenanceSettings  # noqa: E402
from orchestration.steps.maintain import merge_lake  # noqa: E402

Answer = dict[tuple[str, str, int], float]
"""(metric, host, end of the bucket in seconds) to value; what a question leaves out is empty."""


def fill(folder: Path, load: Workload) -> Lake:
    """A lake of the workload, compacted and rolled up."""
    lake = Lake.open(folder)
    if lake.samples.files()[1]:
        return lake
    rng = np.random.default_rng(1)
    times = load.times_ms() * 1000
    n_series, n_times = len(METRICS) * load.hosts, len(times)
    names = [(metric, f"host_{host}") for metric in METRICS for host in range(load.hosts)]
    lake.series.append(_series(names, int(times[0]), int(times[-1])))
    values = np.concatenate([load.values(rng).ravel() for _ in METRICS])
    samples = pa.table(
        {
            "cluster": _repeated([CLUSTER], n_series * n_times),
            "metric": _repeated(list(METRICS), load.hosts * n_times),
            "series_id": np.repeat(np.arange(n_series), n_times),
            "time": pa.array(np.tile(times, n_series)).cast(TIMESTAMP),
            "value": values,
        }
    )
    lake.samples.append(samples, ordered=True)
    merged = merge_lake(lake, MaintenanceSettings().policy(), lambda: datetime.now(UTC))
    if merged.failures:
        raise RuntimeError(f"the lake cannot be merged: {merged.failures}")
    return lake


def _series(names: list[tuple[str, str]], first_us: int, last_us: int) -> pa.Table:
    n = len(names)
    columns: dict[str, Any] = {
        name: pa.nulls(n, SERIES.schema.field(name).type) for name in SERIES.schema.names
    }
    columns["cluster"] = [CLUSTER] * n
    columns["metric"] = [metric for metric, _ in names]
    columns["series_id"] = np.arange(n)
    columns["instance"] = [host for _, host in names]
    columns["labels"] = pa.array(
        [
            [("__name__", metric), ("cluster", CLUSTER), ("instance", host)]
            for metric, host in names
        ],
        SERIES.schema.field("labels").type,
    )
    columns["first_seen"] = pa.array([first_us] * n, pa.int64()).cast(TIMESTAMP)
    columns["last_seen"] = pa.array([last_us] * n, pa.int64()).cast(TIMESTAMP)
    return pa.table(columns)


def _repeated(names: list[str], times: int) -> pa.DictionaryArray:
    indices = np.repeat(np.arange(len(names), dtype=np.int32), times)
    return pa.DictionaryArray.from_arrays(indices, names)


def send_to_victoria_metrics(client: httpx.Client, load: Workload) -> None:
    """The same samples, by its own import."""
    rng = np.random.default_rng(1)
    times = load.times_ms().tolist()
    for metric in METRICS:
        lines = [
            json.dumps(
                {
                    "metric": {"__name__": metric, "cluster": CLUSTER, "instance": f"host_{host}"},
                    "values": row.tolist(),
                    "timestamps": times,
                }
            )
            for host, row in enumerate(load.values(rng))
        ]
        client.post("/api/v1/import", content="\n".join(lines)).raise_for_status()
    client.get("/internal/force_flush").raise_for_status()
    client.get("/internal/force_merge").raise_for_status()
    time.sleep(10)


def ask_sql(client: httpx.Client, question: Question) -> Any:
    """Ours, over HTTP."""
    reply = client.post("/api/v1/sql", json={"query": question.sql})
    if not reply.is_success:
        raise RuntimeError(f"{question.name}: {reply.text[:500]}")
    return reply.content


def ask_metricsql(client: httpx.Client, question: Question) -> Any:
    """VictoriaMetrics, over HTTP."""
    params: dict[str, Any] = {"query": question.metricsql, "nocache": "1"}
    if question.step:
        params |= {
            "start": question.start.timestamp(),
            "end": question.end.timestamp(),
            "step": question.step,
        }
        path = "/api/v1/query_range"
    else:
        params["time"] = question.end.timestamp()
        path = "/api/v1/query"
    reply = client.get(path, params=params)
    if not reply.is_success:
        raise RuntimeError(f"{question.name}: {reply.text[:500]}")
    return reply.content


def answer_of_sql(question: Question, content: bytes) -> Answer:
    """What ours said."""
    return answer_of(question, json.loads(content)["rows"])


def answer_of(question: Question, said: Iterable[Sequence[Any]]) -> Answer:
    """What SQL said. Its buckets are named by their start, and samples by themselves."""
    width = 0 if question.name == "high-cpu-all" else question.step
    found = {}
    for at, metric, host, value in said:
        seconds = at or 0
        if isinstance(at, str):
            seconds = round(datetime.fromisoformat(at).timestamp())
        found[metric, host or "", 0 if at is None else seconds + width] = value
    return found


def answer_of_metricsql(question: Question, content: bytes) -> Answer:
    """What VictoriaMetrics said."""
    found = {}
    for one in json.loads(content)["data"]["result"]:
        name, host = one["metric"].get("__name__", METRICS[0]), one["metric"].get("instance", "")
        points = one["values"] if question.step else [(0, one["value"][1])]
        for at, value in points:
            found[name, host, round(at)] = float(value)
    return found


def check(question: Question, mine: Answer, theirs: Answer) -> None:
    """Both said the same.

    Raises:
        RuntimeError: they did not.
    """
    if mine.keys() != theirs.keys():
        odd = sorted(mine.keys() ^ theirs.keys())[:5]
        raise RuntimeError(f"{question.name}: {len(mine)} against {len(theirs)} values; {odd}")
    wrong = [key for key in mine if not np.isclose(mine[key], theirs[key], rtol=1e-9)]
    if wrong or not mine:
        raise RuntimeError(f"{question.name}: {len(wrong)} of {len(mine)} differ: {wrong[:5]}")


TURNS = 20
"""Of hosts and hours."""

CHECKED = 5
"""Turns whose answers are compared."""


@dataclass(frozen=True)
class Timed:
    """Milliseconds by question: of many times, and of the first."""

    median: dict[str, float]
    first: dict[str, float]


def timed(
    turns: Sequence[Sequence[Question]], runs: int, act: Callable[[Question], object]
) -> Timed:
    """The median of so many runs, after one of each turn for warmth."""
    taken: dict[str, list[float]] = {}
    for run in range(-len(turns), runs):
        for question in turns[run % len(turns)]:
            before = time.perf_counter()
            act(question)
            taken.setdefault(question.name, []).append(1000 * (time.perf_counter() - before))
    first = {name: found[0] for name, found in taken.items()}
    return Timed(
        {name: statistics.median(found[len(turns) :]) for name, found in taken.items()}, first
    )


def devops(load: Workload, cache: Path, runs: int) -> Iterable[Case]:
    """All questions, ours beside VictoriaMetrics'."""
    data = cache / f"data-{load.hosts}-{load.hours}"
    lake = fill(data / "lake", load)
    turns = [questions(load, turn) for turn in range(TURNS)]
    asked = turns[0]
    in_process = timed(turns, runs, lambda one: lake.sql(one.sql))
    clickhouse = asker(lake)
    theirs = theirs_in_process = Timed({}, {})
    checked = [one for turn in turns[:CHECKED] for one in turn]
    with started(_our_server(data)) as (_, client):
        own = timed(turns, runs, lambda one: ask_sql(client, one))
        mine = [answer_of_sql(one, ask_sql(client, one)) for one in checked]
    if clickhouse is not None:
        for one, answer in zip(asked, mine, strict=False):
            check(one, answer, answer_of(one, rows(clickhouse(one, JSON))))
        theirs_in_process = timed(turns[:1], runs, lambda one: clickhouse(one, ARROW))
    with tempfile.TemporaryDirectory() as folder:
        rival = victoria_metrics(Path(folder), "-retentionPeriod=100y")
        if rival is not None:
            with started(rival) as (_, client):
                send_to_victoria_metrics(client, load)
                theirs = timed(turns, runs, lambda one: ask_metricsql(client, one))
                for one, answer in zip(checked, mine, strict=True):
                    check(one, answer, answer_of_metricsql(one, ask_metricsql(client, one)))
    for what, ours_is, theirs_is in (
        ("over HTTP", own.median, theirs.median),
        ("over HTTP, the first time", own.first, theirs.first),
    ):
        for one in asked:
            name = f"{one.name} (from {one.served}), {what}"
            yield Case(name, "ms", ours_is[one.name], theirs_is.get(one.name), "victoria-metrics")
    for one in asked:
        theirs_here = theirs_in_process.median.get(one.name)
        name = f"{one.name} (from {one.served}), in a process"
        yield Case(name, "ms", in_process.median[one.name], theirs_here, "chdb")


def _our_server(data: Path) -> Server:
    server = ours(data)
    config = data / "fleetlake.yaml"
    text = config.read_text().replace(f"data_dir: {data / 'data'}", f"data_dir: {data}")
    config.write_text(text.replace("api: {", "api: {sql_rows: 1000000, "))
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--hours", type=int, default=12)
    parser.add_argument("--cache", type=Path, help="where the lake is kept from run to run")
    options = parser.parse_args()
    load = Workload(options.hosts, options.hours)
    with tempfile.TemporaryDirectory() as folder:
        cases = list(devops(load, options.cache or Path(folder), options.runs))
    emit(cases, json=options.json)


if __name__ == "__main__":
    main()
