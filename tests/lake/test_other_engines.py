"""The lake is open: other engines read it as it is."""

import json
import math
from datetime import timedelta

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable


@pytest.fixture
def written(lake, make_samples, noon):
    lake.samples.append(make_samples([1.5, math.nan], start=noon + timedelta(microseconds=1)))
    lake.samples.append(make_samples([math.inf], cluster="us", start=noon + timedelta(days=1)))
    return str(lake.samples.folder)


def test_deltalake_reads_rows_and_statistics(written, noon):
    delta = DeltaTable(written)
    rows = delta.to_pyarrow_table(filters=[("cluster", "=", "us")])
    assert rows.column("value").to_pylist() == [math.inf]
    actions = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    first = min(actions, key=lambda action: action["partition.date"])
    assert (first["num_records"], first["null_count.cluster"]) == (2, 0)
    assert first["min.time"] == noon + timedelta(microseconds=1)
    assert first["max.cluster"] == "eu"


def test_polars_reads_and_prunes(written):
    frame = pl.scan_delta(written).filter(pl.col("cluster") == "eu").collect()
    assert frame["value"].to_list()[0] == 1.5
    assert math.isnan(frame["value"].to_list()[1])
    assert str(frame.schema["time"]) == "Datetime(time_unit='us', time_zone='UTC')"


def test_plain_parquet_readers_find_the_columns(written):
    rows = ds.dataset(written, partitioning="hive", exclude_invalid_files=True).to_table()
    assert rows.num_rows == 3


def test_statistics_hold_no_bounds_of_floats(lake, written):
    """A NaN among them would make bounds that hide rows."""
    log = lake.samples.folder / "_delta_log" / f"{1:020d}.json"
    adds = [json.loads(line)["add"] for line in log.read_text().splitlines() if '"add"' in line]
    (stats,) = (json.loads(add["stats"]) for add in adds)
    assert stats["numRecords"] == 2
    assert stats["nullCount"]["cluster"] == 0
    assert "value" not in stats["minValues"]
    assert stats["minValues"]["cluster"] == stats["maxValues"]["cluster"] == "eu"
    assert stats["minValues"]["time"] == "2026-03-01T12:00:00.000001Z"
