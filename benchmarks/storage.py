"""Bytes a sample on disk, ours beside the rivals installed, on a recording of real scrapes.

    uv run python benchmarks/recording.py              # once: records for 20 minutes
    uv run python benchmarks/storage.py [--json] [--folder ~/.cache/fleetlake-bench] [--times grid]

The same samples go to `fleetlake up` and to VictoriaMetrics by remote write, and through promtool
into a block of Prometheus. Ours are then compacted as on the day after, VictoriaMetrics flushed and
merged. `--times recorded` keeps the milliseconds of each scrape; `grid` has whole seconds, which is
what an aligned scraper sends. Plain Parquet: the same sorted rows, zstd-9, dictionaries for names
and series. CPU is user + system. Read times are by DuckDB with two threads on one file of each
layout, the least of seven runs; sizes do not depend on what else the machine does, times do.
"""

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

# A script's own folder comes first, where this file could hide a package.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks import recording  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from benchmarks.stores import (  # noqa: E402
    Samples,
    Stored,
    into_lake,
    into_prometheus,
    into_victoria_metrics,
    samples_of,
)
from lake import Lake  # noqa: E402
from lake.row_groups import write_dense  # noqa: E402

BEGIN = datetime(2026, 11, 2, 4, tzinfo=UTC)
"""At the start of a block of Prometheus and far from midnight, so that no store cuts the time."""

MILLION, RUNS, THREADS = 1_000_000, 7, 2
PLAIN_LEVEL = 9


def plain_parquet(rows: pa.Table) -> bytes:
    """Rows as most would write them."""
    sink = io.BytesIO()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        compression_level=PLAIN_LEVEL,
        use_dictionary=["cluster", "metric", "series_id"],
        row_group_size=1 << 20,
    )
    return sink.getvalue()


def dense_parquet(rows: pa.Table) -> bytes:
    """Rows as our compaction writes them."""
    sink = io.BytesIO()
    write_dense(sink, rows)
    return sink.getvalue()


def sizes(samples: Samples, ours: Stored, rivals: list[Stored]) -> list[Case]:
    """Bytes a sample and CPU seconds per million, against each rival."""
    n = len(samples.values)
    cases = []
    for rival in rivals:
        rows = "chunks" if rival.name == "prometheus" else "data"
        cases += [
            Case("with labels", "bytes/sample", ours.total / n, rival.total / n, rival.name),
            Case(
                "without labels",
                "bytes/sample",
                ours.size["samples"] / n,
                rival.size[rows] / n,
                rival.name,
            ),
            Case(
                "taken in and in its final form",
                "cpu_s_per_million",
                ours.cpu / n * MILLION,
                rival.cpu / n * MILLION,
                rival.name,
            ),
        ]
        if rival.exact is not None:
            cases.append(
                Case("values as they were sent", "share", 1.0, rival.exact / n, rival.name)
            )
    return cases


def columns(lake: Lake, n: int) -> list[Case]:
    """Bytes a sample of each column of ours, and of each table's footers."""
    cases = []
    for table in ("samples", "series"):
        by_column: dict[str, int] = {}
        files = lake.tables[table].files()[1]
        for file in files:
            metadata = pq.read_metadata(file.path)
            for group in range(metadata.num_row_groups):
                row_group = metadata.row_group(group)
                for index in range(row_group.num_columns):
                    chunk = row_group.column(index)
                    name = chunk.path_in_schema.partition(".")[0]
                    by_column[name] = by_column.get(name, 0) + chunk.total_compressed_size
        by_column["footer"] = sum(file.size for file in files) - sum(by_column.values())
        cases += [
            Case(f"{table}, {name}", "bytes/sample", size / n) for name, size in by_column.items()
        ]
    return cases


def layouts(rows: pa.Table, folder: Path) -> list[Case]:
    """Size, cost of writing and times of reading: ours and plain Parquet."""
    found: list[dict[str, float]] = []
    for name, write in (("dense", dense_parquet), ("plain", plain_parquet)):
        before = time.process_time()
        data = write(rows)
        cpu = time.process_time() - before
        path = folder / f"{name}.parquet"
        path.write_bytes(data)
        found.append(
            {
                "size": len(data) / rows.num_rows,
                "cpu": cpu / rows.num_rows * MILLION,
                **_read_times(rows, path),
            }
        )
    dense, plain = found
    cases = [
        ("one file, without labels", "bytes/sample", "size"),
        ("written, sorted before", "cpu_s_per_million", "cpu"),
        ("all values read", "ms", "scan"),
        ("one series read", "ms", "series"),
    ]
    return [
        Case(case, unit, dense[field], plain[field], "plain parquet") for case, unit, field in cases
    ]


def _read_times(rows: pa.Table, path: Path) -> dict[str, float]:
    connection = duckdb.connect(config={"threads": THREADS})
    middle = rows.slice(rows.num_rows // 2, 1).to_pylist()[0]
    one = f"metric = '{middle['metric']}' AND series_id = {middle['series_id']}"
    queries = {
        "scan": f"SELECT sum(value), count(time) FROM '{path}'",
        "series": f"SELECT max(time), avg(value) FROM '{path}' WHERE {one}",
    }
    return {
        name: min(_ms(lambda sql=sql: connection.execute(sql).fetchall()) for _ in range(RUNS))
        for name, sql in queries.items()
    }


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, default=recording.FOLDER)
    parser.add_argument("--times", choices=("grid", "recorded"), default="grid")
    options = parser.parse_args()
    recorded = recording.load(options.folder.expanduser())
    samples = samples_of(recorded, BEGIN, "bench", grid=options.times == "grid")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake, ours = into_lake(samples, folder)
        rivals = [into_victoria_metrics(samples, folder), into_prometheus(samples, folder)]
        cases = sizes(samples, ours, [one for one in rivals if one is not None])
        cases += columns(lake, len(samples.values))
        rows = lake.sql(
            "SELECT cluster, metric, series_id, time, value FROM samples "
            "ORDER BY cluster, metric, series_id, time"
        )
        if rows.num_rows != len(samples.values):
            raise RuntimeError(f"{rows.num_rows} rows of {len(samples.values)} samples")
        cases += layouts(rows, folder)
    emit(cases, json=options.json)


if __name__ == "__main__":
    main()
