"""Every example of `docs/sql.md` gives what is printed below it. `UPDATE_DOCS=1` prints it anew."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lake import Lake, Limits
from lake.macros import MACROS
from lake.schema import EVENTS, SAMPLES, SERIES

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
EXAMPLE = re.compile(r"```sql\n(?P<sql>.*?)```\n\n(?P<rows>\|.*?\n)(?=\n|\Z)", re.DOTALL)
FENCE = re.compile(r"```sql\n(.*?)```", re.DOTALL)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BUCKETS = {"0.1": 0.5, "0.5": 0.9, "1": 0.98, "+Inf": 1.0}


def history() -> Iterator[tuple[str, dict[str, str], list[tuple[int, float]]]]:
    """Metric, labels, and values by minute after noon, over half an hour."""
    minutes = range(31)
    for pod, reset in (("api-1", 99), ("api-2", 10)):
        values = [(m, 60.0 * (m if m < reset else m - reset)) for m in minutes]
        yield "http_requests_total", {"pod": pod, "app": "api"}, values
        for le, share in BUCKETS.items():
            counts = [(m, value * share) for m, value in values]
            yield "http_seconds_bucket", {"pod": pod, "app": "api", "le": le}, counts
    gap = [(m, float(m % 7)) for m in range(0, 31, 5) if m not in (10, 15)]
    yield "queue_length", {"pod": "api-1", "app": "api"}, gap
    yield "disk_used_bytes", {"node": "n1"}, [(m, 1e9 + 2e6 * m) for m in minutes]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    lake = Lake.open(tmp_path_factory.mktemp("sql") / "lake")
    series, samples = [], []
    for number, (metric, labels, values) in enumerate(history(), start=1):
        key = {"cluster": "eu", "metric": metric, "series_id": number}
        times = [NOON + m * MINUTE for m, _ in values]
        about = {"namespace": "shop", **{k: v for k, v in labels.items() if k in ("pod", "node")}}
        seen = {"first_seen": times[0], "last_seen": times[-1]}
        series.append({**key, **about, **seen, "labels": list(labels.items())})
        samples += [
            {**key, "time": at, "value": value}
            for at, (_, value) in zip(times, values, strict=True)
        ]
    lake.series.append(table(series, SERIES.schema))
    lake.samples.append(table(samples, SAMPLES.schema))
    restart = {
        "cluster": "eu", "time": NOON + 10 * MINUTE, "source": "kubernetes", "reason": "Killing",
        "kind": "Pod", "namespace": "shop", "name": "api-2", "uid": "u1", "count": 1,
    }  # fmt: skip
    lake.events.append(table([restart], EVENTS.schema))
    return lake


def table(rows: list[dict[str, object]], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.table(columns, schema=schema)


def shown(rows: pa.Table) -> str:
    """A Markdown table; numbers to six digits."""
    lines = ["| " + " | ".join(rows.column_names) + " |", "|" + "---|" * rows.num_columns]
    lines += ["| " + " | ".join(map(cell, row.values())) + " |" for row in rows.to_pylist()]
    return "\n".join(lines) + "\n"


def cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
    return "" if value is None else str(value)


def test_every_example_gives_what_is_printed(lake):
    text = PAGE.read_text()

    def run(found: re.Match[str]) -> str:
        rows = lake.query_guarded(found["sql"], Limits()).rows
        return f"```sql\n{found['sql']}```\n\n{shown(rows)}"

    made = EXAMPLE.sub(run, text)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(made)
    assert PAGE.read_text() == made, "run UPDATE_DOCS=1 uv run pytest tests/lake/test_sql_docs.py"


def test_every_block_has_its_rows():
    text = PAGE.read_text()
    assert len(FENCE.findall(text)) == len(EXAMPLE.findall(text)) > 10


@pytest.mark.parametrize("name", MACROS)
def test_every_function_has_an_example(name):
    sql = " ".join(FENCE.findall(PAGE.read_text()))
    assert re.search(rf"\b{name}\(", sql), f"docs/sql.md has no example of {name}"
    assert f"`{name}(" in PAGE.read_text(), f"docs/sql.md does not define {name}"
