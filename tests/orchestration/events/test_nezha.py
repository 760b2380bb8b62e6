"""Templates of the lines of two real applications."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from detectors.events import Templates
from lake import Lake, TimeRange
from lake.schema import EVENTS
from orchestration.steps.events import counting

LOGS = Path(__file__).parents[4] / "shared" / "data" / "nezha" / "logs.parquet"


@pytest.mark.skipif(not LOGS.exists(), reason="no data of nezha here")
def test_real_lines_become_few_templates(tmp_path):
    frame = pl.read_parquet(LOGS).filter(pl.col("timestamp").dt.year() > 2000)
    frame = frame.filter(pl.col("cluster").str.starts_with("train"))
    day = frame["timestamp"].dt.date().mode()[0]
    frame = (
        frame.filter(pl.col("timestamp").dt.date() == day)
        .sort("timestamp")
        .head(30_000)
        .with_row_index()
    )
    rows = frame.select(
        cluster="cluster", time=pl.col("timestamp").dt.cast_time_unit("us"), source=pl.lit("log"),
        type=pl.lit("Warning"), reason=pl.lit("log"), kind=pl.lit(None, pl.String),
        namespace=pl.lit("ts"), name="pod", uid=pl.col("index").cast(pl.String), message="body",
        count=pl.lit(1, pl.Int64), attributes=pl.lit(None, pl.String),
    )  # fmt: skip
    lake = Lake.open(tmp_path / "lake")
    table = rows.drop("attributes").to_arrow(compat_level=pl.CompatLevel.oldest())
    lake.events.append(with_attributes(table))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    whole = TimeRange(start, start + timedelta(days=1))
    counts = counting.count(lake.snapshot(), whole, timedelta(minutes=1), 60)
    texts = counts["key"].drop_nulls().unique().to_list()
    seen = Templates(texts)
    names = {seen.of(text) for text in texts}
    assert counts["events"].sum() == len(rows)
    assert len(rows) == 30_000
    assert 50 < len(names) < len(texts) < 3_000
    assert any("TraceID: <*> SpanID: <*>" in name for name in names)


def with_attributes(table):
    empty = pa.array([[]] * len(table), EVENTS.schema.field("attributes").type)
    columns = {
        name: table.column(name).cast(EVENTS.schema.field(name).type) for name in table.column_names
    }
    return pa.table(columns | {"attributes": empty})
